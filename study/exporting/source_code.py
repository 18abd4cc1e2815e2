"""Write functions, classes and values as Python source that runs without this package."""

import ast
import builtins
import json
import math
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from inspect import isclass, ismethod
from typing import Any

import torch
from torch import Tensor, nn

from training_factors.study.exporting.module_source import (
    Definition,
    Import,
    Reference,
    Target,
    find_definition,
    reference_to,
)

SHORT_NAMES = {
    "nn": nn,
    "functional": nn.functional,
    "nn.init": nn.init,
    "nn.utils": nn.utils,
    "torch.optim": torch.optim,
    "torch": torch,
    "torch.special": torch.special,
    "torch.linalg": torch.linalg,
}
"""Modules of torch as scripts name them, those whose names are looked up first at the top."""


@dataclass(frozen=True)
class SourceCode:
    """The source of some values: definitions that a script needs, and expressions that use them.

    names: name in the script of everything that it defines or imports.
    definitions: what the script defines; each stands after those that it uses.
    """

    names: Mapping[Target, str]
    definitions: tuple[str, ...]

    def name(self, made: object) -> str:
        """Return the name by which the script calls a function or class."""
        if made is partial:
            return "partial"
        return short_name(made) or self.names[reference_to(made)]

    def expression(self, value: object) -> str:
        """Return an expression with this value."""
        if value is None or isinstance(value, bool | int | float | str):
            return literal(value)
        if isinstance(value, Tensor):
            return f"torch.tensor({value.tolist()!r}, dtype={value.dtype})"
        if isinstance(value, torch.dtype | torch.device):
            return str(value) if isinstance(value, torch.dtype) else f"torch.{value!r}"
        if isinstance(value, partial):
            arguments = [self.expression(value.func), *self._arguments(value)]
            return f"partial({', '.join(arguments)})"
        if isinstance(value, tuple) and not hasattr(value, "_fields"):
            inner = ", ".join(map(self.expression, value))
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        if isinstance(value, list):
            return f"[{', '.join(map(self.expression, value))}]"
        if isinstance(value, dict):
            pairs = (f"{self.expression(k)}: {self.expression(v)}" for k, v in value.items())
            return f"{{{', '.join(pairs)}}}"
        if ismethod(value):
            return f"{self.expression(value.__self__)}.{value.__name__}"
        if (parts := record_fields(value)) is not None:
            arguments = [f"{name}={self.expression(part)}" for name, part in parts.items()]
            return f"{self.name(type(value))}({', '.join(arguments)})"
        return self.name(value)

    def call(
        self,
        function: object,
        *arguments: str,
        named: Mapping[str, str] | None = None,
        without: Collection[str] = (),
    ) -> str:
        """Return a call of a function; those arguments that a partial holds are written in it.

        arguments: expressions. named: further keywords, or expressions for those of the partial.
        without: keywords of the partial that are left out.
        """
        keywords: dict[str, str] = {}
        positional: list[str] = []
        while isinstance(function, partial):
            held = {name: self.expression(value) for name, value in function.keywords.items()}
            keywords = held | keywords
            positional = [self.expression(value) for value in function.args] + positional
            function = function.func
        keywords = {name: text for name, text in keywords.items() if name not in without}
        keywords |= named or {}
        parts = [*positional, *arguments, *(f"{name}={text}" for name, text in keywords.items())]
        return f"{self.expression(function)}({', '.join(parts)})"

    def _arguments(self, held: "partial[Any]") -> list[str]:
        return [
            *map(self.expression, held.args),
            *(f"{name}={self.expression(value)}" for name, value in held.keywords.items()),
        ]


def collect_source(
    values: Iterable[object], reserved: Collection[str], imports: Mapping[str, Import]
) -> SourceCode:
    """Return the source of all that these values need.

    reserved: names that the script uses otherwise. imports: those that it may have by these names
    whatever the values are; among them are those of torch that expressions use.

    Raises ValueError, one line with the remedy, for a value that no source can stand for.
    """
    found: dict[Reference, Definition] = {}
    targets: dict[Target, str] = {}
    for value in values:
        for target in _targets(value):
            _add(target, found, targets)
    names = _choose_names(found, targets, reserved, imports)
    return SourceCode(
        names, tuple(_renamed(reference, each, names) for reference, each in found.items())
    )


def short_name(made: object) -> str | None:
    """Return how a script names something of torch or a builtin, without an import of its own."""
    name = getattr(made, "__name__", None)
    if not isinstance(name, str):
        return None
    if getattr(builtins, name, None) is made:
        return name
    short = (key for key, module in SHORT_NAMES.items() if getattr(module, name, None) is made)
    return next((f"{key}.{name}" for key in short), None)


def literal(value: object) -> str:
    """Return a number, text or tuple of these as source."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)


def record_fields(value: object) -> Mapping[str, object] | None:
    """Return the fields of a dataclass or named tuple; None for values of other kinds."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        named: Mapping[str, object] = value._asdict()
        return named
    if is_dataclass(value) and not isclass(value):
        return {each.name: getattr(value, each.name) for each in fields(value) if each.init}
    return None


def import_block(names: Mapping[Target, str], text: str) -> str:
    """Return the imports that a script needs, the standard library first.

    names: of what it may import; those that the script uses are imported. text: of the script,
    without these lines.
    """
    used = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    lines: dict[str, set[str]] = {}
    for target, name in names.items():
        if not isinstance(target, Import) or name not in used:
            continue
        if target.name is None:
            lines[f"import {target.module}{_renaming(target.module, name)}"] = set()
        else:
            line = f"from {target.module} import "
            lines.setdefault(line, set()).add(f"{target.name}{_renaming(target.name, name)}")
    blocks: dict[bool, list[str]] = {True: [], False: []}
    for line in sorted(lines, key=lambda line: (line.startswith("from"), line)):
        is_standard = line.split()[1].partition(".")[0] in sys.stdlib_module_names
        blocks[is_standard].append(line + ", ".join(sorted(lines[line])))
    return "\n\n".join("\n".join(block) for block in blocks.values() if block)


def _renaming(original: str, name: str) -> str:
    return "" if original == name else f" as {name}"


def _targets(value: object) -> Iterable[Target]:
    """Yield what a value consists of that must be defined or imported."""
    if value is None or isinstance(
        value, bool | int | float | str | Tensor | torch.dtype | torch.device
    ):
        return
    if isinstance(value, partial):
        for part in (value.func, *value.args, *value.keywords.values()):
            yield from _targets(part)
    elif (parts := record_fields(value)) is not None:
        yield from _targets(type(value))
        for part in parts.values():
            yield from _targets(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _targets(part)
    elif isinstance(value, dict):
        for part in (*value, *value.values()):
            yield from _targets(part)
    elif ismethod(value):
        yield from _targets(value.__self__)
    elif short_name(value) is None:
        yield reference_to(value)


def _add(target: Target, found: dict[Reference, Definition], targets: dict[Target, str]) -> None:
    """Add a target and all that its definition uses, which comes first."""
    if target in targets:
        return
    targets[target] = target.name or target.module.partition(".")[0]
    if isinstance(target, Reference):
        definition = find_definition(target)
        for name, used in definition.uses.items():
            _add(used, found, targets)
            if isinstance(used, Import):
                targets[used] = name
        found[target] = definition


def _choose_names(
    found: Mapping[Reference, Definition],
    targets: Mapping[Target, str],
    reserved: Collection[str],
    imports: Mapping[str, Import],
) -> dict[Target, str]:
    """Return different names for all targets, without leading underscores where possible."""
    names: dict[Target, str] = {target: name for name, target in imports.items()}
    taken = {*reserved, *imports, *dir(builtins)}
    for target, wanted in targets.items():
        if target in names:
            continue
        users = [each for each in found.values() if target in each.uses.values()]
        if isinstance(target, Reference):
            users.append(found[target])
        hidden = set().union(*(each.local_names for each in users))
        plain = wanted.lstrip("_") if isinstance(target, Reference) else wanted
        candidates = [plain, wanted, *(f"{plain}_{number}" for number in range(2, 100))]
        names[target] = next(c for c in candidates if c.isidentifier() and c not in taken | hidden)
        taken.add(names[target])
    return names


def _renamed(reference: Reference, definition: Definition, names: Mapping[Target, str]) -> str:
    """Return the source of a definition in which everything has its name in the script."""
    changes = {
        name: names[target]
        for name, target in {**definition.uses, reference.name: reference}.items()
        if names[target] != name
    }
    if not changes:
        return definition.text
    hidden = sorted(definition.local_names & set(changes))
    if hidden:
        raise ValueError(
            f"{reference.name} of {reference.module} has a local variable {hidden[0]!r} and uses a "
            "function of that name; rename one of them"
        )
    lines = [line.encode() for line in definition.text.split("\n")]
    places: list[tuple[int, int, str]] = []
    tree = ast.parse(definition.text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in changes:
            places.append((node.lineno - 1, node.col_offset, node.id))
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and node in tree.body:
            line = lines[node.lineno - 1].decode()
            if node.name in changes:
                column = re.search(rf"(def|class)\s+(?={node.name}\b)", line)
                assert column is not None
                places.append((node.lineno - 1, column.end(), node.name))
    for row, column_bytes, name in sorted(places, reverse=True):
        line_bytes = lines[row]
        end = column_bytes + len(name.encode())
        lines[row] = line_bytes[:column_bytes] + changes[name].encode() + line_bytes[end:]
    return b"\n".join(lines).decode()
