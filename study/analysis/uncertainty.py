"""Estimate numbers from a blend of surrogates, with 95 % confidence intervals.

The standard error has two parts: how much the estimate varies when the surrogates are fitted on
half of the rows, and how much the surrogates of the blend disagree.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from joblib import delayed
from numpy.typing import NDArray

from training_factors.study.analysis.blend import Blend
from training_factors.study.analysis.features import Array
from training_factors.study.analysis.intervals import Interval, draw_halves
from training_factors.study.analysis.parallel_calls import Call, run_all
from training_factors.study.analysis.rows import Fit, Rows
from training_factors.study.analysis.sensitivity import Estimand

CHUNKS = 10
"""Number of tasks that the half-samples are divided into; the more, the shorter is the time that
processes wait for the last task."""


class SampledEstimand(NamedTuple):
    """An estimand at two sample sizes.

    fine: many sample points, for the blend of all rows. coarse: few, for every half-sample.
    """

    fine: Estimand
    coarse: Estimand


class Estimate(NamedTuple):
    """Estimates of n numbers.

    value: from the blend, (n,). halves: from every half-sample, (half-samples, n). members: from
    every surrogate of the blend, (members, n). weights: of the surrogates, (members,).
    """

    value: Array
    halves: Array
    members: Array
    weights: Array

    @property
    def error(self) -> Array:
        """Standard errors: √(spread over half-samples² + disagreement of the members²), (n,).

        For samples of half the rows the spread needs no rescaling (delete-half jackknife, Shao &
        Wu, 1989). Disagreement is the members' weighted standard deviation: half their
        difference, for two members of equal weight.
        """
        centre = self.weights @ self.members
        disagreement = self.weights @ (self.members - centre) ** 2
        errors: Array = np.sqrt(self.halves.var(axis=0, ddof=1) + disagreement)
        return errors

    def minus(self, subtracted: NDArray[np.int64]) -> "Estimate":
        """Return differences: number i less number subtracted[i], each from the same surrogates."""
        return Estimate(
            self.value - self.value[subtracted],
            self.halves - self.halves[:, subtracted],
            self.members - self.members[:, subtracted],
            self.weights,
        )

    def intervals(self, low: float = 0.0, high: float = 1.0) -> tuple[Interval, ...]:
        """Return 95 % intervals, value ± 1.96 standard errors, clipped to the bounds."""
        margins = 1.96 * self.error
        return tuple(
            (max(low, float(value - margin)), min(high, float(value + margin)))
            for value, margin in zip(self.value, margins, strict=True)
        )


def estimate(
    blend: Blend, rows: Rows, estimands: Sequence[SampledEstimand], jobs: int
) -> list[Estimate]:
    """Estimate from the blend, and again from a blend that is fitted on every half-sample.

    All half-samples use the same few sample points. The error that these cause is known for the
    blend of all rows, where many points are affordable, and is subtracted from every half-sample.
    """
    coarse = [estimand.coarse for estimand in estimands]
    # The fine estimates take the longest, so they come first.
    calls = [delayed(blend.predict_each)(estimand.fine.features) for estimand in estimands]
    calls += _half_sample_calls(blend, rows, coarse)
    results = run_all(calls, jobs, len(rows.values))
    outputs, chunks = results[: len(estimands)], results[len(estimands) :]
    estimates = []
    for estimand, fine, *halves in zip(estimands, outputs, *chunks, strict=True):
        value = estimand.fine.estimate_from(blend.weights @ fine)
        members = np.array([estimand.fine.estimate_from(member) for member in fine])
        on_coarse = blend.weights @ blend.predict_each(estimand.coarse.features)
        corrected = np.concatenate(halves) + value - estimand.coarse.estimate_from(on_coarse)
        estimates.append(Estimate(value, corrected, members, blend.weights))
    return estimates


def _half_sample_calls(blend: Blend, rows: Rows, estimands: Sequence[Estimand]) -> list[Call]:
    """Return calls of `_estimate_chunk` for all half-samples."""
    halves = draw_halves(len(rows.values), rows.seed)
    members = [(member.refit, member.weight) for member in blend.members if member.weight > 0]
    return [
        delayed(_estimate_chunk)(members, rows, estimands, halves[chunk], rows.seed + chunk)
        for chunk in np.array_split(np.arange(len(halves)), CHUNKS)
    ]


def _estimate_chunk(
    members: Sequence[tuple[Fit, float]],
    rows: Rows,
    estimands: Sequence[Estimand],
    halves: NDArray[np.int64],
    seeds: NDArray[np.int64],
) -> list[Array]:
    """Estimate from some of the half-samples: (some, n) for each estimand."""
    estimates: list[list[Array]] = [[] for _ in estimands]
    for part, seed in zip(halves, seeds, strict=True):
        half = rows.subset(part, int(seed))
        fitted = [(fit(half), weight) for fit, weight in members]
        for estimates_of_one, estimand in zip(estimates, estimands, strict=True):
            outputs = sum(weight * predict(estimand.features) for predict, weight in fitted)
            estimates_of_one.append(estimand.estimate_from(np.asarray(outputs)))
    return [np.array(estimates_of_one) for estimates_of_one in estimates]
