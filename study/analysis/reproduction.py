"""Compare a run with the same run trained again."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from training_factors.storage.trials import Trial
from training_factors.study.analysis.measurements import pooled_variance


class Reproduction(NamedTuple):
    """A run and its repetition with the same configuration, data and seed.

    number, phase, seed: of the run. stored, now: its objective then and now, on the validation
    part. stored_test, now_test: the same on the test part; None for runs that do not use it.
    metrics_differ: names of the metrics that differ, on either part. seed_deviation: standard
    deviation of the objective that the seed causes, from the rows that were repeated; None where
    none was. versions: package -> its version then and now, where they differ. device: where it
    ran then and now.
    """

    number: int
    phase: str
    seed: int
    stored: float
    now: float
    stored_test: float | None
    now_test: float | None
    metrics_differ: tuple[str, ...]
    seed_deviation: float | None
    versions: Mapping[str, tuple[str, str]]
    device: tuple[str, str]

    @property
    def is_equal(self) -> bool:
        """Return whether every number is the same to the last digit."""
        same_test = self.stored_test == self.now_test
        return self.stored == self.now and same_test and not self.metrics_differ


class NewResult(NamedTuple):
    """The result of a run that was trained again: objective and metrics, also on the test part.

    device: where it was trained. versions: package -> version, of those that a study records.
    """

    value: float
    metrics: Mapping[str, float | None]
    test_value: float | None
    test: Mapping[str, float | None]
    device: str
    versions: Mapping[str, str]


def compare_runs(
    trial: Trial, new: NewResult, trials: Sequence[Trial], versions: Mapping[str, str]
) -> Reproduction:
    """Return how a run and its repetition differ.

    trials: all of the study, for the noise of the seed. versions: those that the study records.
    """
    assert trial.value is not None, "the run is complete"
    parts = (("", trial.metrics, new.metrics), ("test ", trial.test, new.test))
    return Reproduction(
        number=trial.number,
        phase=trial.phase,
        seed=trial.seed,
        stored=trial.value,
        now=new.value,
        stored_test=trial.test_value,
        now_test=new.test_value,
        metrics_differ=tuple(
            f"{part}{name}"
            for part, then, now in parts
            for name in then
            if not _is_same(then[name], now.get(name))
        ),
        seed_deviation=_seed_deviation(trials),
        versions={
            package: (then, new.versions[package])
            for package, then in versions.items()
            if package in new.versions and new.versions[package] != then
        },
        device=(str(trial.attributes.get("device", "unknown")), new.device),
    )


def _is_same(then: float | None, now: float | None) -> bool:
    """Return whether two numbers are equal; two that are not known, or not numbers, are."""
    if then is None or now is None:
        return then is now
    return then == now or (math.isnan(then) and math.isnan(now))


def _seed_deviation(trials: Sequence[Trial]) -> float | None:
    values: dict[int, list[float]] = defaultdict(list)
    for trial in trials:
        if trial.phase == "measure" and trial.complete and trial.value is not None:
            values[trial.row].append(trial.value)
    variance = pooled_variance([np.array(row) for row in values.values()])
    return None if variance is None else math.sqrt(variance)
