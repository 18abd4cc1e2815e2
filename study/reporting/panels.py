"""The two panels that most charts are: shares as bars, differences as a forest plot."""

from collections.abc import Sequence

from study.analysis.intervals import Interval
from study.reporting.chart import Axis, Bars, Panel, Points, Zone, height_of
from study.reporting.wording import points

SHARE = "share of the explained variance, % (Shapley effect, 95 % interval)"


def shares(
    names: Sequence[str],
    parts: Sequence[float],
    intervals: Sequence[Interval],
    colors: Sequence[str],
    labels: Sequence[str],
    *,
    title: str = SHARE,
    room: float = 1.2,
) -> Panel:
    """A bar for each share with its interval, in percent.

    room: how far the axis goes, in longest intervals, so that labels have room behind them.
    """
    bars = Bars(
        "", tuple(colors), tuple(range(len(names))), tuple(100 * part for part in parts),
        intervals=tuple((100 * low, 100 * high) for low, high in intervals), labels=tuple(labels),
    )  # fmt: skip
    highest = max([high for _, high in intervals] + [0.01])
    axis = Axis(title, low=0, high=100 * room * highest)
    return Panel(axis, Axis(names=tuple(names)), (bars,), height_of(len(names)))


def forest(
    title: str,
    names: Sequence[str],
    differences: Sequence[float],
    intervals: Sequence[Interval],
    colors: Sequence[str],
) -> Panel:
    """A point for each difference with its interval, beside a line where there is none."""
    marked = Points(
        "", tuple(colors), tuple(differences), tuple(range(len(names))),
        intervals=tuple(intervals),
        notes=tuple(f"{name} {points(one)}" for name, one in zip(names, differences, strict=True)),
    )  # fmt: skip
    axis = Axis(names=tuple(names))
    return Panel(Axis(title), axis, (Zone(0, 0), marked), height_of(len(names)))


def graying(panel: Panel, places: Sequence[int]) -> Panel:
    """The panel with the names of these places in grey."""
    return panel._replace(y=panel.y._replace(quiet=frozenset(places)))
