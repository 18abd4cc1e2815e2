"""How runs learned: the best, the usual, the pruned and the diverged."""

from collections.abc import Sequence

import numpy as np

from training_factors.storage.trials import Trial
from training_factors.study.analysis.measurements import has_diverged
from training_factors.study.reporting.chart import Axis, Chart, Line, Panel, Table, lines
from training_factors.study.reporting.status import best_trial

SHOWN = 30
"""Curves of a kind that are drawn, evenly from the worst to the best."""

Curve = list[tuple[float, float]]


def chart(trials: Sequence[Trial], objective: str) -> Chart | None:
    """Validation objective by epoch; None before any run has a curve of two points."""
    kept = [trial for trial in trials if len(trial.curve) > 1]
    best = best_trial(kept)
    if best is None:
        return None
    measured = [t for t in kept if t.phase == "measure" and t.complete and not has_diverged(t)]
    pruned = [trial for trial in kept if trial.state == "PRUNED"]
    diverged = [trial for trial in kept if has_diverged(trial)]
    marks = [
        *_many("measured", "other", measured),
        *_many("pruned", "seed", pruned),
        *_many("diverged", "warm", diverged),
        *_median(measured),
        lines(f"best, #{best.number}", "leading", [_curve(best)])._replace(width=2.6),
    ]
    panel = Panel(Axis("epoch"), Axis(f"validation {objective}"), tuple(marks), 340)
    note = (
        f"Up to {SHOWN} runs of a kind, evenly from the worst to the best, of {len(measured)} "
        f"measured, {len(pruned)} pruned and {len(diverged)} diverged; the dashed line is the "
        "median of all measured runs, with its quartiles. Not every epoch is kept."
    )
    return Chart("curves", _title(best), note, (panel,), _table(measured, best, objective))


def _title(best: Trial) -> str:
    curve = _curve(best)
    last = curve[-1][1]
    near = next(epoch for epoch, value in curve if value >= last - 0.01 * abs(last))
    if near == curve[-1][0]:
        return f"The best run, #{best.number}, was still improving when it ended"
    return f"The best run, #{best.number}, is within 1 % of its end after {near:.0f} epochs"


def _curve(trial: Trial) -> Curve:
    return [(epoch + 1.0, value) for epoch, value in sorted(trial.curve.items())]


def _many(name: str, color: str, trials: Sequence[Trial]) -> list[Line]:
    if not trials:
        return []
    ranked = sorted(trials, key=lambda trial: (list(trial.curve.values())[-1], trial.number))
    places = np.unique(np.linspace(0, len(ranked) - 1, min(SHOWN, len(ranked))).round())
    curves = [_curve(ranked[int(place)]) for place in places]
    return [lines(name, color, curves)._replace(width=0.8)]


def _quartiles(trials: Sequence[Trial]) -> list[tuple[float, tuple[float, float, float]]]:
    """Epoch -> lower quartile, median and upper quartile of the curves that reach it."""
    epochs = sorted({epoch for trial in trials for epoch in trial.curve})
    found = []
    for epoch in epochs:
        values = [trial.curve[epoch] for trial in trials if epoch in trial.curve]
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        found.append((epoch + 1.0, (float(low), float(middle), float(high))))
    return found


def _median(trials: Sequence[Trial]) -> list[Line]:
    if not trials:
        return []
    epochs, quartiles = zip(*_quartiles(trials), strict=True)
    return [
        Line(
            "median", "ink", epochs, tuple(middle for _, middle, _ in quartiles),
            band=tuple((low, high) for low, _, high in quartiles), is_dashed=True,
        )
    ]  # fmt: skip


def _table(measured: Sequence[Trial], best: Trial, objective: str) -> Table:
    of_best = dict(_curve(best))
    rows = [
        (f"{epoch:.0f}", *(f"{value:.4f}" for value in values), _cell(of_best.get(epoch)))
        for epoch, values in _quartiles(measured)
    ] or [(f"{epoch:.0f}", "", "", "", _cell(value)) for epoch, value in of_best.items()]
    headings = ("epoch", "lower quartile", "median", "upper quartile", f"best run's {objective}")
    return Table(headings, tuple(rows))


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
