"""Count runs that diverged or are no better than chance, by setting; average confusion matrices."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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


class Setting(NamedTuple):
    """An option, a choice, or a part of the range of a hyperparameter, which a run may have.

    name: of the parameter. choice: its value; None for a part of a range, which lies between low
    and high, both excluded.
    """

    factor: str
    name: str
    choice: Value | None = None
    low: float = -np.inf
    high: float = np.inf

    def __str__(self) -> str:
        if self.choice is not None:
            return f"{self.name} = {self.choice}"
        is_lower = np.isfinite(self.high)
        return f"{self.name} {f'below {self.high:.3g}' if is_lower else f'above {self.low:.3g}'}"

    def applies_to(self, trial: Trial) -> bool:
        """Return whether a run has this setting."""
        value = trial.parameters.get(self.name)
        if value is None or self.choice is not None:
            return value is not None and bool(value == self.choice)
        return bool(self.low < value < self.high)


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
        _count(setting.factor, str(setting), runs)
        for setting in settings_of(measured, space)
        if len(runs := [t for t in measured if setting.applies_to(t)]) >= MIN_RUNS
    ]
    return tuple(sorted(counts, key=lambda one: (-one.interval[0], one.setting)))


def overall_breakdown(trials: Sequence[Trial]) -> Breakdown | None:
    """Return the breakdown of all measured runs together, or None when there are none."""
    measured = _measured_runs(trials)
    return _count("", "all runs", measured) if measured else None


def _measured_runs(trials: Sequence[Trial]) -> list[Trial]:
    return [t for t in trials if t.phase == "measure" and t.complete and t.value is not None]


def settings_of(trials: Sequence[Trial], space: SpaceDescription) -> Iterator[Setting]:
    """Yield every option and choice of a space, and the outer thirds of numbers among the runs."""
    for axis in space.coordinates:
        name, factor = axis.name, axis.factor
        values = [trial.parameters[name] for trial in trials if name in trial.parameters]
        if isinstance(axis.dimension, OneOf):
            for choice in axis.dimension.choices:
                yield Setting(factor, name, choice)
        elif factor != name and values:
            low, high = np.quantile(values, [1 / 3, 2 / 3]).tolist()
            yield Setting(factor, name, high=low)
            yield Setting(factor, name, low=high)


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
