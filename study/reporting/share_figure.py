"""Every factor's share with its interval, as plotly.js draws it."""

import html
from typing import Any

from study.analysis.answer import Answer, Factor

_MATTERS, _NOISE, _INK = "#0072b2", "#b4b4b4", "#1a1a1a"


def figure_of(answer: Answer) -> dict[str, Any]:
    """Data and layout: a bar for every factor and the placebo, the largest on top."""
    rows = (*answer.factors, answer.placebo)
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [100 * row.share for row in rows],
        "y": list(range(len(rows))),
        "marker": {"color": [_MATTERS if row.matters else _NOISE for row in rows]},
        "error_x": _reach(rows),
        "text": [html.escape(row.name, quote=False) for row in rows],
        "textposition": "none",
        "hovertemplate": "%{text} %{x:.1f} %<extra></extra>",
    }
    layout = {
        "title": {"text": _title(answer), "font": {"size": 14}},
        "font": {"color": _INK, "size": 12},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "margin": {"l": 8, "r": 16, "t": 56, "b": 8},
        "xaxis": {
            "title": {"text": "share of the explained variance, % (95 % interval)"},
            "automargin": True, "rangemode": "tozero", "gridcolor": "#e4e4e4",
        },
        "yaxis": {
            "tickvals": list(range(len(rows))),
            "ticktext": [html.escape(row.name, quote=False) for row in rows],
            "autorange": "reversed", "automargin": True,
        },
        "template": {},
    }  # fmt: skip
    return {"data": [bars], "layout": layout}


def _reach(rows: tuple[Factor, ...]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "color": _INK,
        "thickness": 1.3,
        "array": [100 * max(0.0, row.interval[1] - row.share) for row in rows],
        "arrayminus": [100 * max(0.0, row.share - row.interval[0]) for row in rows],
    }


def _title(answer: Answer) -> str:
    """The verdict, in lines that the card has room for."""
    sentence = html.escape(answer.verdict.sentence, quote=False)
    return sentence.replace(" (", "<br>(", 1)
