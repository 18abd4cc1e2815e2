"""The description of a chart: its numbers and words, independent of any plotting library.

A chart is made of panels, a panel of marks over two axes. `matplotlib_charts` draws a chart to a
file, `plotly_charts` in a web page.
"""

from collections.abc import Sequence
from typing import NamedTuple

from training_factors.study.analysis.intervals import Interval
from training_factors.study.reporting.formatting import Unit, percent

LIGHT = {
    "background": "#ffffff", "text": "#1a1a1a", "muted": "#5f5f5f", "faint": "#b4b4b4",
    "grid": "#e4e4e4", "primary": "#0072b2", "secondary": "#7fb3d3", "accent": "#e69f00",
    "warning": "#d55e00", "good": "#009e73",
}  # fmt: skip
"""Colours on a white background, by their names.

The palette of Okabe and Ito (2008), which people with colour blindness can tell apart and whose
colours also differ in brightness.
"""

DARK = {
    "background": "#16191d", "text": "#ededed", "muted": "#a8a8a8", "faint": "#6a6f76",
    "grid": "#2f343a", "primary": "#56b4e9", "secondary": "#2f6f9a", "accent": "#e69f00",
    "warning": "#ff8548", "good": "#2fbf93",
}  # fmt: skip
"""The same colours for a dark background."""

MAX_NAME_LENGTH = 44
"""Maximum number of characters of a name on an axis; longer names are cut there, not in tables."""

ROW_HEIGHT = 27
"""Height of one name on a vertical axis, in hundredths of an inch in files, in pixels in a page."""


class Axis(NamedTuple):
    """One axis of a panel.

    title: the quantity and its unit. names: labels of the positions 0, 1, …, from the top or from
    the left; empty for a numeric axis. gray: the positions whose names are drawn in grey. low,
    high: the limits; None lets the marks decide. is_whole: whether the quantity is counted, as
    epochs are, so that ticks stand at whole numbers only.
    """

    title: str = ""
    names: tuple[str, ...] = ()
    gray: frozenset[int] = frozenset()
    low: float | None = None
    high: float | None = None
    is_log: bool = False
    is_whole: bool = False


class Bars(NamedTuple):
    """Horizontal bars.

    name: the legend entry; no entry if empty. colors: of each bar. places: positions on the
    vertical axis. starts: where the bars begin; 0 if empty. intervals: error bars around the ends.
    labels: text behind each bar; the part after ` · ` is left out where space is short. is_hollow:
    only the outline is drawn.
    """

    name: str
    colors: tuple[str, ...]
    places: tuple[float, ...]
    lengths: tuple[float, ...]
    starts: tuple[float, ...] = ()
    intervals: tuple[Interval, ...] = ()
    labels: tuple[str, ...] = ()
    is_hollow: bool = False


class Scatter(NamedTuple):
    """Points, with horizontal error bars where there are intervals.

    name: the legend entry; no entry if empty. colors: of each point, or one colour for all.
    shape: `circle`, `cross` or `diamond`. notes: text that a page shows while a point is hovered.
    """

    name: str
    colors: tuple[str, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    intervals: tuple[Interval, ...] = ()
    shape: str = "circle"
    notes: tuple[str, ...] = ()


class Line(NamedTuple):
    """A line; None among its coordinates leaves a gap.

    name: the legend entry; no entry if empty. band: the vertical interval at each point, drawn as
    a shaded area. width: in points (1/72 inch) in files, in pixels in a page.
    """

    name: str
    color: str
    x: tuple[float | None, ...]
    y: tuple[float | None, ...]
    band: tuple[Interval, ...] = ()
    width: float = 2.0
    is_dashed: bool = False
    is_stepped: bool = False


class Span(NamedTuple):
    """A shaded range of the horizontal axis with a dashed line at its end; a line if low = high."""

    low: float
    high: float


class Heatmap(NamedTuple):
    """A grid of numbers: one row per name of the vertical axis, one column per horizontal name."""

    rows: tuple[tuple[float, ...], ...]


Mark = Bars | Scatter | Line | Span | Heatmap
"""Everything that can be drawn over the axes of a panel."""


class Panel(NamedTuple):
    """Marks over two axes.

    height: in hundredths of an inch in files, in pixels in a page. is_wide: whether the panel
    spans all columns of the chart. title: needed only in a chart of several panels.
    """

    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    height: int
    is_wide: bool = True
    title: str = ""

    @property
    def has_legend(self) -> bool:
        """Return whether more than one mark has a name."""
        return sum(bool(getattr(mark, "name", "")) for mark in self.marks) > 1


class Table(NamedTuple):
    """The numbers behind a chart, formatted as text."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Chart(NamedTuple):
    """A chart with the table of its numbers.

    name: base name of its files. title: the finding, as a sentence. note: how to read the chart.
    columns: number of panels side by side.
    """

    name: str
    title: str
    note: str
    panels: tuple[Panel, ...]
    table: Table
    columns: int = 1


def shorten_name(name: str, limit: int = MAX_NAME_LENGTH) -> str:
    """Return the name, cut with an ellipsis if it has more characters than the limit."""
    return name if len(name) <= limit else f"{name[: limit - 1]}…"


def panel_height(rows: int) -> int:
    """Return the height of a panel with this many names on its vertical axis."""
    return 90 + ROW_HEIGHT * rows


def join_curves(name: str, color: str, curves: Sequence[Sequence[tuple[float, float]]]) -> Line:
    """Return one line made of several curves, with gaps between them."""
    joined: list[tuple[float | None, float | None]] = []
    for curve in curves:
        joined += [(None, None), *curve] if joined else curve
    return Line(name, color, tuple(x for x, _ in joined), tuple(y for _, y in joined))


SHARE_TITLE = "share of all variance, % (Shapley effect, 95 % interval)"
"""Title of the axis of shares."""


def shares_panel(
    names: Sequence[str],
    shares: Sequence[float],
    shown: Sequence[float],
    intervals: Sequence[Interval],
    colors: Sequence[str],
    labels: Sequence[str],
    *,
    room: float = 1.2,
) -> Panel:
    """Return a panel that shows each share in percent, as far as it is shown and may reach.

    A solid bar ends at what is shown, a hollow one at the upper bound of the interval; a point with
    an error bar is the best estimate. room: the axis ends at this multiple of the largest upper
    bound, which leaves space for labels.
    """
    places = tuple(range(len(names)))
    ends = [100 * max(0.0, part) for part in shown]
    tops = [100 * high for _, high in intervals]
    solid = Bars("shown by the runs", tuple(colors), places, tuple(ends))
    hollow = Bars(
        "may reach", tuple(colors), places,
        tuple(max(0.0, top - end) for top, end in zip(tops, ends, strict=True)),
        starts=tuple(ends), labels=tuple(labels), is_hollow=True,
    )  # fmt: skip
    estimates = Scatter(
        "best estimate", ("text",), tuple(100 * share for share in shares), places,
        intervals=tuple((100 * low, 100 * high) for low, high in intervals),
        notes=tuple(
            f"{name}: {percent(share)} %" for name, share in zip(names, shares, strict=True)
        ),
    )  # fmt: skip
    axis = Axis(SHARE_TITLE, low=0, high=room * max([*tops, 1.0]))
    marks = (solid, hollow, estimates)
    return Panel(axis, Axis(names=tuple(names)), marks, panel_height(len(names)))


def forest_panel(
    title: str,
    names: Sequence[str],
    differences: Sequence[float],
    intervals: Sequence[Interval],
    colors: Sequence[str],
    unit: Unit,
) -> Panel:
    """Return a forest plot: a point and its interval for each difference, and a line at zero.

    differences, intervals: in hundredths of the objective; they are drawn in the unit.
    """
    scatter = Scatter(
        "", tuple(colors), tuple(map(unit.scaled, differences)), tuple(range(len(names))),
        intervals=tuple((unit.scaled(low), unit.scaled(high)) for low, high in intervals),
        notes=tuple(
            f"{name} {unit.signed(difference)}"
            for name, difference in zip(names, differences, strict=True)
        ),
    )  # fmt: skip
    axis = Axis(names=tuple(names))
    return Panel(Axis(title), axis, (Span(0, 0), scatter), panel_height(len(names)))


def with_gray_names(panel: Panel, places: Sequence[int]) -> Panel:
    """Return the panel with the names at these positions of the vertical axis in grey."""
    return panel._replace(y=panel.y._replace(gray=frozenset(places)))
