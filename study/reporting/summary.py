"""The answer of a study, for `run` and `importance`: importance, best configuration, what next."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from storage.files import REPORT, write_atomically
from storage.studies import Study
from storage.tables import Trial, read_trials
from study.analysis.answer import Answer, as_plain
from study.analysis.answer import as_document as answer_document
from study.analysis.contrasts import Confirmation
from study.analysis.recommendation import chosen, standing
from study.reporting import picture, terminal
from study.reporting.analyses import answer_of
from study.reporting.charts import importance
from study.reporting.overview import best_trial
from study.reporting.recommendation import confirmation_of
from study.reporting.wording import settings, whole_line


class Summary(NamedTuple):
    """What a study says."""

    study: str
    data: str
    objective: str
    answer: Answer
    best: Trial
    confirmation: Confirmation | None
    space: Mapping[str, Any]


def compute(study: Study, jobs: int) -> Summary:
    """What a study has measured, analysed where that was not done before.

    Raises NoAnswer when that is too little.
    """
    trials = read_trials(study)
    answer = answer_of(study, jobs)
    best = best_trial(trials)
    assert best is not None, "an answer has complete runs"
    data, objective = study.stamp["data"]["name"], study.stamp["objective"]
    space = study.stamp["described"]
    confirmation = confirmation_of(study)
    return Summary(study.name, data, objective, answer, best, confirmation, space)


def as_document(summary: Summary) -> dict[str, Any]:
    """The summary as JSON: that of the answer, and the best run."""
    best = summary.best
    document = answer_document(summary.answer, summary.study)
    for factor, row in zip(summary.answer.factors, document["factors"], strict=True):
        contrast = summary.confirmation.of(factor.name) if summary.confirmation else None
        row["confirmed"] = as_plain(contrast)
        row["verdict"] = standing(factor, contrast)
    return {
        **document,
        "best": {
            "trial": best.number,
            "value": best.value,
            "metrics": best.metrics,
            "seed": best.seed,
            "parameters": _complete(summary),
        },
    }


def write(summary: Summary, folder: Path) -> list[Path]:
    """Write the chart of the answer as PNG and SVG, and the answer as JSON; the files."""
    document = folder / "importance.json"
    text = json.dumps(as_document(summary), indent=2) + "\n"
    write_atomically(document, text.encode(), REPORT)
    return [*picture.save(importance.chart(summary.answer, summary.data), folder), document]


def draw(summary: Summary, chart: Path, page: Path, following: str) -> RenderableType:
    """The importance table, the best configuration, where the files lie, the next command."""
    best = summary.best
    title = Text.assemble(
        ("best configuration", "bold"),
        f"  trial #{best.number} ({best.phase}), "
        f"validation {summary.objective} {best.value:.4f}, one run",
        *([] if _is_confirmed(summary) else ["; another was confirmed: recommend"]),
    )
    return Group(
        terminal.draw(summary.answer, summary.objective),
        Text(),
        title,
        _configuration(summary),
        Text(),
        whole_line(f"report  {page}"),
        whole_line(f"chart   {chart} (beside it .svg, .json)"),
        whole_line(f"next    {following}"),
    )


def _configuration(summary: Summary) -> RenderableType:
    """The option of each factor with its knobs, a line each; then what no run varied."""
    table = Table(box=None, pad_edge=False, show_header=False)
    held = []
    for factor in summary.space["factors"]:
        option, knobs = chosen(factor, summary.best.parameters)
        if not {factor["name"], *knobs} & summary.best.parameters.keys():
            held.append(f"{factor['name']} {option}")
            continue
        table.add_row(f"  {factor['name']}", option, settings(knobs))
    if not held:
        return table
    return Group(table, Padding(Text(f"held: {', '.join(held)}"), (0, 0, 0, 2)))


def _is_confirmed(summary: Summary) -> bool:
    """Whether the best run's configuration is the confirmed one, where one was."""
    confirmed = summary.confirmation
    return confirmed is None or confirmed.config == summary.best.parameters


def _complete(summary: Summary) -> dict[str, Any]:
    """Every factor's option and knobs, also those that were held."""
    found: dict[str, Any] = {}
    for factor in summary.space["factors"]:
        option, knobs = chosen(factor, summary.best.parameters)
        found |= {factor["name"]: option, **knobs}
    return found
