"""Draw charts with matplotlib: to PNG, SVG and PDF files, or in a window.

The same chart always gives the same bytes, on every machine with the same matplotlib.
"""

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
from matplotlib.ticker import MaxNLocator, NullFormatter

from training_factors.storage.files import REPORT, write_atomically
from training_factors.study.analysis.intervals import Interval
from training_factors.study.reporting.chart import (
    LIGHT,
    MAX_NAME_LENGTH,
    Axis,
    Bars,
    Chart,
    Heatmap,
    Line,
    Panel,
    Scatter,
    Span,
    shorten_name,
)
from training_factors.study.reporting.formatting import slug

WIDTH = 8.0
"""Width of every figure, in inches."""

TITLE_CHARACTERS, NOTE_CHARACTERS = 68, 116
"""Characters that fit into one line of the title and of the note."""

TITLE_LINE, NOTE_LINE = 0.26, 0.17
"""Height of one line of the title and of the note, in inches."""

STYLE: Any = {  # matplotlib's stubs want a literal type for every key
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
    "font.size": 10,
    "text.color": LIGHT["text"],
    "text.parse_math": False,  # a `$` in a user's name does not start a formula
    "axes.labelcolor": LIGHT["text"],
    "axes.edgecolor": LIGHT["muted"],
    "xtick.color": LIGHT["text"],
    "ytick.color": LIGHT["text"],
    "svg.fonttype": "path",
    "svg.hashsalt": "training factors",
}
"""Matplotlib settings of every figure."""

_METADATA: Any = {
    ".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None},
}  # fmt: skip
"""File name ending -> metadata to leave out, because it would differ from one day to the next."""

_SHAPES = {"circle": "o", "cross": "x", "diamond": "D"}
"""Shape of a `Scatter` -> matplotlib's marker."""

_MANY_POINTS = 60
"""Number of points above which each point is drawn smaller."""


def draw_chart(chart: Chart, new_figure: Callable[..., Figure] = Figure) -> Figure:
    """Draw the chart on white: title and note on top, then the panels in rows.

    new_figure: makes the empty figure; `pyplot.figure` registers it for a window.
    """
    grid = _panel_grid(chart)
    heights = [max(chart.panels[i].height for i in dict.fromkeys(row)) / 100 for row in grid]
    title = textwrap.wrap(chart.title, TITLE_CHARACTERS)
    # No-break spaces, so that no line begins with a percent sign or ends with a sign of a number.
    unbroken = chart.note.replace(" %", "\u00a0%").replace("± ", "±\u00a0")
    note = textwrap.wrap(unbroken, NOTE_CHARACTERS)
    head = 0.2 + TITLE_LINE * len(title) + NOTE_LINE * len(note)
    height = sum(heights) + head
    with matplotlib.rc_context(STYLE):
        below_head = ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - head / height))
        figure = new_figure(figsize=(WIDTH, height), layout=below_head, facecolor="white")
        _add_text(figure, "\n".join(title), 1 - 0.1 / height, fontsize=13, weight="bold")
        note_top = 1 - (0.1 + TITLE_LINE * len(title)) / height
        _add_text(figure, "\n".join(note), note_top, fontsize=8.5, color=LIGHT["muted"])
        axes = figure.subplot_mosaic(
            [[str(i) for i in row] for row in grid], height_ratios=heights, empty_sentinel="-1"
        )
        for i, panel in enumerate(chart.panels):
            _draw_panel(axes[str(i)], panel)
    return figure


class NotebookFigure(Figure):
    """A figure that a notebook shows at its own size, without `%matplotlib inline`."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        width, height = (round(100 * inches) for inches in self.get_size_inches())
        return encode_figure(self, ".png"), {"width": width, "height": height}


def encode_figure(figure: Figure, ending: str) -> bytes:
    """Return the figure as the content of a file; ending: `.png`, `.svg` or `.pdf`."""
    content = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(content, format=ending[1:], dpi=160, metadata=_METADATA[ending])
    return content.getvalue()


def write_chart(chart: Chart, files: Sequence[Path]) -> list[Path]:
    """Write the chart to each file, in the format of its name's ending; return the files.

    Raises ValueError, before anything is written, if an ending is not .png, .svg or .pdf.
    """
    for file in files:
        if file.suffix not in _METADATA:
            endings = ", ".join(_METADATA)
            raise ValueError(f"cannot draw to {file.name!r}: the name must end in one of {endings}")
    figure = draw_chart(chart)
    for file in files:
        write_atomically(file, encode_figure(figure, file.suffix), REPORT)
    return list(files)


def save_chart(chart: Chart, folder: Path) -> list[Path]:
    """Write the chart to the folder as PNG and SVG, named after the chart; return the files."""
    return write_chart(chart, [folder / f"{slug(chart.name)}{end}" for end in (".png", ".svg")])


def save_charts(charts: Sequence[Chart], folder: Path, jobs: int) -> list[Path]:
    """Write the charts as `save_chart` does, in this many processes; return the files."""
    try:
        saved = Parallel(n_jobs=jobs)(delayed(save_chart)(chart, folder) for chart in charts)
    finally:
        # Otherwise the idle processes stay for five minutes.
        get_reusable_executor().shutdown(wait=True)
    return [file for files in saved for file in files]


def show_in_window(chart: Chart) -> None:
    """Show the chart in a window until it is closed. Raises ValueError without a display."""
    with matplotlib.rc_context(STYLE):
        draw_chart(chart, pyplot.figure)
        if matplotlib.get_backend().lower() == "agg":  # matplotlib's choice without a display
            raise ValueError(
                "cannot open a window on this machine; write a file with --output FILE.png"
            )
        pyplot.show()


def _add_text(figure: Figure, text: str, top: float, **style: Any) -> None:
    """Write text at the figure's left edge. style: of `matplotlib.text.Text`, hence `Any`."""
    figure.text(0.015, top, text, va="top", linespacing=1.25, **style)


def _panel_grid(chart: Chart) -> list[list[int]]:
    """Return the number of the panel in each cell; a wide panel fills its row, -1 is empty."""
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
        _draw_mark(mark, axes)
    _format_axes(axes, panel)
    if panel.title:
        axes.set_title(panel.title, loc="left", fontsize=9.5, pad=5)
    if panel.has_legend:
        axes.legend(
            ncols=4, loc="lower left", bbox_to_anchor=(0, 1.0), frameon=False, fontsize=8.5,
            handlelength=1.2, handleheight=1, borderaxespad=0.2, columnspacing=1.4,
        )  # fmt: skip
    for side in ("top", "right", "left") if panel.y.names else ("top", "right"):
        axes.spines[side].set_visible(False)
    if not any(isinstance(mark, Heatmap) for mark in panel.marks):
        axes.grid(axis="x" if panel.y.names else "both", color=LIGHT["grid"], lw=0.7)
        axes.set_axisbelow(True)


def _format_axes(axes: Axes, panel: Panel) -> None:
    """Set titles, limits, scales and names of both axes."""
    if panel.x.is_log:
        axes.set_xscale("log")
        # The default labels are formulas, which `text.parse_math` turns off.
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    elif panel.x.is_whole:
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    axes.set(xlabel=panel.x.title, ylabel=panel.y.title)
    if panel.x.low is not None or panel.x.high is not None:
        axes.set_xlim(panel.x.low, panel.x.high)
    if panel.y.low is not None or panel.y.high is not None:
        axes.set_ylim(panel.y.low, panel.y.high)
    if panel.y.names:
        _set_names(axes.set_yticks, axes.get_yticklabels, panel.y, MAX_NAME_LENGTH)
        axes.set_ylim(len(panel.y.names) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
    if panel.x.names:
        _set_names(axes.set_xticks, axes.get_xticklabels, panel.x, MAX_NAME_LENGTH // 2)
        axes.set_xlim(-0.5, len(panel.x.names) - 0.5)
        if max(map(len, panel.x.names)) > 4:
            axes.tick_params(axis="x", rotation=90)


def _set_names(
    set_ticks: Callable[..., Any], get_labels: Callable[[], Any], axis: Axis, limit: int
) -> None:
    """Label the positions of an axis. set_ticks, get_labels: matplotlib's methods for that axis."""
    set_ticks(np.arange(len(axis.names)), [shorten_name(name, limit) for name in axis.names])
    for place, label in enumerate(get_labels()):
        label.set_color(LIGHT["muted" if place in axis.gray else "text"])


@singledispatch
def _draw_mark(mark: object, axes: Axes) -> None:
    raise TypeError(f"cannot draw {mark!r}")


@_draw_mark.register
def _(mark: Bars, axes: Axes) -> None:
    starts = mark.starts or (0.0,) * len(mark.lengths)
    axes.barh(
        mark.places, mark.lengths, left=starts, height=0.62, zorder=2, label=mark.name or None,
        color="none" if mark.is_hollow else [LIGHT[color] for color in mark.colors],
        edgecolor=[LIGHT[color] for color in mark.colors], linewidth=0.9 if mark.is_hollow else 0,
    )  # fmt: skip
    ends = [start + length for start, length in zip(starts, mark.lengths, strict=True)]
    if mark.intervals:
        _draw_error_bars(axes, ends, mark.places, mark.intervals)
        ends = [max(end, high) for end, (_, high) in zip(ends, mark.intervals, strict=True)]
    ends = [max(pair) for pair in zip(starts, ends, strict=True)]  # of bars that go to the left
    for end, place, label in zip(ends, mark.places, mark.labels, strict=False):
        axes.annotate(
            label, (end, place), (6, 0), textcoords="offset points", va="center", fontsize=9
        )


@_draw_mark.register
def _(mark: Scatter, axes: Axes) -> None:
    colors = [LIGHT[color] for color in mark.colors]
    if mark.intervals:
        _draw_error_bars(axes, mark.x, mark.y, mark.intervals)
    axes.scatter(
        mark.x, mark.y, c=colors if len(colors) > 1 else colors * len(mark.x), zorder=4,
        marker=_SHAPES[mark.shape], s=14 if len(mark.x) > _MANY_POINTS else 36,
        label=mark.name or None, linewidths=1.0,
    )  # fmt: skip


@_draw_mark.register
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


@_draw_mark.register
def _(mark: Span, axes: Axes) -> None:
    if mark.high > mark.low:
        axes.axvspan(mark.low, mark.high, color=LIGHT["faint"], alpha=0.3, lw=0, zorder=0)
    axes.axvline(mark.high, color=LIGHT["muted"], lw=1, ls=(0, (4, 3)), zorder=1)


@_draw_mark.register
def _(mark: Heatmap, axes: Axes) -> None:
    colors = LinearSegmentedColormap.from_list("counts", [LIGHT["background"], LIGHT["primary"]])
    highest = max(max(row) for row in mark.rows)
    # The square root keeps small counts visible beside large ones.
    axes.imshow(np.sqrt(mark.rows), cmap=colors, vmin=0, vmax=highest**0.5, aspect="auto")
    for y, row in enumerate(mark.rows):
        for x, count in enumerate(row):
            if count:
                color = LIGHT["background" if count > 0.25 * highest else "text"]
                axes.text(x, y, f"{count:g}", ha="center", va="center", fontsize=8, color=color)


def _draw_error_bars(
    axes: Axes, centers: Sequence[float], places: Sequence[float], intervals: Sequence[Interval]
) -> None:
    below = [max(0.0, center - low) for center, (low, _) in zip(centers, intervals, strict=True)]
    above = [max(0.0, high - center) for center, (_, high) in zip(centers, intervals, strict=True)]
    axes.errorbar(
        centers, places, xerr=[below, above], fmt="none", ecolor=LIGHT["text"], elinewidth=1.1,
        capsize=2.5, capthick=1.1, zorder=3,
    )  # fmt: skip
