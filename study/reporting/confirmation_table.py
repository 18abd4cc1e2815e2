"""The result of a confirmation, as a table of paired differences and as JSON."""

from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from training_factors.search_spaces.description import PLACEBO
from training_factors.storage.arms import RANK
from training_factors.storage.studies import Study
from training_factors.study.analysis.answer import as_plain
from training_factors.study.analysis.best_configuration import run_name
from training_factors.study.analysis.contrasts import Confirmation, ConfirmedPath, Contrast
from training_factors.study.analysis.verdict import CONFIRMED, NOT_DISTINGUISHABLE
from training_factors.study.reporting.analyses import ConfirmationData, read_confirmation_data
from training_factors.study.reporting.charts import path as path_chart
from training_factors.study.reporting.charts.confirmation import PLACEBO_NOTE
from training_factors.study.reporting.formatting import (
    Unit,
    draw_notes,
    probability,
    unit_of,
)

_GAIN_NOTE = (
    "The mean difference to the row before, trained with the same seeds. The factors with the "
    "largest drops come first; what one adds depends on those before it. Dim: not significant "
    "(paired t test, corrected for the number of steps by Holm)."
)
"""Explanation of the path's gains."""


class ConfirmationResult(NamedTuple):
    """A confirmation and the ranking that preceded it.

    study: name of the study that is confirmed. ranking: candidate -> mean validation objective
    over fresh seeds. confirmation: None while too few runs have ended.
    """

    study: str
    objective: str
    ranking: dict[str, float]
    confirmation: Confirmation | None


def read_confirmation(study: Study, confirming: Study) -> ConfirmationResult:
    """Read the study that confirms another one and return its result."""
    return confirmation_result(study, read_confirmation_data(confirming))


def confirmation_result(study: Study, data: ConfirmationData) -> ConfirmationResult:
    """Return the result of a confirmation of this study that was read already."""
    ranking = {}
    for row, arm in enumerate(data.arms):
        values = [t.value for t in data.trials if t.row == row and t.value is not None]
        if arm.purpose == RANK and values:
            ranking[arm.name] = sum(values) / len(values)
    return ConfirmationResult(study.name, study.stamp.objective, ranking, data.result)


def draw_contrasts(result: ConfirmationResult) -> RenderableType:
    """Draw the best configuration's test value, the drop with every change, and the path if any."""
    confirmation = result.confirmation
    if confirmation is None:
        return Text("The confirmation has no result yet, because too few of its runs have one.")
    low, high = confirmation.interval
    best = max(result.ranking, key=lambda name: result.ranking[name])
    title = Text.assemble(
        (f"best configuration: {run_name(best)}", "bold"),
        f"\ntest {result.objective} {confirmation.value:.4f} (95 % interval {low:.4f} to "
        f"{high:.4f}), mean of {confirmation.seeds} seeds; ranked first of {len(result.ranking)} "
        "on the validation set",
    )
    unit = unit_of(result.objective)
    parts: list[RenderableType] = [title, Text(), _contrast_table(confirmation, unit), Text()]
    if confirmation.path is not None:
        parts += [_path_table(confirmation.path, unit), Text()]
    return Group(*parts, draw_notes(_notes(confirmation, result.objective)))


def confirmation_document(result: ConfirmationResult) -> dict[str, Any]:
    """Return the confirmation as a JSON document."""
    document: dict[str, Any] = as_plain({"schema": 1, **result._asdict()})
    return document


def _contrast_table(confirmation: Confirmation, unit: Unit) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("one change")
    for heading in ("seeds", "drop if\nchanged", "95 % interval", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("evidence")
    for contrast in confirmation.contrasts:
        table.add_row(*contrast_cells(contrast, unit), style="" if contrast.confirmed else "dim")
    return table


def contrast_cells(contrast: Contrast, unit: Unit) -> tuple[str, ...]:
    """Return the cells of one change: name, seeds, drop, interval, p-value and evidence."""
    return (
        contrast.name,
        str(contrast.seeds),
        unit.signed(contrast.difference, 2),
        unit.interval(contrast.interval, 2),
        probability(contrast.p_value),
        CONFIRMED if contrast.confirmed else NOT_DISTINGUISHABLE,
    )


def _path_table(path: ConfirmedPath, unit: Unit) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("path, one factor more at a time")
    for heading in ("seeds", "test\nmean", "gain", "95 % interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    unclear = {i for i, one in enumerate(path.steps, start=1) if not one.is_distinguishable}
    for i, (name, mean, _, gain, interval) in enumerate(path_chart.table_rows(path, unit)):
        style = "dim" if i in unclear else ""
        table.add_row(name, str(path.seeds), mean, gain, interval, style=style)
    return table


def _notes(confirmation: Confirmation, objective: str) -> list[tuple[str, str]]:
    """Return the words of the table that need it, each with a sentence that explains it."""
    unit = unit_of(objective)
    has_placebo = any(contrast.factor == PLACEBO for contrast in confirmation.contrasts)
    placebo = [("placebo", PLACEBO_NOTE)] if has_placebo else []
    return [
        (
            "drop",
            f"The mean test {objective} of the best configuration minus that with this one change, "
            f"trained with the same seeds, in {unit.words}; {unit.note}.",
        ),
        ("p", "p-value of the paired t test, corrected for the number of changes (Holm)."),
        (
            "evidence",
            "confirmed: the best configuration is significantly better than the changed one. Not "
            "distinguishable (dim): it is not significantly better.",
        ),
        *placebo,
        *([("gain", _GAIN_NOTE)] if confirmation.path is not None else []),
        (
            "re-tuned",
            "The changed configuration was trained with the learning rate that was the best of 8 "
            "on the validation set.",
        ),
    ]
