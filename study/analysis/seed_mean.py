"""Summarize a study in which nothing varies: its runs differ in their seed alone."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from training_factors.storage.trials import Trial
from training_factors.study.analysis.contrasts import mean_interval
from training_factors.study.analysis.intervals import Interval

_PHASES = ("baseline", "measure")
"""Phases whose runs count: they are never pruned."""


class SeedMean(NamedTuple):
    """The objective of one configuration over runs with different seeds, on the validation part.

    interval: of the mean, a t-interval. deviation: the standard deviation among the runs.
    """

    seeds: int
    mean: float
    interval: Interval
    deviation: float


def mean_over_seeds(trials: Sequence[Trial]) -> SeedMean | None:
    """Return the mean objective of a configuration; None before two of its runs are complete.

    trials: of a study in which nothing varies.
    """
    values = np.array([t.value for t in trials if t.phase in _PHASES and t.complete], dtype=float)
    if len(values) < 2:
        return None
    return SeedMean(
        len(values), float(values.mean()), mean_interval(values), float(values.std(ddof=1))
    )
