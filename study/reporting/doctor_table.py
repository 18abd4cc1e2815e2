"""What a diagnosis found, as a table and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

SUBJECT = 24
"""Characters of a study's name in a line."""

_STYLES = {"ok": "green", "warning": "yellow", "bad": "bold red"}


def draw_checks(checks: Sequence[tuple[str, str, str, str]]) -> Table:
    """A line for each check; what to do stands below what is not well."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(max_width=SUBJECT, overflow="fold")
    table.add_column(overflow="fold")
    for subject, state, found, remedy in checks:
        advice = Text(f"\n→ {remedy}") if state != "ok" and remedy else Text()
        table.add_row(Text(state, style=_STYLES[state]), subject, Text(found) + advice)
    return table


def checks_document(checks: Sequence[tuple[str, str, str, str]]) -> dict[str, Any]:
    """The checks as JSON."""
    names = ("subject", "state", "found", "remedy")
    return {"schema": 1, "checks": [dict(zip(names, check, strict=True)) for check in checks]}
