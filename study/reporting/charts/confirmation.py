"""What the best configuration loses when one factor alone is changed, in controlled runs."""

from training_factors.study.analysis.contrasts import Confirmation
from training_factors.study.analysis.verdict import CONFIRMED, NOT_DISTINGUISHABLE
from training_factors.study.reporting.chart import Chart, Table, forest_panel, with_gray_names
from training_factors.study.reporting.formatting import points, points_interval, probability


def chart(confirmation: Confirmation) -> Chart | None:
    """A forest plot of the paired differences; None while there are none."""
    rows = confirmation.contrasts
    if not rows:
        return None
    panel = forest_panel(
        "points that the best configuration loses on the test part (95 % interval)",
        [one.name for one in rows], [one.difference for one in rows],
        [one.interval for one in rows],
        ["leading" if one.confirmed else "pale" for one in rows],
    )  # fmt: skip
    panel = with_gray_names(panel, [i for i, one in enumerate(rows) if not one.confirmed])
    few, many = min(one.seeds for one in rows), max(one.seeds for one in rows)
    seeds = f"{few} of them" if few == many else f"{few} to {many} of them"
    note = (
        "The mean of the best configuration less that with one change, over the same seeds in "
        f"both, {seeds}; grey where that may be nothing (paired t test, Holm-corrected). Re-tuned: "
        "with the best of 8 learning rates on validation; where there is one, it counts."
    )
    table = Table(
        ("one change", "seeds", "loses, points", "95 % interval", "p (Holm)", "standing"),
        tuple(
            (
                one.name, str(one.seeds), points(one.difference, 2),
                points_interval(one.interval, 2), probability(one.p_value),
                CONFIRMED if one.confirmed else NOT_DISTINGUISHABLE,
            )
            for one in rows
        ),
    )  # fmt: skip
    return Chart("confirmation", _title(confirmation), note, (panel,), table)


def _title(confirmation: Confirmation) -> str:
    certain = [one for one in confirmation.contrasts if one.confirmed]
    if not certain:
        return "No single change costs the best configuration anything for certain"
    worst = max(certain, key=lambda one: one.difference)
    return f"Confirmed: {worst.name} costs {worst.difference:.2f} points on the test part"
