"""Count runs that diverged or are no better than chance, by setting; average confusion matrices."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

from training_factors.search_spaces.description import SpaceDescription
from training_factors.search_spaces.dimension import OneOf, Value
from training_factors.storage.trials import Trial
from training_factors.study.analysis.intervals import Interval
from training_factors.study.analysis.measurements import has_diverged, is_at_chance

MIN_RUNS = 8
"""Minimum number of runs with a setting for it to be listed."""


class Breakdown(NamedTuple):
    """The number of failed runs with one setting.

    setting: `optimizer = sgd`, or `optimizer.sgd.lr above 0.1`. diverged: number of runs whose loss
    stopped being finite. at_chance: number of runs that are no better than chance, the diverged
    ones included. interval: 95 % interval of the share at chance (Wilson, 1927).
    """

    factor: str
    setting: str
    runs: int
    diverged: int
    at_chance: int
    interval: Interval

    @property
    def share(self) -> float:
        """The part of the runs that are no better than chance."""
        return self.at_chance / self.runs


def breakdowns(trials: Sequence[Trial], space: SpaceDescription) -> tuple[Breakdown, ...]:
    """Return every setting of the measured runs, the one most often at chance first.

    The order is by the lower bound of the interval, so that settings with few runs do not come
    first by luck. A numeric hyperparameter has two settings: its lower and its upper third among
    the runs that have it.
    """
    measured = _measured_runs(trials)
    counts = [
        _count(factor, setting, runs)
        for factor, setting, applies in _settings(measured, space)
        if len(runs := [trial for trial in measured if applies(trial)]) >= MIN_RUNS
    ]
    return tuple(sorted(counts, key=lambda one: (-one.interval[0], one.setting)))


def overall_breakdown(trials: Sequence[Trial]) -> Breakdown | None:
    """Return the breakdown of all measured runs together, or None when there are none."""
    measured = _measured_runs(trials)
    return _count("", "all runs", measured) if measured else None


def _measured_runs(trials: Sequence[Trial]) -> list[Trial]:
    return [t for t in trials if t.phase == "measure" and t.complete and t.value is not None]


def _settings(
    trials: Sequence[Trial], space: SpaceDescription
) -> Iterator[tuple[str, str, Callable[[Trial], bool]]]:
    """Yield factor, name of the setting, and a function that says whether a run has it."""
    for axis in space.coordinates:
        name, factor = axis.name, axis.factor
        values = [trial.parameters[name] for trial in trials if name in trial.parameters]
        if isinstance(axis.dimension, OneOf):
            for choice in axis.dimension.choices:
                yield factor, f"{name} = {choice}", _equals(name, choice)
        elif factor != name and values:
            low, high = np.quantile(values, [1 / 3, 2 / 3])
            yield factor, f"{name} below {low:.3g}", _between(name, -np.inf, low)
            yield factor, f"{name} above {high:.3g}", _between(name, high, np.inf)


def _equals(name: str, choice: Value) -> Callable[[Trial], bool]:
    return lambda trial: trial.parameters.get(name) == choice


def _between(name: str, low: float, high: float) -> Callable[[Trial], bool]:
    return lambda trial: low < trial.parameters.get(name, np.nan) < high


def _count(factor: str, setting: str, trials: Sequence[Trial]) -> Breakdown:
    at_chance = sum(is_at_chance(trial) for trial in trials)
    interval = binomtest(at_chance, len(trials)).proportion_ci(method="wilson")
    return Breakdown(
        factor=factor,
        setting=setting,
        runs=len(trials),
        diverged=sum(has_diverged(trial) for trial in trials),
        at_chance=at_chance,
        interval=(float(interval.low), float(interval.high)),
    )


ConfusionCells = Iterable[Sequence[int]]
"""The confusion matrix of a run, as its trial stores it: (true class, predicted class, samples)."""


class ConfusionMatrix(NamedTuple):
    """Number of samples by (true class, predicted class), the mean over some runs.

    The counts of several runs sum to the size of the part that all of them predicted.

    source: the runs and the samples, in words, such as `the best run, #3, on the validation set`.
    runs: number of runs, each with its own seed.
    """

    classes: tuple[str, ...]
    counts: dict[tuple[int, int], float]
    source: str
    runs: int = 1

    @property
    def mistaken(self) -> list[tuple[tuple[int, int], float]]:
        """The pairs of different classes with their number of samples, the most frequent first."""
        errors = [item for item in self.counts.items() if item[0][0] != item[0][1]]
        return sorted(errors, key=lambda item: (-item[1], item[0]))


def mean_confusion(
    runs: Sequence[ConfusionCells], classes: Sequence[str], source: str
) -> ConfusionMatrix | None:
    """Return the mean of several runs' confusion matrices, or None when no run has one."""
    counts: Counter[tuple[int, int]] = Counter()
    for run in runs:
        for true, predicted, samples in run:
            counts[true, predicted] += samples
    means = {pair: samples / len(runs) for pair, samples in counts.items()}
    return ConfusionMatrix(tuple(classes), means, source, len(runs)) if means else None
