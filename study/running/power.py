"""How many seeds it takes to see a difference."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm, t

POWER = 0.8
ALPHA = 0.05
FEWEST, MOST = 5, 20

POINTS = 2000
"""At which the law of an estimated deviation is averaged."""


def seeds_needed(deviation: float, difference: float, comparisons: int) -> int:
    """Seeds with which a paired t test finds a difference with a probability of 0.8; 5 to 20.

    deviation: standard deviation of the paired differences; both in the unit of the objective. The
    level is 0.05 divided by the number of comparisons (Bonferroni), the power that of the
    noncentral t distribution (Cohen, 1988).
    """
    for seeds in range(FEWEST, MOST):
        if _power(seeds, deviation, difference, ALPHA / max(comparisons, 1)) >= POWER:
            return seeds
    return MOST


def largest_deviation(differences: Iterable[NDArray[np.float64]]) -> float:
    """The largest standard deviation among arms, each given by its paired differences."""
    return max((float(own.std(ddof=1)) for own in differences if len(own) > 1), default=0.0)


def _power(seeds: int, deviation: float, difference: float, level: float) -> float:
    """P(|t| > critical), the mean over the law of the estimated deviation.

    scipy's noncentral t distribution gives no number for many of these arguments.
    """
    if deviation == 0:
        return 1.0
    freedom = seeds - 1
    critical = t.ppf(1 - level / 2, freedom)
    shift = seeds**0.5 * difference / deviation
    estimated = np.sqrt(chi2.ppf((np.arange(POINTS) + 0.5) / POINTS, freedom) / freedom)
    beyond = norm.sf(critical * estimated - shift) + norm.cdf(-critical * estimated - shift)
    return float(beyond.mean())
