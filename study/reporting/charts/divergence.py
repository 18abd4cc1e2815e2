"""Chart of the settings at which runs diverged or scored no better than chance."""

from collections.abc import Sequence

from training_factors.study.analysis.diagnostics import Breakdown
from training_factors.study.reporting.chart import (
    Axis,
    Bars,
    Chart,
    Panel,
    Span,
    Table,
    panel_height,
)
from training_factors.study.reporting.formatting import percent, percents, plural

MAX_SETTINGS = 14
"""Maximum number of settings that are drawn."""


def chart(breakdowns: Sequence[Breakdown], overall: Breakdown) -> Chart | None:
    """Return the settings with more runs at chance than average; None if there are none.

    breakdowns: of every setting, the worst first. overall: of all measured runs.
    """
    worst = [one for one in breakdowns if one.share > overall.share][:MAX_SETTINGS]
    if not worst:
        return None
    first = worst[0]
    title = (
        f"{first.setting} had the most runs no better than chance: {first.at_chance} of "
        f"{first.runs}"
    )
    note = (
        f"{overall.at_chance} of {plural(overall.runs, 'measured run')} scored no better than "
        "chance: they reached at most 5 % of the way from the chance level to a perfect value, or "
        "diverged. "
        f"{overall.diverged} of these diverged, that is, their loss stopped being finite. Dashed: "
        f"the average of all measured runs, {percent(overall.share, 0)} %. “above” and “below” "
        "mark the upper and lower third of the runs with that hyperparameter. Settings are ordered "
        "by the lower bound of the 95 % interval, so that a setting with few runs is not first by "
        "luck."
    )
    return Chart("divergence", title, note, (_panel(worst, overall),), _table(breakdowns))


def _panel(rows: Sequence[Breakdown], overall: Breakdown) -> Panel:
    places = tuple(range(len(rows)))
    diverged = tuple(100 * row.diverged / row.runs for row in rows)
    at_chance = tuple(100 * (row.at_chance - row.diverged) / row.runs for row in rows)
    return Panel(
        Axis("runs no better than chance, % of the runs with this setting", low=0, high=112),
        Axis(names=tuple(row.setting for row in rows)),
        (
            Span(0, 100 * overall.share),
            Bars("diverged", ("warning",) * len(rows), places, diverged),
            Bars(
                "trained, but no better than chance", ("accent",) * len(rows), places, at_chance,
                starts=diverged, labels=tuple(f"{row.at_chance} of {row.runs}" for row in rows),
            ),
        ),
        panel_height(len(rows)),
    )  # fmt: skip


def _table(breakdowns: Sequence[Breakdown]) -> Table:
    return Table(
        ("setting", "runs", "diverged", "at chance", "at chance, %", "95 % interval (Wilson)"),
        tuple(
            (
                one.setting, str(one.runs), str(one.diverged), str(one.at_chance),
                percent(one.share), percents(one.interval),
            )
            for one in breakdowns
        ),
    )  # fmt: skip
