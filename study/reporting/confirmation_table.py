"""What a confirmation found, as a table of differences."""

from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from training_factors.storage.arms import RANK, read_arms
from training_factors.storage.studies import CONFIRMATION, Study
from training_factors.storage.trials import read_trials
from training_factors.study.analysis.answer import as_plain
from training_factors.study.analysis.contrasts import Confirmation, Contrast
from training_factors.study.analysis.contrasts import analyse_confirmation as confirm_from
from training_factors.study.analysis.verdict import CONFIRMED, NOT_DISTINGUISHABLE
from training_factors.study.reporting.formatting import (
    points,
    points_interval,
    probability,
    whole_line,
)


class ConfirmationResult(NamedTuple):
    """A confirmation, and what was ranked for it: name -> mean validation objective."""

    study: str
    objective: str
    ranking: dict[str, float]
    confirmation: Confirmation | None


def read_confirmation(study: Study) -> ConfirmationResult:
    """What the runs of a confirming study say."""
    arms, trials = read_arms(study), read_trials(study)
    ranking = {}
    for row, arm in enumerate(arms):
        values = [t.value for t in trials if t.row == row and t.value is not None]
        if arm.purpose == RANK and values:
            ranking[arm.name] = sum(values) / len(values)
    name = study.name.removesuffix(CONFIRMATION)
    return ConfirmationResult(name, study.stamp.objective, ranking, confirm_from(arms, trials))


def draw_confirmation(found: ConfirmationResult, page: Path, following: str) -> RenderableType:
    """The best configuration on the test part, and what each change costs."""
    confirmation = found.confirmation
    if confirmation is None:
        return Text("nothing is confirmed: too few runs ended well")
    low, high = confirmation.interval
    best = max(found.ranking, key=lambda name: found.ranking[name])
    title = Text.assemble(
        (f"best configuration: {best}", "bold"),
        f"\ntest {found.objective} {confirmation.value:.4f} ({low:.4f} to {high:.4f}), "
        f"mean of {confirmation.seeds} seeds; first of {len(found.ranking)} ranked on validation",
    )
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("one change")
    for heading in ("seeds", "loses", "95 % interval", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("standing")
    for contrast in confirmation.contrasts:
        table.add_row(*_cells(contrast), style="" if contrast.confirmed else "dim")
    note = (
        "loses: points on the test part, the best less the change, with the same seeds in both; p "
        "of the paired t test, Holm-corrected. re-tuned: with the best of 8 learning rates on "
        "validation."
    )
    return Group(
        title, Text(), table, Text(), Text(note), Text(),
        whole_line(f"report  {page}"), whole_line(f"next    {following}"),
    )  # fmt: skip


def confirmation_document(found: ConfirmationResult) -> dict[str, Any]:
    """The confirmation as JSON."""
    document: dict[str, Any] = as_plain({"schema": 1, **found._asdict()})
    return document


def _cells(contrast: Contrast) -> tuple[str, ...]:
    return (
        contrast.name,
        str(contrast.seeds),
        points(contrast.difference, 2),
        points_interval(contrast.interval, 2),
        probability(contrast.p_value),
        CONFIRMED if contrast.confirmed else NOT_DISTINGUISHABLE,
    )
