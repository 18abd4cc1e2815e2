"""Find the files of the user's own model: that which defines it, and what it imports beside it."""

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from training_factors.study.exporting.own_network import own_model_module


def own_files(model: str) -> dict[str, Path]:
    """Return name -> file or folder to copy for a model: `file.py:callable`, and those beside it.

    Modules and packages in the folder of the file that it imports, or that these import, belong to
    it. Nothing is copied for other models: they are installed, or are found by their names.
    """
    location = Path(model.rpartition(":")[0])
    if location.suffix != ".py":
        return {}
    found = [location]
    for path in found:  # grows while it is read
        sources = [path] if path.is_file() else sorted(path.rglob("*.py"))
        for name in dict.fromkeys(name for source in sources for name in _imports(source)):
            module, package = location.parent / f"{name}.py", location.parent / name
            beside = package if package.is_dir() else module
            if beside.exists() and beside not in found:
                found.append(beside)
    own, *beside_it = found
    return {f"{own_model_module(model)}.py": own, **{path.name: path for path in beside_it}}


def refuse_names(files: Mapping[str, Path], written: Collection[str]) -> None:
    """Raise ValueError for a file of the user's with the name of one that the export writes.

    written: those names.
    """
    for name, path in files.items():
        if name in written:
            raise ValueError(
                f"the model's file {str(path)!r} has the name of a file that export writes; rename "
                "it and its imports, in a study of the changed model"
            )


def _imports(source: Path) -> Iterator[str]:
    """Yield the first part of the name of every module that a file imports."""
    for node in ast.walk(ast.parse(source.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]
