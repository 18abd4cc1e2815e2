"""Estimate how much the division of the data moves a result, beyond the seed of the training.

Rows that were repeated with other seeds ran under other divisions as well. The results of one row
differ between divisions by the seed and by the division; the repeats say how much the seed does.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2, f

from training_factors.storage.run_queue import DIVISION
from training_factors.storage.trials import Trial
from training_factors.study.analysis.features import Array
from training_factors.study.analysis.intervals import Interval


class DivisionVariance(NamedTuple):
    """The variance of the objective between divisions of the data that the seed does not cause.

    value: at least 0. interval: of 95 %. rows: the number of configurations that ran under several
    divisions. runs: those under other divisions than the study's; these are also the degrees of
    freedom of the variance between divisions.
    """

    value: float
    interval: Interval
    rows: int
    runs: int


class _RowVariances(NamedTuple):
    """The variances within one row.

    between: variance of the means of its divisions. by_seed: the part of it that the seed causes.
    between_degrees, seed_degrees: degrees of freedom of either.
    """

    between: float
    by_seed: float
    between_degrees: int
    seed_degrees: int


def division_variance(trials: Iterable[Trial]) -> DivisionVariance | None:
    """Return the variance between divisions; None where no repeated row ran under another one.

    The estimate is that of the method of moments. With the mean m_0 of the n runs under the study's
    own division, and single runs m_1, … under K - 1 others, the variance of m_0, …, m_(K-1) is
    expected to be σ²_division + σ²_seed (1/n + K - 1) / K; the second part is known from the n
    repeats and subtracted. Rows are averaged by their degrees of freedom. The interval is that of
    Williams (1962, after Tukey, 1951) for a component of variance, from quantiles of F and χ²; it
    supposes normal noise of equal variance in all rows.
    """
    own: dict[int, list[float]] = defaultdict(list)
    others: dict[int, list[float]] = defaultdict(list)
    for trial in trials:
        if trial.complete and trial.value is not None and trial.phase in ("measure", DIVISION):
            (others if trial.phase == DIVISION else own)[trial.row].append(trial.value)
    rows = [
        _row_variances(np.array(own[row]), np.array(others[row]))
        for row in sorted(others)
        if len(own[row]) > 1
    ]
    return _combine(rows) if rows else None


def _row_variances(own: Array, others: Array) -> _RowVariances:
    """Return the variances within a row. own: results under the study's division, at least two."""
    means = np.array([own.mean(), *others])
    by_seed = float(own.var(ddof=1)) * (1 / len(own) + len(others)) / len(means)
    return _RowVariances(float(means.var(ddof=1)), by_seed, len(others), len(own) - 1)


def _combine(rows: Sequence[_RowVariances]) -> DivisionVariance:
    """Return the estimate from all rows."""
    weights = [row.between_degrees for row in rows]
    between = float(np.average([row.between for row in rows], weights=weights))
    by_seed = float(np.average([row.by_seed for row in rows], weights=weights))
    degrees, seed_degrees = sum(weights), sum(row.seed_degrees for row in rows)
    tails = np.array([0.975, 0.025])
    by_chance = by_seed * f.ppf(tails, degrees, seed_degrees)
    low, high = degrees * np.maximum(between - by_chance, 0.0) / chi2.ppf(tails, degrees)
    value = max(0.0, between - by_seed)
    return DivisionVariance(
        value, (float(min(low, value)), float(max(high, value))), len(rows), degrees
    )
