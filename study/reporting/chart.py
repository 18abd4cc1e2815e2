"""A chart before it is drawn: its numbers and words, apart from any library that draws.

`training_factors.study.reporting.matplotlib_charts` draws it for a file, `training_factors.study.reporting.plotly_charts` for a page.
"""

from collections.abc import Sequence
from typing import NamedTuple

from training_factors.study.analysis.uncertainty import Interval
from training_factors.study.reporting.formatting import points

Number = float | None
"""None: a gap, or nothing given."""

LIGHT = {
    "paper": "#ffffff", "ink": "#1a1a1a", "quiet": "#5f5f5f", "pale": "#b4b4b4", "grid": "#e4e4e4",
    "leading": "#0072b2", "other": "#7fb3d3", "seed": "#e69f00", "warm": "#d55e00",
    "good": "#009e73",
}  # fmt: skip
DARK = {
    "paper": "#16191d", "ink": "#ededed", "quiet": "#a8a8a8", "pale": "#6a6f76", "grid": "#2f343a",
    "leading": "#56b4e9", "other": "#2f6f9a", "seed": "#e69f00", "warm": "#ff8548",
    "good": "#2fbf93",
}  # fmt: skip
"""Name of a colour -> what it is on white and on black paper. The colours of Okabe & Ito (2008),
which the colour-blind tell apart, and which differ in grey."""


class Axis(NamedTuple):
    """An axis. title: with the unit. names: of places 0, 1, …; the first stands on top, or left.

    quiet: those of these places whose names are grey. low, high: of the range; None as the marks
    need it.
    """

    title: str = ""
    names: tuple[str, ...] = ()
    quiet: frozenset[int] = frozenset()
    low: Number = None
    high: Number = None
    is_log: bool = False


class Bars(NamedTuple):
    """Horizontal bars, at places of the vertical axis. name: in the legend; none without.

    colors: of each. starts: where they begin, 0 where empty. intervals: around their ends.
    labels: text behind each; what follows ` · ` is left out where there is little room.
    """

    name: str
    colors: tuple[str, ...]
    places: tuple[float, ...]
    lengths: tuple[float, ...]
    starts: tuple[float, ...] = ()
    intervals: tuple[Interval, ...] = ()
    labels: tuple[str, ...] = ()


class Points(NamedTuple):
    """Points with or without horizontal intervals. colors: of each, or one for all.

    shape: `circle`, `cross` or `diamond`. notes: what else there is to say of each.
    """

    name: str
    colors: tuple[str, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    intervals: tuple[Interval, ...] = ()
    shape: str = "circle"
    notes: tuple[str, ...] = ()


class Line(NamedTuple):
    """A line, or several with gaps between them. band: vertical intervals along it."""

    name: str
    color: str
    x: tuple[Number, ...]
    y: tuple[Number, ...]
    band: tuple[Interval, ...] = ()
    width: float = 2.0
    is_dashed: bool = False
    is_stepped: bool = False


class Zone(NamedTuple):
    """A part of the horizontal axis, over the whole height; a line where low = high."""

    low: float
    high: float


class Cells(NamedTuple):
    """A number for every place of the vertical axis and every place of the horizontal one."""

    rows: tuple[tuple[float, ...], ...]


Mark = Bars | Points | Line | Zone | Cells


class Panel(NamedTuple):
    """Marks over two axes. height: in hundredths of an inch, or pixels. is_wide: over all columns.

    title: where a chart has several panels.
    """

    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    height: int
    is_wide: bool = True
    title: str = ""

    @property
    def has_legend(self) -> bool:
        """Whether several kinds of marks are named."""
        return sum(bool(getattr(mark, "name", "")) for mark in self.marks) > 1


class Table(NamedTuple):
    """The numbers behind a chart, as they are shown."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Chart(NamedTuple):
    """A chart. name: of its files. title: what it shows, in a sentence. note: how to read it."""

    name: str
    title: str
    note: str
    panels: tuple[Panel, ...]
    table: Table
    columns: int = 1


LONGEST = 44
"""Characters of a name on an axis; tables have all of it."""


def shortened(name: str, most: int = LONGEST) -> str:
    """The name, its end left out where it is too long for an axis."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


ROW = 27
"""Height of one name on a vertical axis."""


def height_of(rows: int) -> int:
    """Height of a panel with so many names on its vertical axis, and a title below."""
    return 90 + ROW * rows


def lines(name: str, color: str, curves: Sequence[Sequence[tuple[float, float]]]) -> Line:
    """Several curves as one line, with gaps between them."""
    points: list[tuple[Number, Number]] = []
    for curve in curves:
        points += [(None, None), *curve] if points else curve
    return Line(name, color, tuple(x for x, _ in points), tuple(y for _, y in points))


SHARE = "share of the explained variance, % (Shapley effect, 95 % interval)"


def shares_panel(
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


def forest_panel(
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


def with_gray_names(panel: Panel, places: Sequence[int]) -> Panel:
    """The panel with the names of these places in grey."""
    return panel._replace(y=panel.y._replace(quiet=frozenset(places)))
