"""The checks of a study on the terminal and as JSON, each with its command."""

import shlex
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from training_factors.study.analysis.checks import Check
from training_factors.study.reporting.formatting import whole_line

MAX_SHOWN = 3
"""Maximum number of warnings that the terminal shows; the page and JSON have all checks."""

_LABEL = "check   "
"""First column; as wide as that of the written files below."""

CheckCommand = Sequence[str] | None
"""The words of a command line; None where no command helps."""


def draw_checks(checks: Sequence[Check], commands: Sequence[CheckCommand]) -> RenderableType | None:
    """Draw the most serious warnings, each with its remedy; None where there are none.

    Commands are in whole lines, so that they can be copied. Notes are left out.
    """
    pairs = zip(checks, commands, strict=True)
    shown = [(check, command) for check, command in pairs if not check.is_note][:MAX_SHOWN]
    parts: list[RenderableType] = []
    previous: CheckCommand = None
    for check, command in shown:
        table = Table.grid()
        table.add_column(no_wrap=True)
        table.add_column()
        table.add_row(_LABEL, f"{check.finding} {check.remedy}")
        parts.append(table)
        if command is not None:
            line = "(the same command)" if command == previous else shlex.join(command)
            parts.append(whole_line(f"{' ' * len(_LABEL)}{line}"))
        previous = command
    return Group(*parts) if parts else None


def checks_document(
    checks: Sequence[Check], commands: Sequence[CheckCommand]
) -> list[dict[str, Any]]:
    """Return all checks as JSON, each with the words of its command line, or null."""
    return [
        {
            "name": check.name,
            "finding": check.finding,
            "remedy": check.remedy,
            "verb": check.verb,
            "options": list(check.options),
            "leaves_out": list(check.leaves_out),
            "needs_new_study": check.needs_new_study,
            "is_note": check.is_note,
            "command": None if command is None else list(command),
        }
        for check, command in zip(checks, commands, strict=True)
    ]
