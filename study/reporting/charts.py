"""The importance chart: shares with their intervals, the noise floor, and what remains."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from storage.files import REPORT, write_atomically
from study.analysis.answer import Answer, Factor

INK = "#1a1a1a"
QUIET = "#6b6b6b"
PALE = "#c4c4c4"
LEADING = "#0072b2"
OTHER = "#7fb3d3"
SEED = "#e69f00"
POINTS = "\n± standard deviation of the objective that the factor causes, in hundredths (points)"
STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "path",
    "svg.hashsalt": "importance",
}
"""Colours of Okabe & Ito (2008), which the colour-blind tell apart, and which differ in grey."""


def draw(answer: Answer, subject: str = "") -> Figure:
    """Every factor's share with its 95 % interval, above what the variance consists of.

    Factors that cannot be told from noise are grey. subject:
    what was studied, such as the data's name; it stands in the title.
    """
    rows = [*answer.factors, answer.placebo]
    height = 2.7 + 0.27 * len(rows)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8, height), layout="constrained", facecolor="white")
        upper, lower = figure.subplots(2, 1, height_ratios=[0.27 * len(rows) + 0.9, 0.32])
        figure.suptitle(_title(answer, subject), x=0.02, ha="left", fontsize=14, weight="bold")
        upper.set_title(_evidence(answer), loc="left", fontsize=9, color=QUIET, pad=8)
        _draw_shares(upper, rows, answer)
        _draw_parts(lower, answer)
    return figure


def save(figure: Figure, path: Path) -> list[Path]:
    """Write the figure as PNG and SVG beside each other, the same bytes every time; the files."""
    files = [path.with_suffix(".png"), path.with_suffix(".svg")]
    with matplotlib.rc_context(STYLE):
        for file, metadata in zip(files, ({"Software": None}, {"Date": None}), strict=True):
            content = io.BytesIO()
            figure.savefig(content, format=file.suffix[1:], dpi=200, metadata=metadata)
            write_atomically(file, content.getvalue(), REPORT)
    return files


def _title(answer: Answer, subject: str) -> str:
    leaders = answer.verdict.leaders
    on = f" on {subject}" if subject else ""
    if answer.verdict.kind == "leader":
        return f"{leaders[0]} matters most{on}"
    if answer.verdict.kind == "tie":
        shown = leaders if len(leaders) <= 3 else (*leaders[:2], f"{len(leaders) - 2} others")
        return f"{', '.join(shown[:-1])} and {shown[-1]} matter most{on}"
    if answer.verdict.kind == "nothing":
        return f"Nothing matters{on or ' here'} that {answer.evidence.runs} runs can show"
    return f"{answer.evidence.runs} runs{on} do not settle what matters most"


def _evidence(answer: Answer) -> str:
    counts, quality = answer.evidence, answer.surrogate
    most = "" if quality.ceiling is None else f", at most {quality.ceiling:.2f} possible"
    return f"{counts.rows} configurations, {counts.runs} runs; R² {quality.r2:.2f}{most}"


def _draw_shares(axes: Axes, rows: Sequence[Factor], answer: Answer) -> None:
    places = np.arange(len(rows))
    highest = max(100 * max(factor.interval[1] for factor in rows), 1.0)
    for place, factor in zip(places, rows, strict=True):
        _draw_share(axes, float(place), factor, answer)
    floor = 100 * answer.floor
    axes.axvspan(0, floor, color=PALE, alpha=0.35, lw=0, zorder=0)
    axes.axvline(floor, color=QUIET, lw=1, ls=(0, (4, 3)), zorder=1)
    inside = floor > 0.45 * highest  # no room for the words behind it
    axes.annotate(
        "noise floor: what a parameter reaches that training never reads",
        (floor, len(rows) - 1), (-6 if inside else 6, 13 if inside else 0),
        textcoords="offset points", fontsize=8.5, color=QUIET, va="center",
        ha="right" if inside else "left",
    ).set_in_layout(False)  # fmt: skip
    axes.set(
        xlim=(0, 1.36 * highest), ylim=(len(rows) - 0.4, -0.6),
        xlabel="share of the explained variance, % (Shapley effect with 95 % interval)"
        + (POINTS if any(factor.matters for factor in rows) else ""),
    )  # fmt: skip
    axes.set_yticks(places, [factor.name for factor in rows])
    for label, factor in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_color(INK if factor.matters else QUIET)
        label.set_fontstyle("italic" if factor is answer.placebo else "normal")
    axes.tick_params(axis="y", length=0)
    _clear(axes)


def _draw_share(axes: Axes, place: float, factor: Factor, answer: Answer) -> None:
    above = factor.matters
    low, share, high = (
        100 * part for part in (factor.interval[0], factor.share, factor.interval[1])
    )
    axes.barh(place, share, height=0.62, color=_colour(factor, answer), zorder=2)
    axes.errorbar(
        share, place, xerr=[[max(0.0, share - low)], [max(0.0, high - share)]], fmt="none",
        ecolor=INK if above else QUIET, elinewidth=1.1, capsize=2.5, capthick=1.1, zorder=3,
    )  # fmt: skip
    if above:
        axes.annotate(
            f"{share:.0f} %  (± {factor.points:.1f} points)", (high, place), (7, 0),
            textcoords="offset points", va="center", fontsize=9,
        )  # fmt: skip


def _draw_parts(axes: Axes, answer: Answer) -> None:
    seed = [] if answer.seed_noise is None else [("seed noise", answer.seed_noise, SEED)]
    parts = [
        ("factors", answer.explained, OTHER),
        *seed,
        ("unexplained", answer.unexplained, PALE),
    ]
    start = 0.0
    for name, part, colour in parts:
        axes.barh(
            0, 100 * part, left=start, height=0.6, color=colour, label=f"{name} {100 * part:.0f} %"
        )
        start += 100 * part
    axes.set(
        xlim=(0, 100),
        ylim=(-0.3, 0.3),
        yticks=[],
        xlabel="what all variance among the runs consists of, %",
    )
    axes.legend(
        ncols=3, loc="lower left", bbox_to_anchor=(0, 1.15), frameon=False, fontsize=9,
        handlelength=1, handleheight=1, borderaxespad=0, columnspacing=1.6,
    )  # fmt: skip
    _clear(axes)


def _colour(factor: Factor, answer: Answer) -> str:
    if not factor.matters:
        return PALE
    return LEADING if factor.name in answer.verdict.leaders else OTHER


def _clear(axes: Axes) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
