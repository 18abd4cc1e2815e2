"""Find the files of the user's own model: that which defines it, and what it imports beside it."""

import ast
from collections.abc import Iterator
from pathlib import Path


def own_files(model: str) -> list[Path]:
    """Return the files and folders to copy for a model: `file.py:callable`, and those beside it.

    Modules and packages in the folder of the file that it imports, or that these import, belong to
    it. Nothing is copied for other models: they are installed, or are found by their names.
    """
    location = Path(model.rpartition(":")[0])
    if location.suffix != ".py":
        return []
    found = [location]
    for path in found:  # grows while it is read
        sources = [path] if path.is_file() else sorted(path.rglob("*.py"))
        for name in dict.fromkeys(name for source in sources for name in _imports(source)):
            module, package = location.parent / f"{name}.py", location.parent / name
            beside = package if package.is_dir() else module
            if beside.exists() and beside not in found:
                found.append(beside)
    return found


def refuse_names(files: list[Path], written: set[str]) -> None:
    """Raise ValueError for a file of the user's with the name of one that the export writes.

    written: those names.
    """
    for path in files:
        if path.name in written:
            raise ValueError(
                f"the model's file {str(path)!r} has the name of a file that export writes; rename "
                "it, and name the model anew in another study"
            )


def _imports(source: Path) -> Iterator[str]:
    """Yield the first part of the name of every module that a file imports."""
    for node in ast.walk(ast.parse(source.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]
