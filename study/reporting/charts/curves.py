"""Chart of the learning curves: the best run, the measured, the pruned and the diverged ones."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from training_factors.storage.trials import Trial
from training_factors.study.analysis.best_configuration import best_trial
from training_factors.study.analysis.measurements import has_diverged
from training_factors.study.reporting.chart import Axis, Chart, Line, Panel, Table, join_curves

MAX_CURVES = 30
"""Maximum number of curves of one kind; they are picked evenly from the worst to the best."""


class Quartiles(NamedTuple):
    """The quartiles of the curves at one epoch, counted from 1."""

    epoch: float
    lower: float
    median: float
    upper: float


def chart(trials: Sequence[Trial], objective: str) -> Chart | None:
    """Return the validation objective by epoch; None if no run has a curve of two points yet."""
    with_curve = [trial for trial in trials if len(trial.curve) > 1]
    best = best_trial(with_curve)
    if best is None:
        return None
    measured = [
        trial
        for trial in with_curve
        if trial.phase == "measure" and trial.complete and not has_diverged(trial)
    ]
    pruned = [trial for trial in with_curve if trial.state == "PRUNED"]
    diverged = [trial for trial in with_curve if has_diverged(trial)]
    quartiles = _quartiles(measured)
    marks = [
        *_sampled_curves("measured", "secondary", measured),
        *_sampled_curves("pruned", "accent", pruned),
        *_sampled_curves("diverged", "warning", diverged),
        *_median_line(quartiles),
        join_curves(f"best, #{best.number}", "primary", [_curve(best)])._replace(width=2.6),
    ]
    panel = Panel(Axis("epoch", is_whole=True), Axis(f"validation {objective}"), tuple(marks), 340)
    note = (
        f"There are {len(measured)} measured, {len(pruned)} pruned and {len(diverged)} diverged "
        f"runs; at most {MAX_CURVES} of each kind are drawn, picked evenly from the worst to the "
        "best. Dashed: the median of all measured runs; shaded: between their quartiles. Not every "
        "epoch is recorded."
    )
    table = _table(quartiles, best, objective)
    return Chart("curves", _title(best), note, (panel,), table)


def _title(best: Trial) -> str:
    curve = _curve(best)
    last_epoch, last = curve[-1]
    near = next(epoch for epoch, value in curve if value >= last - 0.01 * abs(last))
    if near == last_epoch:
        return f"The best run, #{best.number}, was still improving when it ended"
    return f"The best run, #{best.number}, came within 1 % of its final value at epoch {near:.0f}"


def _curve(trial: Trial) -> list[tuple[float, float]]:
    """Return (epoch, validation objective) of a trial, epochs counted from 1."""
    return [(epoch + 1.0, value) for epoch, value in sorted(trial.curve.items())]


def _sampled_curves(name: str, color: str, trials: Sequence[Trial]) -> list[Line]:
    """Return one line with the curves of at most `MAX_CURVES` trials; none without trials."""
    if not trials:
        return []
    ranked = sorted(trials, key=lambda trial: (list(trial.curve.values())[-1], trial.number))
    places = np.unique(np.linspace(0, len(ranked) - 1, min(MAX_CURVES, len(ranked))).round())
    curves = [_curve(ranked[int(place)]) for place in places]
    return [join_curves(name, color, curves)._replace(width=0.8)]


def _quartiles(trials: Sequence[Trial]) -> list[Quartiles]:
    """Return the quartiles at every epoch, of those curves that have a value there."""
    quartiles = []
    for epoch in sorted({epoch for trial in trials for epoch in trial.curve}):
        values = [trial.curve[epoch] for trial in trials if epoch in trial.curve]
        lower, median, upper = (float(value) for value in np.quantile(values, [0.25, 0.5, 0.75]))
        quartiles.append(Quartiles(epoch + 1.0, lower, median, upper))
    return quartiles


def _median_line(quartiles: Sequence[Quartiles]) -> list[Line]:
    if not quartiles:
        return []
    return [
        Line(
            "median", "text", tuple(at.epoch for at in quartiles),
            tuple(at.median for at in quartiles),
            band=tuple((at.lower, at.upper) for at in quartiles), is_dashed=True,
        )
    ]  # fmt: skip


def _table(quartiles: Sequence[Quartiles], best: Trial, objective: str) -> Table:
    of_best = {epoch: f"{value:.4f}" for epoch, value in _curve(best)}
    rows = [
        (
            f"{at.epoch:.0f}", f"{at.lower:.4f}", f"{at.median:.4f}", f"{at.upper:.4f}",
            of_best.get(at.epoch, ""),
        )
        for at in quartiles
    ]  # fmt: skip
    if not rows:  # no run was measured yet
        rows = [(f"{epoch:.0f}", "", "", "", value) for epoch, value in of_best.items()]
    headings = ("epoch", "lower quartile", "median", "upper quartile", f"best run's {objective}")
    return Table(headings, tuple(rows))
