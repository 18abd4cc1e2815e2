"""Write a study's report as a page, with the command lines that it shows."""

import shlex
from pathlib import Path
from typing import NamedTuple

from training_factors.storage.studies import Study
from training_factors.study.api import command_lines
from training_factors.study.api.answer_file import write_answer
from training_factors.study.api.check_commands import check_commands
from training_factors.study.api.next_step import next_step
from training_factors.study.api.repeating import repeating_words
from training_factors.study.reporting import page
from training_factors.study.reporting.chart import Chart
from training_factors.study.reporting.chart_list import charts_of
from training_factors.study.reporting.page import Commands
from training_factors.study.reporting.recommendation_table import holding_options
from training_factors.study.reporting.report import Report

PASSED_OBJECTS = "the Python program that passed its data, model or factors as objects"
"""What repeats a study of which a command line cannot name everything."""


class WrittenPage(NamedTuple):
    """The page of a report on the disk, the charts that it shows, by name, and the answer as JSON.

    answer: None where there is none, or where it was not written.
    """

    path: Path
    charts: dict[str, Chart]
    answer: Path | None


def write_report_page(
    study: Study, report: Report, storage: str | None, path: Path | None = None
) -> WrittenPage:
    """Write the page of a study's report, and the answer as JSON beside it if there is one.

    storage: the database's URL as the user gave it. path: None for `report.html` in the study's
    folder; the page is written alone elsewhere.
    """
    charts = charts_of(report)
    text = page.render_page(report, charts, _report_commands(study, report, storage))
    written = page.write_page(text, path or study.folder / "report.html")
    has_answer = path is None and report.answer is not None
    return WrittenPage(
        written, charts, write_answer(study, report, storage) if has_answer else None
    )


def _report_commands(study: Study, report: Report, storage: str | None) -> Commands:
    """Return the command lines that a report shows."""
    program = command_lines.program_words()
    again = repeating_command(study, storage)
    setting = report.advice and shlex.join([*program, *holding_options(report.advice)])
    words = check_commands(study, report.checks, storage)
    checks = tuple(None if one is None else shlex.join(one) for one in words)
    following = next_step(study, report, storage)
    return Commands(again, following.command, setting, following.purpose, checks)


def repeating_command(study: Study, storage: str | None) -> str:
    """Return the command line that makes and runs the same study from nothing.

    The user's configurations that take part in it are written to its folder, as study files.
    storage: the database's URL as the user gave it.
    """
    words = repeating_words(study, study.stamp.definition, storage, name=study.name)
    return PASSED_OBJECTS if words is None else shlex.join(words)
