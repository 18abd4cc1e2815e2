"""Charts as pictures in files: PNG and SVG, the same bytes every time."""

import io
import textwrap
from collections.abc import Callable, Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import NullFormatter

from training_factors.storage.files import REPORT, write_atomically
from training_factors.study.reporting.chart import (
    LIGHT,
    LONGEST,
    Axis,
    Bars,
    Cells,
    Chart,
    Line,
    Panel,
    Points,
    Zone,
    shortened,
)
from training_factors.study.reporting.formatting import slug

_SHAPES = {"circle": "o", "cross": "x", "diamond": "D"}
_MANY = 60
"""Points from which on each is small."""


@singledispatch
def draw_mark(mark: object, axes: Axes) -> None:
    """Draw a mark on axes."""
    raise TypeError(f"cannot draw {mark!r}")


@draw_mark.register
def _(mark: Bars, axes: Axes) -> None:
    starts = mark.starts or (0.0,) * len(mark.lengths)
    axes.barh(
        mark.places, mark.lengths, left=starts, height=0.62, zorder=2, label=mark.name or None,
        color=[LIGHT[color] for color in mark.colors],
    )  # fmt: skip
    ends = [start + length for start, length in zip(starts, mark.lengths, strict=True)]
    if mark.intervals:
        _reach(axes, ends, mark.places, mark.intervals, LIGHT["ink"])
        ends = [high for _, high in mark.intervals]
    for end, place, label in zip(ends, mark.places, mark.labels, strict=False):
        axes.annotate(
            label, (end, place), (6, 0), textcoords="offset points", va="center", fontsize=9
        )


@draw_mark.register
def _(mark: Points, axes: Axes) -> None:
    colors = [LIGHT[color] for color in mark.colors]
    if mark.intervals:
        _reach(axes, mark.x, mark.y, mark.intervals, LIGHT["ink"])
    axes.scatter(
        mark.x, mark.y, c=colors if len(colors) > 1 else colors * len(mark.x), zorder=4,
        marker=_SHAPES[mark.shape], s=14 if len(mark.x) > _MANY else 36, label=mark.name or None,
        linewidths=1.0,
    )  # fmt: skip


@draw_mark.register
def _(mark: Line, axes: Axes) -> None:
    x, y = (
        [np.nan if number is None else number for number in numbers] for numbers in (mark.x, mark.y)
    )
    axes.plot(
        x, y, color=LIGHT[mark.color], lw=mark.width, ls="--" if mark.is_dashed else "-",
        drawstyle="steps-post" if mark.is_stepped else "default", label=mark.name or None, zorder=3,
    )  # fmt: skip
    if mark.band:
        low, high = np.array(mark.band).T
        axes.fill_between(x, low, high, color=LIGHT[mark.color], alpha=0.2, lw=0, zorder=2)


@draw_mark.register
def _(mark: Zone, axes: Axes) -> None:
    if mark.high > mark.low:
        axes.axvspan(mark.low, mark.high, color=LIGHT["pale"], alpha=0.3, lw=0, zorder=0)
    axes.axvline(mark.high, color=LIGHT["quiet"], lw=1, ls=(0, (4, 3)), zorder=1)


@draw_mark.register
def _(mark: Cells, axes: Axes) -> None:
    colours = LinearSegmentedColormap.from_list("counts", [LIGHT["paper"], LIGHT["leading"]])
    highest = max(max(row) for row in mark.rows)
    # Roots, so that the few that are confused are seen beside the many that are not.
    axes.imshow(np.sqrt(mark.rows), cmap=colours, vmin=0, vmax=highest**0.5, aspect="auto")
    for y, row in enumerate(mark.rows):
        for x, count in enumerate(row):
            if count:
                color = LIGHT["paper" if count > 0.25 * highest else "ink"]
                axes.text(x, y, f"{count:g}", ha="center", va="center", fontsize=8, color=color)


def _reach(
    axes: Axes,
    centres: Sequence[float],
    places: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    color: str,
) -> None:
    below = [max(0.0, centre - low) for centre, (low, _) in zip(centres, intervals, strict=True)]
    above = [max(0.0, high - centre) for centre, (_, high) in zip(centres, intervals, strict=True)]
    axes.errorbar(
        centres, places, xerr=[below, above], fmt="none", ecolor=color, elinewidth=1.1,
        capsize=2.5, capthick=1.1, zorder=3,
    )  # fmt: skip


WIDTH = 8.0
"""Inches."""

STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
    "font.size": 10,
    "text.color": LIGHT["ink"],
    "text.parse_math": False,  # names of users are no formulas
    "axes.labelcolor": LIGHT["ink"],
    "axes.edgecolor": LIGHT["quiet"],
    "xtick.color": LIGHT["ink"],
    "ytick.color": LIGHT["ink"],
    "svg.fonttype": "path",
    "svg.hashsalt": "training factors",
}

_METADATA: Any = {
    ".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None},
}  # fmt: skip
"""Without the day and the program, which would differ."""


def draw_chart(chart: Chart, make: Callable[..., Figure] = Figure) -> Figure:
    """The chart on white paper, its title above, its panels in rows. make: an empty figure."""
    grid = _grid(chart)
    heights = [max(chart.panels[i].height for i in dict.fromkeys(row)) / 100 for row in grid]
    title = textwrap.wrap(chart.title, 68)
    note = textwrap.wrap(chart.note.replace(" %", "\u00a0%"), 116)  # never a line that begins so
    head = 0.2 + 0.26 * len(title) + 0.17 * len(note)
    height = sum(heights) + head
    with matplotlib.rc_context(STYLE):
        below = ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - head / height))
        figure = make(figsize=(WIDTH, height), layout=below, facecolor="white")
        _write_head(figure, "\n".join(title), 1 - 0.1 / height, fontsize=13, weight="bold")
        under = 1 - (0.1 + 0.26 * len(title)) / height
        _write_head(figure, "\n".join(note), under, fontsize=8.5, color=LIGHT["quiet"])
        axes = figure.subplot_mosaic(
            [[str(i) for i in row] for row in grid], height_ratios=heights, empty_sentinel="-1"
        )
        for i, panel in enumerate(chart.panels):
            _draw_panel(axes[str(i)], panel)
    return figure


def save_chart(chart: Chart, folder: Path) -> list[Path]:
    """Write the chart under its name as PNG and SVG; the files."""
    return write_chart(chart, [folder / f"{slug(chart.name)}{end}" for end in (".png", ".svg")])


def save_charts(charts: Sequence[Chart], folder: Path, jobs: int) -> list[Path]:
    """Write charts as `save` does, in several processes; the files."""
    try:
        saved = Parallel(n_jobs=jobs)(delayed(save_chart)(chart, folder) for chart in charts)
    finally:
        get_reusable_executor().shutdown(wait=True)  # else they wait five minutes for more to do
    return [file for files in saved for file in files]


def write_chart(chart: Chart, files: Sequence[Path]) -> list[Path]:
    """Write the chart in the formats that the files' names end in: .png, .svg or .pdf; the files.

    Raises ValueError for another one.
    """
    for file in files:
        if file.suffix not in _METADATA:
            known = ", ".join(_METADATA)
            raise ValueError(f"{file.name!r} is no picture's name; end it in {known}")
    figure = draw_chart(chart)
    for file in files:
        write_atomically(file, encode_figure(figure, file.suffix), REPORT)
    return list(files)


def encode_figure(figure: Figure, ending: str) -> bytes:
    """The figure in a format, named as files of it end."""
    content = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(content, format=ending[1:], dpi=160, metadata=_METADATA[ending])
    return content.getvalue()


def _write_head(figure: Figure, text: str, top: float, **style: Any) -> None:
    figure.text(0.015, top, text, va="top", linespacing=1.25, **style)


def _grid(chart: Chart) -> list[list[int]]:
    """The panels' numbers, a row of the picture each; a wide panel fills its row, -1 is empty."""
    rows: list[list[int]] = []
    for i, panel in enumerate(chart.panels):
        if panel.is_wide or chart.columns == 1:
            rows.append([i] * chart.columns)
        elif rows and -1 in rows[-1]:
            rows[-1][rows[-1].index(-1)] = i
        else:
            rows.append([i] + [-1] * (chart.columns - 1))
    return rows


def _draw_panel(axes: Axes, panel: Panel) -> None:
    for mark in panel.marks:
        draw_mark(mark, axes)
    _set_axes(axes, panel)
    if panel.title:
        axes.set_title(panel.title, loc="left", fontsize=9.5, pad=5)
    if panel.has_legend:
        axes.legend(
            ncols=4, loc="lower left", bbox_to_anchor=(0, 1.0), frameon=False, fontsize=8.5,
            handlelength=1.2, handleheight=1, borderaxespad=0.2, columnspacing=1.4,
        )  # fmt: skip
    has_cells = any(isinstance(mark, Cells) for mark in panel.marks)
    for side in ("top", "right", "left") if panel.y.names else ("top", "right"):
        axes.spines[side].set_visible(False)
    if not has_cells:
        axes.grid(axis="x" if panel.y.names else "both", color=LIGHT["grid"], lw=0.7)
        axes.set_axisbelow(True)


def _set_axes(axes: Axes, panel: Panel) -> None:
    if panel.x.is_log:
        axes.set_xscale("log")
        # Its own labels are formulas, which are not read here.
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel=panel.x.title, ylabel=panel.y.title)
    if panel.x.low is not None or panel.x.high is not None:
        axes.set_xlim(panel.x.low, panel.x.high)
    if panel.y.low is not None or panel.y.high is not None:
        axes.set_ylim(panel.y.low, panel.y.high)
    if panel.y.names:
        _name(axes.set_yticks, axes.get_yticklabels, panel.y, LONGEST)
        axes.set_ylim(len(panel.y.names) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
    if panel.x.names:
        _name(axes.set_xticks, axes.get_xticklabels, panel.x, LONGEST // 2)
        axes.set_xlim(-0.5, len(panel.x.names) - 0.5)
        if max(map(len, panel.x.names)) > 4:
            axes.tick_params(axis="x", rotation=90)


def _name(
    set_ticks: Callable[..., Any], get_labels: Callable[[], Any], axis: Axis, longest: int
) -> None:
    set_ticks(np.arange(len(axis.names)), [shortened(name, longest) for name in axis.names])
    for place, label in enumerate(get_labels()):
        label.set_color(LIGHT["quiet" if place in axis.quiet else "ink"])


def show_in_window(chart: Chart) -> None:
    """The chart in a window, until it is closed. Raises ValueError where there is no display."""
    with matplotlib.rc_context(STYLE):
        draw_chart(chart, pyplot.figure)
        if matplotlib.get_backend().lower() == "agg":  # what is left without a display
            raise ValueError("no window can be opened here; write a file with --output FILE.png")
        pyplot.show()
