"""Import objects of the user's own code, named as `package.module:name` or `file.py:name`."""

import hashlib
import importlib
import importlib.util
import inspect
import sys
from operator import attrgetter
from pathlib import Path
from types import ModuleType

GIVEN = "python:"
"""Start of the name of data or of a model that a program passed as a Python object: no other
process can find it."""


def import_object(name: str) -> object:
    """Import the object of this name; the current folder is importable after everything else.

    name: `package.module:name` or `path/to/file.py:name`; the name may have dots (`Net.build`).

    Raises ValueError, with the reason in its message, when that fails for whatever reason.
    """
    location, _, attribute = name.rpartition(":")
    if not location or not attribute:
        raise ValueError(f"{name!r} is not of the form package.module:name or file.py:name")
    module = import_module(location)
    try:
        return attrgetter(attribute)(module)
    except AttributeError:
        names = ", ".join(sorted(each for each in vars(module) if not each.startswith("_"))[:8])
        raise ValueError(f"{location} has no {attribute!r}; it has {names or 'nothing'}") from None


def import_module(location: str) -> ModuleType:
    """Import a module by its name or by the path of its file.

    Raises ValueError, with the reason in its message, when that fails for whatever reason.
    """
    _append_to_path(str(Path.cwd()))
    try:
        if location.endswith(".py"):
            return _import_file(Path(location))
        return importlib.import_module(location)
    except Exception as error:
        # A user's module may raise anything; --debug shows the traceback.
        reason = (str(error).splitlines() or [""])[0][:120]
        raise ValueError(f"{type(error).__name__}: {reason}") from error


def source_digest(location: str) -> str:
    """Return a digest of a module's source file; empty for a module without one.

    location: name of a module, or path of a file; it can be imported.
    """
    file = location if location.endswith(".py") else import_module(location).__file__
    if file is None:
        return ""
    return file_digest(file)


def file_digest(file: str) -> str:
    """Return a digest of the content of a file."""
    with Path(file).open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:16]


def object_digest(made: object) -> str:
    """Return a digest of the source of a class or function; empty where it has none.

    Python cannot show the source of a class that was typed into a console; that of its functions
    counts then.
    """
    functions = [each for each in vars(made).values() if inspect.isfunction(each)]
    for objects in ([made], functions):
        try:
            sources = [inspect.getsource(each) for each in objects]  # type: ignore[arg-type]
        except (OSError, TypeError):
            continue
        return hashlib.sha256("".join(sources).encode()).hexdigest()[:16] if sources else ""
    return ""


def _import_file(path: Path) -> ModuleType:
    """Import a file once per process, whatever names the same file."""
    path = path.resolve(strict=True)
    # The digest keeps the name apart from those of installed modules and of other files.
    name = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    _append_to_path(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # the name ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up by its name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _append_to_path(folder: str) -> None:
    """Make a folder importable, after everything that is importable already."""
    if folder not in sys.path:
        sys.path.append(folder)
