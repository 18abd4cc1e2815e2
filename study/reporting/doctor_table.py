"""The checks of `doctor`, as a table and as JSON."""

from collections.abc import Sequence
from typing import Any, Protocol

from rich.table import Table
from rich.text import Text

SUBJECT_WIDTH = 24
"""Width of the column with the checked subject, in characters; longer names are wrapped."""

_STYLES = {"ok": "green", "warning": "yellow", "bad": "bold red"}


class CheckResult(Protocol):
    """One check of `doctor`: its subject, its state (`ok`, `warning`, `bad`), finding and remedy.

    A protocol, since the record itself belongs to the running side, which is not imported here.
    """

    @property
    def subject(self) -> str:
        """The checked subject, for example `database` or a study's name."""

    @property
    def state(self) -> str:
        """The outcome: `ok`, `warning` or `bad`."""

    @property
    def found(self) -> str:
        """The finding, in words."""

    @property
    def remedy(self) -> str:
        """The action that would mend it; empty where there is nothing to mend."""


def draw_checks(checks: Sequence[CheckResult]) -> Table:
    """Draw one row per check, with the remedy below each finding that is not ok."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(max_width=SUBJECT_WIDTH, overflow="fold")
    table.add_column(overflow="fold")
    for check in checks:
        needs_remedy = check.state != "ok" and check.remedy
        remedy = Text(f"\n→ {check.remedy}") if needs_remedy else Text()
        state = Text(check.state, style=_STYLES[check.state])
        table.add_row(state, check.subject, Text(check.found) + remedy)
    return table


def checks_document(checks: Sequence[CheckResult]) -> dict[str, Any]:
    """Return the checks as a JSON document."""
    return {
        "schema": 1,
        "checks": [
            {
                "subject": check.subject, "state": check.state, "found": check.found,
                "remedy": check.remedy,
            }
            for check in checks
        ],
    }  # fmt: skip
