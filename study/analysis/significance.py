"""Test whether a factor has any effect: compare its real values with values drawn at random."""

from collections.abc import Mapping

import numpy as np
from scipy.stats import t

from training_factors.study.analysis.cross_fitting import HeldOut
from training_factors.study.analysis.features import Array


def p_values(values: Array, held_out: HeldOut) -> Array:
    """Return the p-value of every factor: (factors,).

    The design draws the coordinates of a factor independently of all others, from a known
    distribution. If the factor had no effect, its coordinates at a row would be one more draw,
    whatever the objective and all else. The prediction less its mean over fresh draws, d, then has
    mean 0, also when it is multiplied by the objective less the mean prediction over other draws,
    e. If the factor has an effect that the surrogate predicts, d and e tend to have the same sign.
    The test is whether the mean of d e is above 0, by Student's t over the rows: a conditional
    randomization test (Candès et al., 2018) whose statistic is a covariance (Shah & Peters, 2020),
    with surrogates that did not see the row. The p-values are not corrected for multiple tests; see
    `holm`.
    """
    products = held_out.contrast * (values[:, None] - held_out.expected)
    rows = len(values)
    spread = products.std(axis=0, ddof=1) / rows**0.5
    means = products.mean(axis=0)
    distances = np.divide(means, spread, out=np.zeros_like(means), where=spread > 0)
    # A surrogate that does not use the factor says nothing about it.
    p: Array = np.where(spread > 0, t.sf(distances, rows - 1), 1.0)
    return p


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Return p-values corrected for testing all of them together (Holm, 1979); at most 1."""
    corrected: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p, key=lambda name: p[name])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[name]))
        corrected[name] = largest
    return {name: corrected[name] for name in p}
