"""Charts for a page: what plotly.js is given, a figure for each panel.

Colours are `@names`, which the page turns into those of its theme (`report.js`); see `themed`.
"""

import html
from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any

from training_factors.study.analysis.uncertainty import Interval
from training_factors.study.reporting.chart import (
    Axis,
    Bars,
    Cells,
    Line,
    Panel,
    Points,
    Zone,
    shortened,
)

Plot = dict[str, Any]

_SHAPES = {"circle": "circle", "cross": "x-thin-open", "diamond": "diamond"}
FOLDED_NAME = 26
"""Characters of a line of a name that is folded."""

_MANY = 60
"""Points from which on each is small."""


def plotly_panel(panel: Panel) -> Plot:
    """Data and layout of one panel, without its title, which stands above it as text.

    folded: the names of the vertical axis in lines, for where there is little room.
    """
    data: list[Plot] = []
    shapes: list[Plot] = []
    notes: list[Plot] = []
    for mark in panel.marks:
        if isinstance(mark, Zone):
            shapes += _zone(mark)
        else:
            data += _traces(mark)
            notes += _labels(mark) if isinstance(mark, Bars) else []
    layout = {
        "height": panel.height + 24 * panel.has_legend,
        "margin": {"l": 8, "r": 12, "t": 30 if panel.has_legend else 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "@ink"},
        "hoverlabel": {"align": "left"},
        "showlegend": panel.has_legend,
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"},
        "barmode": "overlay",
        "bargap": 0.35,
        "shapes": shapes,
        "annotations": notes,
        "xaxis": _axis(panel.x, is_vertical=False, is_quiet=bool(panel.y.names)),
        "yaxis": _axis(panel.y, is_vertical=True, is_quiet=bool(panel.y.names)),
    }
    folded = [
        _tick(name, i in panel.y.quiet, is_folded=True) for i, name in enumerate(panel.y.names)
    ]
    return {"data": data, "layout": layout, "folded": folded}


def themed(value: Any, palette: Mapping[str, str]) -> Any:
    """The same figure in the colours of a palette."""
    if isinstance(value, Mapping):
        return {key: themed(item, palette) for key, item in value.items()}
    if isinstance(value, list):
        return [themed(item, palette) for item in value]
    if isinstance(value, str):
        for name, colour in palette.items():
            if value == f"@{name}":
                return colour
            value = value.replace(f"color:@{name}", f"color:{colour}")
    return value


def _axis(axis: Axis, *, is_vertical: bool, is_quiet: bool) -> Plot:
    made: Plot = {
        "title": {"text": escaped_html(axis.title), "standoff": 8, "font": {"size": 13}},
        "automargin": True,
        "gridcolor": "@grid",
        "linecolor": "@quiet",
        "zeroline": False,
        "fixedrange": True,
        "exponentformat": "power",
        "showgrid": not axis.names and not (is_vertical and is_quiet),
        "type": "log" if axis.is_log else "linear",
    }
    if axis.names:
        last = len(axis.names) - 0.4
        made |= {
            "tickvals": list(range(len(axis.names))),
            "ticktext": [_tick(name, i in axis.quiet) for i, name in enumerate(axis.names)],
            "range": [last, -0.6] if is_vertical else [-0.5, len(axis.names) - 0.5],
            "ticks": "",
        }
    elif axis.low is not None or axis.high is not None:
        made |= {"range": [axis.low, axis.high]}
    return made


def _tick(name: str, is_quiet: bool, *, is_folded: bool = False) -> str:
    """A name on an axis. is_folded: in two lines, broken at a space, a point or a dash."""
    shown = escaped_html(shortened(name))
    if is_folded and len(name) > FOLDED_NAME:
        cut = max(shortened(name).rfind(sign, 0, FOLDED_NAME) for sign in " ._-") + 1 or FOLDED_NAME
        shown = f"{escaped_html(name[:cut])}<br>{escaped_html(shortened(name[cut:], FOLDED_NAME))}"
    return f'<span style="color:@quiet">{shown}</span>' if is_quiet else shown


def escaped_html(text: str) -> str:
    """Text that plotly.js shows as it is: it reads some of HTML."""
    return html.escape(text, quote=False)


@singledispatch
def _traces(mark: object) -> list[Plot]:
    raise TypeError(f"cannot draw {mark!r}")


@_traces.register
def _(mark: Bars) -> list[Plot]:
    starts = list(mark.starts or (0.0,) * len(mark.lengths))
    ends = [start + length for start, length in zip(starts, mark.lengths, strict=True)]
    made = {
        "type": "bar", "orientation": "h", "name": escaped_html(mark.name), "x": list(mark.lengths),
        "y": list(mark.places), "base": starts, "width": 0.62,
        "marker": {"color": [f"@{color}" for color in mark.colors]},
        "hovertemplate": "%{customdata}<extra></extra>",
        "customdata": [
            escaped_html((mark.labels and mark.labels[i]) or f"{mark.name} {length:.3g}".strip())
            for i, length in enumerate(mark.lengths)
        ],
    }  # fmt: skip
    if mark.intervals:
        made["error_x"] = _reach(ends, mark.intervals)
    return [made]


@_traces.register
def _(mark: Points) -> list[Plot]:
    colors = [f"@{color}" for color in mark.colors]
    made = {
        "type": "scatter", "mode": "markers", "name": escaped_html(mark.name),
        "x": list(mark.x), "y": list(mark.y),
        "marker": {
            "color": colors if len(colors) > 1 else colors[0],
            "symbol": _SHAPES[mark.shape],
            "size": 5 if len(mark.x) > _MANY else 9,
            "line": {"width": 1.2, "color": colors if len(colors) > 1 else colors[0]},
        },
        "hovertemplate": "%{text}<extra></extra>" if mark.notes else "%{y}<extra></extra>",
        "text": [escaped_html(note) for note in mark.notes],
    }  # fmt: skip
    if mark.intervals:
        made["error_x"] = _reach(mark.x, mark.intervals)
    return [made]


@_traces.register
def _(mark: Line) -> list[Plot]:
    made: Plot = {
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
        return [made]
    lows, highs = zip(*mark.band, strict=True)
    area: Plot = {
        "type": "scatter", "mode": "lines", "x": [*mark.x, *reversed(mark.x)],
        "y": [*highs, *reversed(lows)], "fill": "toself", "fillcolor": f"@{mark.color}",
        "opacity": 0.2, "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False,
    }  # fmt: skip
    return [area, made]


@_traces.register
def _(mark: Cells) -> list[Plot]:
    made: Plot = {
        "type": "heatmap",
        "z": [[count**0.5 for count in row] for row in mark.rows],
        "text": [[f"{count:g}" if count else "" for count in row] for row in mark.rows],
        "texttemplate": "%{text}",
        "colorscale": [[0, "@paper"], [1, "@leading"]],
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
        "hovertemplate": "%{y} as %{x}: %{text}<extra></extra>",
    }
    return [made]


def _labels(mark: Bars) -> list[Plot]:
    """A note behind each bar and its interval."""
    starts = mark.starts or (0.0,) * len(mark.lengths)
    ends = [start + length for start, length in zip(starts, mark.lengths, strict=True)]
    ends = [high for _, high in mark.intervals] or ends
    beside = {"showarrow": False, "xanchor": "left", "xshift": 6, "font": {"size": 12}}
    return [
        {"x": end, "y": place, "text": escaped_html(label), **beside}
        for end, place, label in zip(ends, mark.places, mark.labels, strict=False)
        if label
    ]


def _zone(mark: Zone) -> list[Plot]:
    common = {"yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    line = {"color": "@quiet", "width": 1, "dash": "dash"}
    found: list[Plot] = [{**common, "type": "line", "x0": mark.high, "x1": mark.high, "line": line}]
    if mark.high > mark.low:
        area = {"type": "rect", "x0": mark.low, "x1": mark.high, "fillcolor": "@pale"}
        found.append({**common, **area, "opacity": 0.3, "line": {"width": 0}})
    return found


def _reach(centres: Sequence[float], intervals: Sequence[Interval]) -> Plot:
    pairs = list(zip(centres, intervals, strict=True))
    return {
        "type": "data", "symmetric": False, "color": "@ink", "thickness": 1.3, "width": 4,
        "array": [max(0.0, high - centre) for centre, (_, high) in pairs],
        "arrayminus": [max(0.0, centre - low) for centre, (low, _) in pairs],
    }  # fmt: skip
