"""Turn charts into figures for plotly.js, one figure per panel.

Colours are written as `@name`, because a page may be light or dark; the page's script replaces
them by the colours of its theme, `themed` does the same here.
"""

import html
from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any

from training_factors.study.analysis.intervals import Interval
from training_factors.study.reporting.chart import (
    Axis,
    Bars,
    Heatmap,
    Line,
    Panel,
    Scatter,
    Span,
    shorten_name,
)

Plot = dict[str, Any]
"""A part of a plotly.js figure, as JSON; its schema is plotly's, hence `Any`."""

FOLDED_LINE = 26
"""Maximum number of characters in a line of a folded name."""

_SHAPES = {"circle": "circle", "cross": "x-thin-open", "diamond": "diamond"}
"""Shape of a `Scatter` -> plotly's marker symbol."""

_MANY_POINTS = 60
"""Number of points above which each point is drawn smaller."""


def plotly_panel(panel: Panel) -> Plot:
    """Return the figure of one panel: its `data`, `layout` and `folded` names.

    The panel's title is not part of it; the page shows it as text. folded: the names of the
    vertical axis broken into lines, for narrow screens.
    """
    data: list[Plot] = []
    shapes: list[Plot] = []
    annotations: list[Plot] = []
    for mark in panel.marks:
        if isinstance(mark, Span):
            shapes += _span_shapes(mark)
        else:
            data += _traces(mark)
            annotations += _bar_labels(mark) if isinstance(mark, Bars) else []
    layout = {
        "height": panel.height + 24 * panel.has_legend,
        "margin": {"l": 8, "r": 12, "t": 30 if panel.has_legend else 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "@text"},
        "hoverlabel": {"align": "left"},
        "showlegend": panel.has_legend,
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"},
        "barmode": "overlay",
        "bargap": 0.35,
        "shapes": shapes,
        "annotations": annotations,
        "xaxis": _axis(panel.x, is_vertical=False),
        "yaxis": _axis(panel.y, is_vertical=True),
    }
    folded = [
        _tick_text(_fold_name(name), is_gray=i in panel.y.gray)
        for i, name in enumerate(panel.y.names)
    ]
    return {"data": data, "layout": layout, "folded": folded}


def themed(value: Any, palette: Mapping[str, str]) -> Any:
    """Return a figure, or any part of it, with the palette's colours in place of `@name`."""
    if isinstance(value, Mapping):
        return {key: themed(item, palette) for key, item in value.items()}
    if isinstance(value, list):
        return [themed(item, palette) for item in value]
    if isinstance(value, str):
        for name, color in palette.items():
            if value == f"@{name}":
                return color
            value = value.replace(f"color:@{name}", f"color:{color}")
    return value


def escaped_html(text: str) -> str:
    """Escape text for plotly.js, which interprets some HTML tags."""
    return html.escape(text, quote=False)


def _axis(axis: Axis, *, is_vertical: bool) -> Plot:
    settings: Plot = {
        "title": {"text": escaped_html(axis.title), "standoff": 8, "font": {"size": 13}},
        "automargin": True,
        "gridcolor": "@grid",
        "linecolor": "@muted",
        "zeroline": False,
        "fixedrange": True,
        "exponentformat": "power",
        "showgrid": not axis.names,
        "type": "log" if axis.is_log else "linear",
    }
    if axis.names:
        last = len(axis.names) - 0.4
        settings |= {
            "tickvals": list(range(len(axis.names))),
            "ticktext": [
                _tick_text(escaped_html(shorten_name(name)), is_gray=i in axis.gray)
                for i, name in enumerate(axis.names)
            ],
            "range": [last, -0.6] if is_vertical else [-0.5, len(axis.names) - 0.5],
            "ticks": "",
        }
    elif axis.low is not None or axis.high is not None:
        settings |= {"range": [axis.low, axis.high]}
    return settings


def _tick_text(text: str, *, is_gray: bool) -> str:
    """Return escaped text for an axis, in grey if asked."""
    return f'<span style="color:@muted">{text}</span>' if is_gray else text


def _fold_name(name: str) -> str:
    """Return the escaped name, broken into two lines at a space, point or dash if it is long."""
    shown = shorten_name(name)
    if len(name) <= FOLDED_LINE:
        return escaped_html(shown)
    cut = max(shown.rfind(sign, 0, FOLDED_LINE) for sign in " ._-") + 1 or FOLDED_LINE
    return f"{escaped_html(name[:cut])}<br>{escaped_html(shorten_name(name[cut:], FOLDED_LINE))}"


@singledispatch
def _traces(mark: object) -> list[Plot]:
    raise TypeError(f"cannot draw {mark!r}")


@_traces.register
def _(mark: Bars) -> list[Plot]:
    trace = {
        "type": "bar", "orientation": "h", "name": escaped_html(mark.name),
        "showlegend": bool(mark.name), "x": list(mark.lengths), "y": list(mark.places),
        "base": list(mark.starts or (0.0,) * len(mark.lengths)), "width": 0.62,
        "marker": _bar_style(mark),
        "hovertemplate": "%{customdata}<extra></extra>",
        "customdata": [
            escaped_html((mark.labels and mark.labels[i]) or f"{mark.name} {length:.3g}".strip())
            for i, length in enumerate(mark.lengths)
        ],
    }  # fmt: skip
    if mark.intervals:
        trace["error_x"] = _error_bars(_bar_ends(mark), mark.intervals)
    return [trace]


@_traces.register
def _(mark: Scatter) -> list[Plot]:
    colors = [f"@{color}" for color in mark.colors]
    trace = {
        "type": "scatter", "mode": "markers", "name": escaped_html(mark.name),
        "x": list(mark.x), "y": list(mark.y),
        "marker": {
            "color": colors if len(colors) > 1 else colors[0],
            "symbol": _SHAPES[mark.shape],
            "size": 5 if len(mark.x) > _MANY_POINTS else 9,
            "line": {"width": 1.2, "color": colors if len(colors) > 1 else colors[0]},
        },
        "hovertemplate": "%{text}<extra></extra>" if mark.notes else "%{y}<extra></extra>",
        "text": [escaped_html(note) for note in mark.notes],
    }  # fmt: skip
    if mark.intervals:
        trace["error_x"] = _error_bars(mark.x, mark.intervals)
    return [trace]


@_traces.register
def _(mark: Line) -> list[Plot]:
    line: Plot = {
        "type": "scatter", "mode": "lines", "name": escaped_html(mark.name),
        "x": list(mark.x), "y": list(mark.y),
        "line": {
            "color": f"@{mark.color}", "width": mark.width,
            "dash": "dash" if mark.is_dashed else "solid",
            "shape": "hv" if mark.is_stepped else "linear",
        },
        "hovertemplate": "%{x:.4~g}: %{y:.4~g}<extra></extra>",
    }  # fmt: skip
    if not mark.band:
        return [line]
    lows, highs = zip(*mark.band, strict=True)
    area: Plot = {
        "type": "scatter", "mode": "lines", "x": [*mark.x, *reversed(mark.x)],
        "y": [*highs, *reversed(lows)], "fill": "toself", "fillcolor": f"@{mark.color}",
        "opacity": 0.2, "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False,
    }  # fmt: skip
    return [area, line]


@_traces.register
def _(mark: Heatmap) -> list[Plot]:
    trace: Plot = {
        "type": "heatmap",
        # The square root keeps small counts visible beside large ones.
        "z": [[count**0.5 for count in row] for row in mark.rows],
        "text": [[f"{count:g}" if count else "" for count in row] for row in mark.rows],
        "texttemplate": "%{text}",
        "colorscale": [[0, "@background"], [1, "@primary"]],
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
        "hovertemplate": "%{y} as %{x}: %{text}<extra></extra>",
    }
    return [trace]


def _bar_style(mark: Bars) -> Plot:
    colors = [f"@{color}" for color in mark.colors]
    if mark.is_hollow:
        return {"color": "rgba(0,0,0,0)", "line": {"color": colors, "width": 1}}
    return {"color": colors}


def _bar_ends(mark: Bars) -> list[float]:
    starts = mark.starts or (0.0,) * len(mark.lengths)
    return [start + length for start, length in zip(starts, mark.lengths, strict=True)]


def _bar_labels(mark: Bars) -> list[Plot]:
    """Return an annotation behind each bar and its error bar, where there is a label."""
    ends = [high for _, high in mark.intervals] or _bar_ends(mark)
    beside = {"showarrow": False, "xanchor": "left", "xshift": 6, "font": {"size": 12}}
    return [
        {"x": end, "y": place, "text": escaped_html(label), **beside}
        for end, place, label in zip(ends, mark.places, mark.labels, strict=False)
        if label
    ]


def _span_shapes(mark: Span) -> list[Plot]:
    """Return the dashed line, and the shaded area unless its width is zero."""
    common = {"yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    line = {"color": "@muted", "width": 1, "dash": "dash"}
    shapes: list[Plot] = [
        {**common, "type": "line", "x0": mark.high, "x1": mark.high, "line": line}
    ]
    if mark.high > mark.low:
        area = {"type": "rect", "x0": mark.low, "x1": mark.high, "fillcolor": "@faint"}
        shapes.append({**common, **area, "opacity": 0.3, "line": {"width": 0}})
    return shapes


def _error_bars(centers: Sequence[float], intervals: Sequence[Interval]) -> Plot:
    pairs = list(zip(centers, intervals, strict=True))
    return {
        "type": "data", "symmetric": False, "color": "@text", "thickness": 1.3, "width": 4,
        "array": [max(0.0, high - center) for center, (_, high) in pairs],
        "arrayminus": [max(0.0, center - low) for center, (low, _) in pairs],
    }  # fmt: skip
