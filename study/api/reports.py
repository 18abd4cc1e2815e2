"""Write a study's report as a page, with the command lines that it shows."""

import shlex
from pathlib import Path
from typing import NamedTuple

from training_factors.storage.studies import Study
from training_factors.study.api import command_lines
from training_factors.study.api.check_commands import check_commands
from training_factors.study.api.confirming import describe_cost
from training_factors.study.reporting import page
from training_factors.study.reporting.chart import Chart
from training_factors.study.reporting.chart_list import charts_of
from training_factors.study.reporting.page import Commands
from training_factors.study.reporting.recommendation_table import (
    definition_options,
    holding_options,
)
from training_factors.study.reporting.report import Report


class WrittenPage(NamedTuple):
    """The page of a report on the disk, and the charts that it shows, by name."""

    path: Path
    charts: dict[str, Chart]


def write_report_page(
    study: Study, report: Report, storage: str | None, path: Path | None = None
) -> WrittenPage:
    """Write the page of a study's report.

    storage: the database's URL as the user gave it. path: None for `report.html` in the study's
    folder.
    """
    charts = charts_of(report)
    text = page.render_page(report, charts, _report_commands(study, report, storage))
    return WrittenPage(page.write_page(text, path or study.folder / "report.html"), charts)


def _report_commands(study: Study, report: Report, storage: str | None) -> Commands:
    """Return the command lines that a report shows."""
    program = command_lines.program_words()
    definition = definition_options(study.stamp.definition)
    again = shlex.join([*program, *definition, "--study", study.name])
    setting = report.advice and shlex.join([*program, *holding_options(report.advice)])
    words = check_commands(study, report.checks, storage)
    checks = tuple(None if one is None else shlex.join(one) for one in words)
    following = _following_command(study, report, storage)
    return Commands(again, following, setting, _cost(study, report, storage, following), checks)


def closing_lines(study: Study, report: Report, storage: str | None, page: Path) -> dict[str, str]:
    """Return what ends the screen of a command: the report's page and the next command.

    Where the next command is `confirm`, what it takes is said before.
    """
    following = _following_command(study, report, storage)
    cost = _cost(study, report, storage, following)
    lines = {"report": str(page), "next": following}
    return lines if cost is None else {**lines, "": f"({cost})"}


def _following_command(study: Study, report: Report, storage: str | None) -> str:
    more_rows = report.answer.verdict.more_rows if report.answer else 1
    return command_lines.next_command(study, storage, report.conclusion, more_rows)


def _cost(study: Study, report: Report, storage: str | None, following: str) -> str | None:
    """Return what the next command takes if it is `confirm`, else None."""
    is_confirm = following == command_lines.command_line("confirm", study, storage)
    if report.answer is None or not is_confirm:
        return None
    return describe_cost(study, report.answer, report.trials)
