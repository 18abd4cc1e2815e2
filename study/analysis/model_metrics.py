"""Summarize what the networks of one configuration reach, and choose the one that is exported."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from training_factors.study.analysis.contrasts import mean_interval
from training_factors.study.analysis.intervals import Interval
from training_factors.study.analysis.reproduction import Reproduction


class SeedMetrics(NamedTuple):
    """The metrics of a network that was trained with one seed.

    value: the objective on the validation part. validation, test: metric -> its value; None where
    it is not defined. value is None, and validation empty, where the network was trained on the
    validation part. diverged: training ended early because the loss was not finite.
    """

    seed: int
    value: float | None
    validation: Mapping[str, float | None]
    test: Mapping[str, float | None]
    diverged: bool = False


class MetricMean(NamedTuple):
    """The mean of a metric over seeds. interval: 95 % t-interval; None for a single seed."""

    mean: float
    interval: Interval | None


class ModelMetrics(NamedTuple):
    """The metrics of an exported model, and how its networks were trained.

    study: its name. run: number of the run whose configuration it has. objective: of the study. on:
    the samples trained on, `pool`, or `all` with the validation part. weights: `last`, those after
    the last step, or `averaged`. seeds: one record per network, that of the run first. kept: seed
    of the exported network. reproduction: the first network against the run as it is stored; None
    where it was trained on other samples. chance: metric -> its value on the test part for a
    network that has learned nothing.
    """

    study: str
    run: int
    objective: str
    on: str
    weights: str
    seeds: tuple[SeedMetrics, ...]
    kept: int
    reproduction: Reproduction | None
    chance: Mapping[str, float]

    @property
    def exported(self) -> SeedMetrics:
        """Return the metrics of the exported network."""
        return next(one for one in self.seeds if one.seed == self.kept)

    @property
    def validation(self) -> dict[str, MetricMean]:
        """Return the mean of every metric on the validation part over the seeds."""
        return _means([one.validation for one in self.seeds])

    @property
    def test(self) -> dict[str, MetricMean]:
        """Return the mean of every metric on the test part over the seeds."""
        return _means([one.test for one in self.seeds])


def finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Return metrics with None for values that are not defined, as JSON has no NaN."""
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}


def choose_network(seeds: Sequence[SeedMetrics]) -> int:
    """Return the seed of the network to export: that with the median value on the validation part.

    Of an even number it is the lower of the two in the middle. Without a validation part it is the
    first one: nothing is chosen by the test part. Raises ValueError if that network diverged.
    """
    chosen = seeds[0]
    if chosen.value is not None:
        ordered = sorted(seeds, key=lambda one: one.value or 0.0)
        chosen = ordered[(len(ordered) - 1) // 2]
    if chosen.diverged:
        diverged = sum(one.diverged for one in seeds)
        raise ValueError(
            f"{diverged} of {len(seeds)} networks diverged, so there is none to export; export "
            "another configuration with --trial"
        )
    return chosen.seed


def _means(metrics: Sequence[Mapping[str, float | None]]) -> dict[str, MetricMean]:
    """Return the mean of every metric that is defined for all networks."""
    means = {}
    for name in metrics[0]:
        values = [one.get(name) for one in metrics]
        known = np.array([value for value in values if value is not None])
        if len(known) == len(values):
            interval = mean_interval(known) if len(known) > 1 else None
            means[name] = MetricMean(float(known.mean()), interval)
    return means
