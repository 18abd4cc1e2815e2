"""Where runs learned nothing: how often at each option, and along each hyperparameter."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest

from training_factors.search_spaces.description import SpaceDescription
from training_factors.search_spaces.dimension import OneOf
from training_factors.storage.trials import Trial
from training_factors.study.analysis.measurements import has_diverged, is_at_chance
from training_factors.study.analysis.uncertainty import Interval

FEWEST_RUNS = 8
"""Runs that a setting must have had."""


class Breakdown(NamedTuple):
    """How often runs broke at a setting.

    setting: `optimizer = sgd`, or `optimizer.sgd.lr above 0.1`. diverged: runs whose loss stopped
    being finite; at_chance: those that learned nothing, the diverged ones among them. interval: of
    the share at chance, 95 % (Wilson, 1927).
    """

    factor: str
    setting: str
    runs: int
    diverged: int
    at_chance: int
    interval: Interval

    @property
    def share(self) -> float:
        """The part of the runs that learned nothing."""
        return self.at_chance / self.runs


def breakdowns(trials: Sequence[Trial], space: SpaceDescription) -> tuple[Breakdown, ...]:
    """Every setting of the measured runs, the one that learned nothing most often first.

    Most often: by the lower bound of the interval, so that few runs do not come first by luck. Of
    a numeric hyperparameter: its upper and its lower third among the runs that had it.
    """
    measured = [t for t in trials if t.phase == "measure" and t.complete and t.value is not None]
    found = [
        _count(factor, setting, own)
        for factor, setting, chosen in _settings(measured, space)
        if len(own := [trial for trial in measured if chosen(trial)]) >= FEWEST_RUNS
    ]
    return tuple(sorted(found, key=lambda one: (-one.interval[0], one.setting)))


def overall_breakdown(trials: Sequence[Trial]) -> Breakdown | None:
    """The same of all measured runs; None when there are none."""
    measured = [t for t in trials if t.phase == "measure" and t.complete and t.value is not None]
    return _count("", "all runs", measured) if measured else None


def _settings(
    trials: Sequence[Trial], space: SpaceDescription
) -> Iterator[tuple[str, str, Callable[[Trial], bool]]]:
    for axis in space.coordinates:
        name, factor = axis.name, axis.factor
        values = [trial.parameters[name] for trial in trials if name in trial.parameters]
        if isinstance(axis.dimension, OneOf):
            for choice in axis.dimension.choices:
                yield factor, f"{name} = {choice}", _is(name, choice)
        elif factor != name and values:
            low, high = np.quantile(values, [1 / 3, 2 / 3])
            yield factor, f"{name} below {low:.3g}", _between(name, -np.inf, low)
            yield factor, f"{name} above {high:.3g}", _between(name, high, np.inf)


def _is(name: str, choice: Any) -> Callable[[Trial], bool]:
    return lambda trial: trial.parameters.get(name) == choice


def _between(name: str, low: float, high: float) -> Callable[[Trial], bool]:
    return lambda trial: low < trial.parameters.get(name, np.nan) < high


def _count(factor: str, setting: str, trials: Sequence[Trial]) -> Breakdown:
    at_chance = sum(is_at_chance(trial) for trial in trials)
    reach = binomtest(at_chance, len(trials)).proportion_ci(method="wilson")
    return Breakdown(
        factor, setting, len(trials), sum(has_diverged(trial) for trial in trials), at_chance,
        (float(reach.low), float(reach.high)),
    )  # fmt: skip


ConfusionCells = Iterable[Sequence[int]]
"""(true class, named class, samples), as a trial has them."""


class ConfusionMatrix(NamedTuple):
    """Counts of (true class, named class), and of what: `trial #3 on the validation part`."""

    classes: tuple[str, ...]
    counts: dict[tuple[int, int], int]
    source: str

    @property
    def mistaken(self) -> list[tuple[tuple[int, int], int]]:
        """The pairs of different classes, the commonest first."""
        found = [item for item in self.counts.items() if item[0][0] != item[0][1]]
        return sorted(found, key=lambda item: (-item[1], item[0]))


def add_confusions(
    runs: Sequence[ConfusionCells], classes: Sequence[str], source: str
) -> ConfusionMatrix | None:
    """The counts of several runs in one; None where no run has any."""
    counts: Counter[tuple[int, int]] = Counter()
    for run in runs:
        for true, named, count in run:
            counts[true, named] += count
    return ConfusionMatrix(tuple(classes), dict(counts), source) if counts else None
