"""The answer of a study, for `run` and `importance`: importance, best configuration, what next."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from storage.studies import Study
from storage.tables import Trial, read_trials
from study.analysis.answer import Answer
from study.analysis.answer import as_document as answer_document
from study.reporting import charts, terminal
from study.reporting.analyses import answer_of
from study.reporting.overview import best_trial


class Summary(NamedTuple):
    """What a study says."""

    study: str
    data: str
    objective: str
    answer: Answer
    best: Trial


def compute(study: Study, jobs: int) -> Summary:
    """What a study has measured, analysed where that was not done before.

    Raises NoAnswer when that is too little.
    """
    trials = read_trials(study)
    answer = answer_of(study, jobs)
    best = best_trial(trials)
    assert best is not None, "an answer has complete runs"
    stamp = study.stamp
    return Summary(study.name, stamp["data"]["name"], stamp["objective"], answer, best)


def as_document(summary: Summary) -> dict[str, Any]:
    """The summary as JSON: that of the answer, and the best run."""
    best = summary.best
    return {
        **answer_document(summary.answer, summary.study),
        "best": {
            "trial": best.number,
            "value": best.value,
            "metrics": best.metrics,
            "seed": best.seed,
            "parameters": _real(best.parameters),
        },
    }


def write(summary: Summary, folder: Path) -> list[Path]:
    """Write the answer as JSON and its chart as PNG and SVG; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    document = folder / "importance.json"
    document.write_text(json.dumps(as_document(summary), indent=2) + "\n")
    return [
        document,
        *charts.save(charts.draw(summary.answer, summary.data), folder / "importance"),
    ]


def draw(summary: Summary, files: Sequence[Path], following: str) -> RenderableType:
    """The importance table, the best configuration, where the files lie, the next command."""
    best = summary.best
    title = Text.assemble(
        ("best configuration", "bold"),
        f"  trial #{best.number} ({best.phase}), "
        f"validation {summary.objective} {best.value:.4f}, one run",
    )
    first, *others = sorted(files, key=lambda path: path.suffix != ".png")
    kinds = ", ".join(path.suffix for path in others)
    return Group(
        terminal.draw(summary.answer, summary.objective),
        Text(),
        title,
        _configuration(best.parameters),
        Text(),
        _whole_line(f"chart  {first} (beside it {kinds})"),
        _whole_line(f"next   {following}"),
    )


def _whole_line(text: str) -> Text:
    """A line that is never broken, so that it can be copied."""
    return Text(text, no_wrap=True, overflow="ignore")


def _configuration(parameters: Mapping[str, Any]) -> RenderableType:
    """Each factor's option with its knobs, a line each."""
    table = Table(box=None, pad_edge=False, show_header=False)
    knobs: dict[str, list[str]] = {}
    options: dict[str, str] = {}
    for path, value in _real(parameters).items():
        factor, *rest = path.split(".")
        if rest:
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            knobs.setdefault(factor, []).append(f"{rest[-1]} {shown}")
        else:
            options[factor] = str(value)
    for factor in dict.fromkeys([*options, *knobs]):
        table.add_row(f"  {factor}", options.get(factor, ""), ", ".join(knobs.get(factor, [])))
    return table


def _real(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name != "placebo"}
