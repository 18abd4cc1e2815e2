"""Draw what `importance` shows of a report: tables, the short answer and the JSON document."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from training_factors.storage.files import REPORT, write_atomically
from training_factors.study.analysis.answer import as_document, as_plain
from training_factors.study.analysis.recommendation import chosen_setting
from training_factors.study.analysis.seed_mean import mean_over_seeds
from training_factors.study.reporting import matplotlib_charts
from training_factors.study.reporting.charts import importance
from training_factors.study.reporting.conclusion import conclusion_document
from training_factors.study.reporting.formatting import format_settings, whole_line
from training_factors.study.reporting.importance_tables import draw_shares
from training_factors.study.reporting.report import Report
from training_factors.study.reporting.short_answer import draw_short_answer


def report_document(report: Report) -> dict[str, Any]:
    """Return the answer of a report as a JSON document, with its conclusion.

    Raises NoAnswer when too few rows were measured.
    """
    answer, stamp = report.require_answer(), report.stamp
    document = as_document(answer, report.name)
    for factor, row in zip(answer.factors, document["factors"], strict=True):
        contrast = report.confirmation.of(factor.name) if report.confirmation else None
        row["confirmed"] = as_plain(contrast)
        row["verdict"] = report.conclusion.evidence[factor.name]
    return {
        **document,
        "conclusion": conclusion_document(report.conclusion),
        "objective": report.objective,
        "left_out": dict(stamp.left_out),
        "reach": dict(stamp.reach),
        "notes": list(stamp.notes),
        "data_report": stamp.data_report.as_document(),
        "best": _best_document(report),
    }


def seed_mean_document(report: Report) -> dict[str, Any]:
    """Return what a study in which nothing varies has found, as a JSON document."""
    return {
        "schema": 1,
        "study": report.name,
        "objective": report.objective,
        "varies": False,
        "seeds": as_plain(mean_over_seeds(report.trials)),
        "conclusion": conclusion_document(report.conclusion),
        "best": _best_document(report),
    }


def draw_seed_mean(report: Report, lines: Mapping[str, str]) -> RenderableType:
    """Draw the configuration of a study in which nothing varies, and its mean over seeds.

    lines: what is at the very end; see `draw_short_answer`.
    """
    table = Table(box=None, pad_edge=False, show_header=False)
    for factor in report.space.factors:
        option, hyperparameters = chosen_setting(factor, {})
        table.add_row(f"  {factor.name}", option, format_settings(hyperparameters))
    return Group(
        Text("configuration", style="bold"),
        table,
        Text(),
        draw_short_answer(
            report.conclusion._replace(best=None), report.objective, report.space.baseline, lines
        ),
    )


def _best_document(report: Report) -> dict[str, Any]:
    """Return the best configuration: its run on validation, and the settings of all factors."""
    best = report.require_best()
    trial = best.trial
    return {
        "trial": None if trial is None else trial.number,
        "value": None if trial is None else trial.value,
        "metrics": {} if trial is None else trial.metrics,
        "seed": None if trial is None else trial.seed,
        "parameters": _all_settings(report),
    }


def _all_settings(report: Report) -> dict[str, object]:
    """Return option and hyperparameters of every factor in the best configuration."""
    settings: dict[str, object] = {}
    for factor in report.space.factors:
        option, hyperparameters = chosen_setting(factor, report.require_best().parameters)
        settings |= {factor.name: option, **hyperparameters}
    return settings


def write_summary(report: Report, folder: Path) -> list[Path]:
    """Write the importance chart as PNG and SVG and the answer as JSON; return the paths."""
    path = folder / "importance.json"
    text = json.dumps(report_document(report), indent=2) + "\n"
    write_atomically(path, text.encode(), REPORT)
    chart = importance.chart(report.require_answer(), report.data, report.objective)
    return [*matplotlib_charts.save_chart(chart, folder), path]


def draw_summary(
    report: Report, chart: Path, lines: Mapping[str, str], checks: RenderableType | None = None
) -> RenderableType:
    """Draw the importance and the best configuration, and at the end the short answer.

    chart: the file of the chart. lines: what is at the very end; see `draw_short_answer`. checks:
    the study's warnings, as `draw_checks` draws them.
    """
    return Group(
        draw_shares(report.require_answer(), report.objective),
        Text(),
        whole_line(f"chart   {chart} (also as .svg; numbers in importance.json)"),
        Text(),
        Text(f"best configuration, {report.require_best().name}", style="bold"),
        _configuration(report),
        Text(),
        *([] if checks is None else [checks, Text()]),
        draw_short_answer(report.conclusion, report.objective, report.space.baseline, lines),
    )


def _configuration(report: Report) -> RenderableType:
    """Draw a line per varied factor with its option and hyperparameters, then the others."""
    table = Table(box=None, pad_edge=False, show_header=False)
    parameters = report.require_best().parameters
    not_varied = []
    for factor in report.space.factors:
        option, hyperparameters = chosen_setting(factor, parameters)
        if {factor.name, *hyperparameters} & parameters.keys():
            table.add_row(f"  {factor.name}", option, format_settings(hyperparameters))
        else:
            not_varied.append(f"{factor.name} {option}")
    if not not_varied:
        return table
    return Group(table, Padding(Text(f"not varied: {', '.join(not_varied)}"), (0, 0, 0, 2)))
