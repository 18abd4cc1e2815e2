"""Find the number of seeds that a comparison needs: a power analysis of the runs so far."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm, t

from training_factors.storage.arms import CONTRAST, Arm
from training_factors.storage.trials import Trial

MIN_SEEDS, MAX_SEEDS = 5, 20
"""Minimum and maximum number of paired runs of each contrast, where nobody names their number."""

POWER = 0.8
"""Probability with which a difference that matters should be detected."""

ALPHA = 0.05
"""Significance level of all comparisons together."""

QUANTILES = 2000
"""Number of quantiles of the estimated deviation over which the power is averaged."""


def seeds_so_far(arms: Sequence[Arm], trials: Sequence[Trial]) -> int:
    """Return the number of seeds with which contrasts have run."""
    rows = {row for row, arm in enumerate(arms) if arm.purpose == CONTRAST}
    return 1 + max((trial.repeat for trial in trials if trial.row in rows), default=-1)


def seeds_to_detect(arms: Sequence[Arm], trials: Sequence[Trial], difference: float) -> int:
    """Return the number of seeds that the contrasts need, by the spread of their runs so far.

    difference: the smallest one to detect, in the unit of the objective.
    """
    best, *others = (row for row, arm in enumerate(arms) if arm.purpose == CONTRAST)
    differences = [paired_differences(trials, best, row) for row in others]
    return seeds_needed(largest_deviation(differences), difference, len(others))


def paired_differences(trials: Sequence[Trial], row: int, other_row: int) -> NDArray[np.float64]:
    """Return the differences between two arms' objective on the test part, seed by seed."""
    values, other_values = (
        {t.repeat: t.test_value for t in trials if t.row == r and t.test_value is not None}
        for r in (row, other_row)
    )
    seeds = sorted(values.keys() & other_values.keys())
    return np.array([values[seed] - other_values[seed] for seed in seeds])


def seeds_needed(deviation: float, difference: float, comparisons: int) -> int:
    """Return the number of seeds with which a paired t test detects a difference; 5 to 20.

    deviation: standard deviation of the paired differences; both in the unit of the objective. The
    level is 0.05 divided by the number of comparisons (Bonferroni), the power 0.8, that of the
    noncentral t distribution (Cohen, 1988).
    """
    for seeds in range(MIN_SEEDS, MAX_SEEDS):
        if _power(seeds, deviation, difference, ALPHA / max(comparisons, 1)) >= POWER:
            return seeds
    return MAX_SEEDS


def largest_deviation(differences: Iterable[NDArray[np.float64]]) -> float:
    """Return the largest standard deviation among arms, each given by its paired differences."""
    return max((float(arm.std(ddof=1)) for arm in differences if len(arm) > 1), default=0.0)


def _power(seeds: int, deviation: float, difference: float, level: float) -> float:
    """Return P(|t| > critical value), averaged over the distribution of the estimated deviation.

    scipy's noncentral t distribution returns NaN for many of these arguments.
    """
    if deviation == 0:
        return 1.0
    degrees_of_freedom = seeds - 1
    critical = t.ppf(1 - level / 2, degrees_of_freedom)
    shift = seeds**0.5 * difference / deviation
    probabilities = (np.arange(QUANTILES) + 0.5) / QUANTILES
    estimated = np.sqrt(chi2.ppf(probabilities, degrees_of_freedom) / degrees_of_freedom)
    detected = norm.sf(critical * estimated - shift) + norm.cdf(-critical * estimated - shift)
    return float(detected.mean())
