"""Shorten source to what a reader of a single script needs."""

import ast
import re
from collections.abc import Collection, Iterator

from training_factors.study.exporting.line_wrapping import MAX_WIDTH

CHECKER_COMMENT = re.compile(r"[ \t]*# (type: ignore|fmt: |noqa)[^\n]*")
"""A comment for a type checker, formatter or linter."""


def trimmed(text: str, aliases: Collection[str]) -> str:
    """Return the source of one statement without comments for checkers and aliases of types.

    Of docstrings the first paragraph stays. Annotations that use an alias are left out.

    aliases: names of types that exist for annotations only.
    """
    text = CHECKER_COMMENT.sub("", text)
    edits = [*_docstring_edits(text), *_annotation_edits(text, aliases)]
    encoded = text.encode()
    for start, end, replacement in sorted(edits, reverse=True):
        encoded = encoded[:start] + replacement.encode() + encoded[end:]
    return encoded.decode()


Edit = tuple[int, int, str]
"""Start and end of a piece of the encoded text, and what stands there instead."""


def _docstring_edits(text: str) -> Iterator[Edit]:
    offsets = _line_offsets(text)
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        docstring = ast.get_docstring(node)
        if docstring is None or "\n\n" not in docstring:
            continue
        indent = " " * node.body[0].col_offset
        paragraph = docstring.partition("\n\n")[0].replace("\n", f"\n{indent}")
        last = f'{indent}"""{paragraph}"""'.rpartition("\n")[2]
        end = f"\n{indent}" if len(last) > MAX_WIDTH else ""
        yield (*_span(node.body[0], offsets), f'"""{paragraph}{end}"""')


def _annotation_edits(text: str, aliases: Collection[str]) -> Iterator[Edit]:
    offsets = _line_offsets(text)
    encoded = text.encode()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.arg) and _uses(node.annotation, aliases):
            start, end = _span(node, offsets)
            yield start + len(node.arg.encode()), end, ""
        elif isinstance(node, ast.FunctionDef) and _uses(node.returns, aliases):
            assert node.returns is not None
            start, end = _span(node.returns, offsets)
            yield encoded.rindex(b" ->", 0, start), end, ""


def _uses(annotation: ast.expr | None, aliases: Collection[str]) -> bool:
    if annotation is None:
        return False
    return any(isinstance(n, ast.Name) and n.id in aliases for n in ast.walk(annotation))


def _line_offsets(text: str) -> list[int]:
    """Return where each line of the encoded text starts."""
    offsets = [0]
    for line in text.encode().split(b"\n"):
        offsets.append(offsets[-1] + len(line) + 1)
    return offsets


def _span(node: ast.expr | ast.arg | ast.stmt, offsets: list[int]) -> tuple[int, int]:
    assert node.end_lineno is not None and node.end_col_offset is not None
    return (
        offsets[node.lineno - 1] + node.col_offset,
        offsets[node.end_lineno - 1] + node.end_col_offset,
    )
