"""Write a study's report as a page, with the command lines that it shows."""

import shlex
from pathlib import Path
from typing import NamedTuple

from training_factors.search_spaces.user_code import GIVEN
from training_factors.storage.files import REPORT, write_atomically
from training_factors.storage.own_configurations import read_own_configurations
from training_factors.storage.studies import Study
from training_factors.storage.study_file_text import complete_settings, fixed_study_file
from training_factors.study.api import command_lines
from training_factors.study.api.check_commands import check_commands
from training_factors.study.api.command_lines import NextStep
from training_factors.study.api.confirming import describe_cost
from training_factors.study.reporting import page
from training_factors.study.reporting.chart import Chart
from training_factors.study.reporting.chart_list import charts_of
from training_factors.study.reporting.formatting import slug
from training_factors.study.reporting.page import Commands
from training_factors.study.reporting.recommendation_table import (
    definition_options,
    holding_options,
    list_word,
)
from training_factors.study.reporting.report import Report

PASSED_OBJECTS = "the Python program that passed its data, model or factors as objects"
"""What repeats a study of which a command line cannot name everything."""


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
    again = repeating_command(study, storage)
    setting = report.advice and shlex.join([*program, *holding_options(report.advice)])
    words = check_commands(study, report.checks, storage)
    checks = tuple(None if one is None else shlex.join(one) for one in words)
    following = _next_step(study, report, storage)
    return Commands(again, following.command, setting, following.purpose, checks)


def repeating_command(study: Study, storage: str | None) -> str:
    """Return the command line that makes and runs the same study from nothing.

    The user's configurations that take part in it are written to its folder, as study files.
    storage: the database's URL as the user gave it.
    """
    stamp = study.stamp
    names = (stamp.definition.source, stamp.definition.model)
    if any(name.startswith(GIVEN) for name in (*names, *(f.source for f in stamp.space.factors))):
        return PASSED_OBJECTS
    words = [
        *command_lines.program_words(), *definition_options(stamp.definition),
        *command_lines.size_options(study),
    ]  # fmt: skip
    for path in _write_own_configurations(study):
        words += ["--also", list_word(str(path))]
    place = command_lines.storage_words(study, storage)
    return shlex.join([*words, "--study", study.name, *place])


def _write_own_configurations(study: Study) -> list[Path]:
    """Write each of the user's configurations that a study has as a study file; return the paths.

    A file's name is that of the configuration, so that it keeps it.
    """
    folder = study.folder / "also"
    paths: list[Path] = []
    for name, config in read_own_configurations(study):
        settings = complete_settings(config, study.stamp.space)
        text = fixed_study_file(study.stamp.definition, settings)
        path = folder / f"{slug(name)}.toml"
        if path in paths:  # of another folder's file with the same name
            path = folder / f"{slug(name)}-{len(paths)}.toml"
        write_atomically(path, text.encode(), REPORT)
        paths.append(path)
    return paths


def closing_lines(study: Study, report: Report, storage: str | None, page: Path) -> dict[str, str]:
    """Return what ends a command's screen: the report's page, the next command, its purpose."""
    following = _next_step(study, report, storage)
    return {"report": str(page), "next": following.command, "": f"({following.purpose})"}


def _next_step(study: Study, report: Report, storage: str | None) -> NextStep:
    """Return the step that follows from a report; of `confirm` it says what that takes."""
    more_rows = report.answer.verdict.more_rows if report.answer else 1
    step = command_lines.next_step(study, storage, report.conclusion, more_rows)
    cost = None
    if step.verb == "confirm" and report.answer is not None:
        cost = describe_cost(study, report.answer, report.trials)
    return step if cost is None else step._replace(purpose=f"{step.purpose}: {cost}")
