"""What diverged or learned nothing, and at which settings."""

from collections.abc import Sequence

from training_factors.study.analysis.diagnostics import Breakdown
from training_factors.study.reporting.chart import (
    Axis,
    Bars,
    Chart,
    Panel,
    Table,
    Zone,
    height_of,
)
from training_factors.study.reporting.formatting import percent, percents

SHOWN = 14


def chart(found: Sequence[Breakdown], overall: Breakdown) -> Chart | None:
    """The settings where runs learned nothing most often; None when all learned something."""
    rows = [one for one in found if one.share > overall.share][:SHOWN]
    if not rows:
        return None
    places = tuple(range(len(rows)))
    diverged = tuple(100 * one.diverged / one.runs for one in rows)
    stuck = tuple(100 * (one.at_chance - one.diverged) / one.runs for one in rows)
    panel = Panel(
        Axis("runs that learned nothing, % of those with this setting", low=0, high=112),
        Axis(names=tuple(one.setting for one in rows)),
        (
            Zone(0, 100 * overall.share),
            Bars("diverged", ("warm",) * len(rows), places, diverged),
            Bars(
                "ended at chance", ("seed",) * len(rows), places, stuck, starts=diverged,
                labels=tuple(f"{one.at_chance} of {one.runs}" for one in rows),
            ),
        ),
        height_of(len(rows)),
    )  # fmt: skip
    worst = rows[0]
    title = f"{worst.setting} learned nothing most often: {worst.at_chance} of {worst.runs} runs"
    note = (
        f"{overall.at_chance} of {overall.runs} measured runs ended at chance, {overall.diverged} "
        f"of them diverged: their loss stopped being finite. The dashed line is "
        f"{percent(overall.share, 0)} %, that of all runs. Above and below: the upper and the "
        "lower third of the runs that had the hyperparameter. Ordered by "
        "the lower bound of the 95 % interval, so that few runs do not come first by luck."
    )
    return Chart("divergence", title, note, (panel,), _table(found))


def _table(found: Sequence[Breakdown]) -> Table:
    return Table(
        ("setting", "runs", "diverged", "at chance", "at chance, %", "95 % interval (Wilson)"),
        tuple(
            (
                one.setting, str(one.runs), str(one.diverged), str(one.at_chance),
                percent(one.share), percents(one.interval),
            )
            for one in found
        ),
    )  # fmt: skip
