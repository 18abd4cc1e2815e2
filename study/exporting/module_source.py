"""Find the source of functions, classes and constants in the modules that declare them.

A script that must run without this package contains the source of what it needs from this package
and from the user's own files; what it needs from torch, the standard library and other installed
packages it imports.
"""

import ast
import importlib.util
import inspect
import symtable
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import GenericAlias, ModuleType, UnionType
from typing import NamedTuple, get_origin

from training_factors.study.exporting.source_trimming import trimmed

PACKAGE = __name__.partition(".")[0]
"""Name of this package, which no script imports."""


class Import(NamedTuple):
    """A module, or a name in it, that a script imports. name: None for the module itself."""

    module: str
    name: str | None


class Reference(NamedTuple):
    """A function, class or constant whose source a script contains."""

    module: str
    name: str


Target = Import | Reference
"""What a global name refers to."""


class Definition(NamedTuple):
    """The source of a function, class or constant.

    uses: the global names in it, and what they refer to. local_names: names that its functions and
    classes bind themselves.
    """

    text: str
    uses: Mapping[str, Target]
    local_names: frozenset[str]


def find_definition(reference: Reference) -> Definition:
    """Return the source of what a module defines under a name, trimmed.

    Raises ValueError when it cannot stand in another file.
    """
    module = sys.modules[reference.module]
    source, statements = _read(module)
    position = _position(statements, reference.name)
    assert position is not None  # `target_of` found it
    lines = source.splitlines()
    statement = statements[position]
    first = min(
        (node.lineno for node in getattr(statement, "decorator_list", ())),
        default=statement.lineno,
    )
    last = statement.end_lineno
    if isinstance(statement, ast.Assign | ast.AnnAssign) and position + 1 < len(statements):
        following = statements[position + 1]
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            last = following.end_lineno  # the docstring of a constant
    bound = vars(module)
    aliases = {name for name, value in bound.items() if _is_alias(value)}
    text = trimmed("\n".join(lines[first - 1 : last]), aliases)
    names, local_names = _names_in(text)
    uses = {
        name: target_of(module, name) for name in sorted(names - {reference.name}) if name in bound
    }
    return Definition(text, uses, frozenset(local_names))


def _is_alias(value: object) -> bool:
    """Return whether a value is a type that is there for annotations only."""
    if getattr(value, "_is_protocol", False):
        return True
    return isinstance(value, GenericAlias | UnionType) or get_origin(value) is not None


def reference_to(made: object) -> Target:
    """Return where a function or class is to be found by its name.

    Raises ValueError when no module has it under its name, such as a lambda.
    """
    name = getattr(made, "__qualname__", type(made).__name__)
    module = sys.modules.get(getattr(made, "__module__", None) or "")
    if module is None or getattr(module, name, None) is not made:
        raise ValueError(
            f"{name} of {getattr(made, '__module__', None)} cannot be written into a script; "
            "define it with def or class at the top of its file"
        )
    if is_copied(module):
        return target_of(module, name)
    return Import(module.__name__, name)


def is_copied(module: ModuleType) -> bool:
    """Return whether a script contains the source of what it needs from a module.

    That is so for this package, for modules that import it, and for files of the user's; other
    packages are imported.
    """
    package = module.__name__.partition(".")[0]
    if package in (PACKAGE, "__main__"):
        return True
    if package in sys.stdlib_module_names:
        return False
    file = getattr(module, "__file__", None)
    if file is None:
        return False
    installed = {sysconfig.get_path(key) for key in ("purelib", "platlib", "stdlib", "platstdlib")}
    if not any(Path(file).is_relative_to(folder) for folder in installed):
        return True
    return any(_is_ours(value) for value in list(vars(module).values()))


def _is_ours(value: object) -> bool:
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return isinstance(name, str) and name.partition(".")[0] == PACKAGE


def target_of(module: ModuleType, name: str) -> Target:
    """Return what a global name of a copied module refers to.

    Raises ValueError when it is nothing that a script can contain or import.
    """
    _, statements = _read(module)
    position = _position(statements, name)
    statement = None if position is None else statements[position]
    if isinstance(statement, ast.Import):
        alias = _alias(statement, name)
        dotted = alias.name if alias.asname else alias.name.partition(".")[0]
        return _importable(module, Import(dotted, None), name)
    if isinstance(statement, ast.ImportFrom):
        relative = "." * statement.level + (statement.module or "")
        source = importlib.util.resolve_name(relative, module.__package__)
        original = _alias(statement, name).name
        origin = sys.modules[source]
        if isinstance(getattr(origin, original, None), ModuleType):
            return _importable(module, Import(source, original), name)
        return target_of(origin, original) if is_copied(origin) else Import(source, original)
    if statement is not None:
        return Reference(module.__name__, name)
    made = getattr(module, name)
    if isinstance(made, ModuleType):
        return _importable(module, Import(made.__name__, None), name)
    if getattr(made, "__module__", module.__name__) == module.__name__:
        raise ValueError(
            f"{name} of {module.__name__} cannot be written into a script; define it with def, "
            "class or = at the top of its file"
        )
    return reference_to(made)  # of an import *, or of a package that imports when it is asked


def _importable(module: ModuleType, found: Import, name: str) -> Import:
    imported = getattr(module, name)
    if isinstance(imported, ModuleType) and is_copied(imported):
        raise ValueError(
            f"{module.__name__} uses the module {imported.__name__}, which a script does without; "
            f"import the names that it needs: from {imported.__name__} import ..."
        )
    return found


@lru_cache(maxsize=256)
def _read(module: ModuleType) -> tuple[str, tuple[ast.stmt, ...]]:
    """Return the source of a module, and its statements, also those inside `if` and `try`."""
    try:
        source = inspect.getsource(module)
    except (OSError, TypeError):
        raise ValueError(
            f"the source of {module.__name__} is not there, so no script can be written; put its "
            "functions into a file, and name that file"
        ) from None
    return source, tuple(_statements(ast.parse(source).body))


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, ast.If | ast.Try):
            for nested in (statement.body, statement.orelse, getattr(statement, "finalbody", [])):
                yield from _statements(nested)
        else:
            yield statement


def _position(statements: tuple[ast.stmt, ...], name: str) -> int | None:
    """Return the position of the last statement that binds a name."""
    return next(
        (i for i in reversed(range(len(statements))) if name in _bound_names(statements[i])), None
    )


def _bound_names(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return {n.id for each in targets for n in ast.walk(each) if isinstance(n, ast.Name)}
    return set()


def _alias(statement: ast.Import | ast.ImportFrom, name: str) -> ast.alias:
    return next(
        alias for alias in statement.names if (alias.asname or alias.name.partition(".")[0]) == name
    )


def _names_in(text: str) -> tuple[set[str], set[str]]:
    """Return the global names that a statement reads, and the names that its scopes bind."""
    top = symtable.symtable(text, "<source>", "exec")
    names = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()}
    local_names: set[str] = set()
    scopes = list(top.get_children())
    while scopes:
        scope = scopes.pop()
        scopes += scope.get_children()
        for symbol in scope.get_symbols():
            if symbol.is_global():
                names.add(symbol.get_name())
            elif not symbol.is_free():
                local_names.add(symbol.get_name())
    for node in ast.walk(ast.parse(text)):  # annotations that are not evaluated where they stand
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if annotation is not None:
                names |= {n.id for n in ast.walk(annotation) if isinstance(n, ast.Name)}
    return names, local_names
