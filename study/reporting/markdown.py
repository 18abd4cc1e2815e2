"""Put names and numbers into Markdown as they are: none of their characters means anything."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_SPECIAL = re.compile(r"([\\`*{}\[\]<>|~&$]|(?<![^\W_])_|_(?![^\W_])|#(?!\d))")
"""Characters that Markdown, its tables or its formulas would read as marks. An underscore within a
word, and a number sign before a number, are none."""

_NUMBER = re.compile(r"[-+]?[\d,]*\.?\d+")


class Markdown(NamedTuple):
    """Text that is Markdown already, and that a template puts in unchanged."""

    text: str


def escape_markdown(value: object) -> str:
    """Return a value as one line that Markdown shows as it is; Markdown itself stays unchanged."""
    if isinstance(value, Markdown):
        return value.text
    return _SPECIAL.sub(r"\\\1", " ".join(str(value).split()))


def code_span(text: str) -> Markdown:
    """Return text as code within a line, also within a table."""
    line = " ".join(text.split()).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    space = " " if "`" in line else ""
    return Markdown(f"{fence}{space}{line}{space}{fence}")


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> Markdown:
    """Return a table; a column that holds numbers alone is aligned right."""
    cells = [[escape_markdown(cell) for cell in row] for row in rows]
    columns = list(zip(*cells, strict=True))
    rules = ["-:" if all(map(_NUMBER.fullmatch, one)) else "-" for one in columns]
    lines = [[escape_markdown(heading) for heading in headings], rules or ["-"] * len(headings)]
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in [*lines, *cells]))
