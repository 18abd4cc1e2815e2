"""Marks as matplotlib draws them."""

from collections.abc import Sequence
from functools import singledispatch

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from study.reporting.chart import LIGHT, Bars, Cells, Line, Points, Zone

_SHAPES = {"circle": "o", "cross": "x", "diamond": "D"}
_MANY = 60
"""Points from which on each is small."""


@singledispatch
def ink(mark: object, axes: Axes) -> None:
    """Draw a mark on axes."""
    raise TypeError(f"cannot draw {mark!r}")


@ink.register
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


@ink.register
def _(mark: Points, axes: Axes) -> None:
    colors = [LIGHT[color] for color in mark.colors]
    if mark.intervals:
        _reach(axes, mark.x, mark.y, mark.intervals, LIGHT["ink"])
    axes.scatter(
        mark.x, mark.y, c=colors if len(colors) > 1 else colors * len(mark.x), zorder=4,
        marker=_SHAPES[mark.shape], s=14 if len(mark.x) > _MANY else 36, label=mark.name or None,
        linewidths=1.0,
    )  # fmt: skip


@ink.register
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


@ink.register
def _(mark: Zone, axes: Axes) -> None:
    if mark.high > mark.low:
        axes.axvspan(mark.low, mark.high, color=LIGHT["pale"], alpha=0.3, lw=0, zorder=0)
    axes.axvline(mark.high, color=LIGHT["quiet"], lw=1, ls=(0, (4, 3)), zorder=1)


@ink.register
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
