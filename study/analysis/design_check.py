"""Tell whether trials were designed or chosen adaptively, for importance needs designed ones.

Shares are parts of the variance over the whole space. Trials that a sampler chose by the results of
earlier ones, as TPE does, are dense where results are good: whatever settles early hardly varies
any more and looks unimportant (Moosbauer et al., 2021). So the trials are tested for what a
designed experiment has, be it random, quasi-random or a grid: the values of every parameter are
spread uniformly where it is present, independently of other parameters and of the trials' order.

Grids and quasi-random sequences spread every single parameter more evenly than chance would. In a
few hundred rows some pairs of a sequence's many coordinates are correlated all the same (Joe & Kuo,
2008), and a conditional parameter is seen in a part of the rows alone. So where the parameters that
all trials have are spread as evenly, pairs and conditional parameters are not tested.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr
from scipy.stats import chisquare, kstest, rankdata

from training_factors.search_spaces.dimension import Integer, OneOf
from training_factors.search_spaces.distribution import (
    AnyDimension,
    LogInteger,
    Steps,
    count_values,
    place_of,
)
from training_factors.study.analysis.features import Array
from training_factors.study.analysis.optuna_trials import Parameter
from training_factors.study.analysis.significance import holm

ADAPTIVE = 0.002
"""Holm-corrected level at which trials count as adaptive. At most 1 % of random designs are to be
flagged; the tests are approximate, so the level is lower."""

MIN_TRIALS = 20
"""Minimum number of trials with a parameter, or with both of two, for a test."""

MIN_EXPECTED = 4.0
"""Minimum expected number of trials per value for a χ² test."""

EVEN = (0.2, 0.9)
"""Trials are spread more evenly than at random where the tests of uniformity of the parameters that
all trials have give p-values of at least the first number, and of at least the second for half of
the parameters. Adaptive trials have p-values near 0, random ones any."""

LISTED = 3
"""Maximum number of parameters that a sentence names."""


class DesignCheck(NamedTuple):
    """Holds the findings of the tests of a design.

    adaptive: whether the trials look chosen adaptively. not_uniform: parameters whose values are
    not spread uniformly. dependent: pairs of parameters that depend on each other. drifting:
    parameters that follow the order of the trials. sentence: all of that in words.
    """

    adaptive: bool
    not_uniform: tuple[str, ...]
    dependent: tuple[tuple[str, ...], ...]
    drifting: tuple[str, ...]
    sentence: str


class _Sample(NamedTuple):
    """A parameter as the tests see it.

    units: values on the unit scale, (trials,); NaN where it is absent. Values of numbers with a
    limited number of them are spread at random over their parts of the unit interval, which makes
    them uniform there if they are uniform (randomized probability integral transform). ranks: of
    the units. levels: the number of trials with each different value. dimension: its values.
    """

    name: str
    units: Array
    ranks: Array
    levels: NDArray[np.int64]
    dimension: AnyDimension

    @property
    def balanced(self) -> bool:
        """Return whether all values that are tried are tried equally often, as in a grid."""
        repeated = self.levels.sum() >= MIN_EXPECTED * len(self.levels)
        return bool(repeated and np.ptp(self.levels) <= 1)


def check_design(parameters: Sequence[Parameter], seed: int = 0) -> DesignCheck:
    """Test whether trials, in their order, look designed; all tests are corrected together.

    seed: of the random spread of numbers within their parts of the unit interval.
    """
    samples = [_sample(one, (seed, i)) for i, one in enumerate(parameters)]
    samples = [one for one in samples if np.isfinite(one.units).sum() >= MIN_TRIALS]
    everywhere = [one for one in samples if np.isfinite(one.units).all()]
    if is_even := _spread_evenly(everywhere):
        samples = everywhere
    tests = [_Test("uniform", (one.name,), _uniformity(one)) for one in samples]
    if not is_even:
        tests += [
            _Test("independent", (one.name, other.name), _independence(one.ranks, other.ranks))
            for one, other in combinations(samples, 2)
        ]
    tests += [
        _Test("steady", (one.name,), _independence(one.ranks, np.arange(len(one.ranks))))
        for one in samples
        if not one.balanced  # a grid may be tried in any order
    ]
    corrected = holm({str(i): test.p_value for i, test in enumerate(tests)})
    rejected = [test for i, test in enumerate(tests) if corrected[str(i)] < ADAPTIVE]
    not_uniform = tuple(test.names[0] for test in rejected if test.kind == "uniform")
    dependent = tuple(test.names for test in rejected if test.kind == "independent")
    drifting = tuple(test.names[0] for test in rejected if test.kind == "steady")
    sentence = _sentence(not_uniform, dependent, drifting)
    return DesignCheck(bool(rejected), not_uniform, dependent, drifting, sentence)


class _Test(NamedTuple):
    """A test of the design. kind: what it would reject. names: of its parameters."""

    kind: Literal["uniform", "independent", "steady"]
    names: tuple[str, ...]
    p_value: float


def _spread_evenly(samples: Sequence[_Sample]) -> bool:
    """Return whether parameters are spread more evenly than at random: `EVEN`."""
    p = [_uniformity(sample) for sample in samples]
    least, middle = EVEN
    return bool(p) and min(p) >= least and float(np.median(p)) >= middle


def _sample(parameter: Parameter, seed: tuple[int, int]) -> _Sample:
    random = np.random.default_rng((*seed, 53))
    spread = random.random(len(parameter.values))
    units = np.full(len(parameter.values), np.nan)
    for i, value in enumerate(parameter.values):
        if value is not None:
            low, high = _part(parameter.dimension, value)
            units[i] = low + spread[i] * (high - low)
    present = [value for value in parameter.values if value is not None]
    _, levels = np.unique(np.array(present), return_counts=True)
    ranks = rankdata(units, nan_policy="omit")
    return _Sample(parameter.name, units, ranks, levels, parameter.dimension)


def _part(dimension: AnyDimension, value: float | str) -> tuple[float, float]:
    """Return the part of the unit interval that belongs to a value: a point for a real number."""
    if isinstance(dimension, LogInteger):
        low, high = math.log(float(value) - 0.5), math.log(float(value) + 0.5)
        return (low - dimension.start) / dimension.width, (high - dimension.start) / dimension.width
    if isinstance(dimension, Integer | OneOf | Steps):
        place, count = place_of(dimension, value), count_values(dimension)
        return place / count, (place + 1) / count
    unit = dimension.encode(value)
    return unit, unit


def _uniformity(sample: _Sample) -> float:
    """Return the p-value of the test that values are spread uniformly where there are any.

    For choices it is a χ² test, for numbers that of Kolmogorov and Smirnov. A grid has a few
    different numbers, equally often: where a χ² test does not reject this, they are uniform too.
    """
    units = sample.units[np.isfinite(sample.units)]
    if isinstance(sample.dimension, OneOf):
        count = count_values(sample.dimension)
        if len(units) < MIN_EXPECTED * count:
            return 1.0
        places = np.minimum((units * count).astype(np.int64), count - 1)
        return float(chisquare(np.bincount(places, minlength=count)).pvalue)
    p = float(kstest(units, "uniform").pvalue)
    if len(sample.levels) > 1 and len(units) >= MIN_EXPECTED * len(sample.levels):
        return max(p, float(chisquare(sample.levels).pvalue))
    return p


def _independence(one: Array, other: NDArray[np.generic]) -> float:
    """Return the p-value of the rank correlation over the trials that have both (Spearman, 1904).

    one, other: ranks, (trials,); NaN where there is none.
    """
    both = np.isfinite(one) & np.isfinite(other)
    count = int(both.sum())
    if count < MIN_TRIALS:
        return 1.0
    correlation = float(np.corrcoef(one[both], other[both])[0, 1])
    statistic = abs(correlation) * math.sqrt((count - 2) / max(1e-12, 1 - correlation**2))
    return 2 * float(stdtr(count - 2, -statistic))


def _sentence(
    not_uniform: Sequence[str],
    dependent: Sequence[tuple[str, ...]],
    drifting: Sequence[str],
) -> str:
    reasons = []
    if not_uniform:
        verb = "is" if len(not_uniform) == 1 else "are"
        reasons.append(f"{_listed(not_uniform)} {verb} not uniform")
    if dependent:
        pairs = _listed([" with ".join(pair) for pair in dependent])
        reasons.append(f"{pairs} {'is' if len(dependent) == 1 else 'are'} correlated")
    if drifting:
        verb = "follows" if len(drifting) == 1 else "follow"
        reasons.append(f"{_listed(drifting)} {verb} the order of the trials")
    if not reasons:
        return (
            "trials look designed: the values of every parameter are spread uniformly, "
            "independently of each other"
        )
    return (
        f"trials look adaptive ({'; '.join(reasons)}): shares are biased towards parameters that "
        "kept varying, away from those that settled early, and intervals are too narrow; measure "
        "with DesignSampler or RandomSampler, without pruning"
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:LISTED])
    return f"{shown} and {len(names) - LISTED} more" if len(names) > LISTED else shown
