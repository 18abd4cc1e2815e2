"""Chart of the confirmation: the drop of the test objective when one factor is changed."""

from training_factors.search_spaces.description import PLACEBO
from training_factors.study.analysis.contrasts import Confirmation
from training_factors.study.analysis.verdict import CONFIRMED, NOT_DISTINGUISHABLE
from training_factors.study.reporting.chart import Chart, Table, forest_panel, with_gray_names
from training_factors.study.reporting.formatting import probability, unit_of

PLACEBO_NOTE = (
    "The placebo is a parameter that training never reads; its p-value is not Holm-corrected."
)
"""Explanation of the placebo's row."""


def chart(confirmation: Confirmation, objective: str) -> Chart | None:
    """Return a forest plot of the paired differences; None if there are none yet."""
    contrasts = confirmation.contrasts
    if not contrasts:
        return None
    unit = unit_of(objective)
    panel = forest_panel(
        f"drop on the test set if changed, {unit.words} (95 % interval)",
        [contrast.name for contrast in contrasts],
        [contrast.difference for contrast in contrasts],
        [contrast.interval for contrast in contrasts],
        ["primary" if contrast.confirmed else "faint" for contrast in contrasts], unit,
    )  # fmt: skip
    unconfirmed = [i for i, contrast in enumerate(contrasts) if not contrast.confirmed]
    table = Table(
        (
            "change", "seeds", f"drop if changed, {unit.name}", "95 % interval", "p (Holm)",
            "evidence",
        ),
        tuple(
            (
                contrast.name, str(contrast.seeds), unit.signed(contrast.difference, 2),
                unit.interval(contrast.interval, 2), probability(contrast.p_value),
                CONFIRMED if contrast.confirmed else NOT_DISTINGUISHABLE,
            )
            for contrast in contrasts
        ),
    )  # fmt: skip
    return Chart(
        "confirmation", _title(confirmation, objective), _note(confirmation, objective),
        (with_gray_names(panel, unconfirmed),), table,
    )  # fmt: skip


def _title(confirmation: Confirmation, objective: str) -> str:
    confirmed = [contrast for contrast in confirmation.contrasts if contrast.confirmed]
    if not confirmed:
        return "No single change makes the best configuration significantly worse"
    worst = max(confirmed, key=lambda contrast: contrast.difference)
    unit = unit_of(objective)
    return f"Confirmed: {worst.name} costs {unit.unsigned(worst.difference, 2)} {unit.words}"


def _note(confirmation: Confirmation, objective: str) -> str:
    counts = [contrast.seeds for contrast in confirmation.contrasts]
    few, many = min(counts), max(counts)
    placebo = ""
    if any(contrast.factor == PLACEBO for contrast in confirmation.contrasts):
        placebo = f" {PLACEBO_NOTE}"
    seeds = str(few) if few == many else f"{few} to {many}"
    return (
        f"The mean test {objective} of the best configuration minus that of the same configuration "
        f"with one change, trained with the same {seeds} seeds; {unit_of(objective).note}. Grey, "
        "“not distinguishable”: the best configuration is not significantly better than the "
        f"changed one (paired t test, Holm-corrected).{placebo} Re-tuned: with the learning rate "
        "that was best on the validation set among the 8 that were tried; such a comparison is "
        "the fairer one."
    )
