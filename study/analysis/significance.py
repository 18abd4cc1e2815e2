"""Test whether a factor has any effect: compare its real values with values drawn at random."""

from collections.abc import Mapping

import numpy as np
from joblib import delayed
from numpy.typing import NDArray
from scipy.stats import t

from training_factors.study.analysis.blend import FOLDS, Rows, run_all
from training_factors.study.analysis.features import Array, Groups, Layout
from training_factors.study.analysis.surrogates import boost

REDRAWS = 99
"""Number of times that the coordinates of every group are drawn again."""


def p_values(rows: Rows, layout: Layout, groups: Groups, jobs: int) -> dict[str, float]:
    """Return the p-value of every group of axes: holdout randomization test (Tansey et al., 2018).

    The design draws the coordinates of a group independently of all others, from a known
    distribution. If the group had no effect, a surrogate that is fitted on the other folds would
    predict held-out rows as well with freshly drawn coordinates. Its squared error on the real rows
    is compared with that of 99 redraws. The mean over independent rows is nearly normal, so the
    p-value comes from Student's t distribution with 98 degrees of freedom: ranks among redraws
    would need thousands of them to survive Holm's correction over twenty factors. The p-values are
    not corrected for multiple tests; see `holm`.
    """
    columns = layout.columns(groups)
    random = np.random.default_rng((rows.seed, 29))
    folds = np.array_split(random.permutation(len(rows.values)), FOLDS)
    seeds = np.random.SeedSequence((rows.seed, 31)).spawn(FOLDS)
    tasks = [
        delayed(_fold_errors)(rows, np.sort(fold), layout, columns, seed)
        for fold, seed in zip(folds, seeds, strict=True)
    ]
    errors = np.sum(run_all(tasks, jobs, len(rows.values)), axis=0)
    return {
        name: _p_value(float(group[0]), group[1:])
        for name, group in zip(groups, errors, strict=True)
    }


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Return p-values corrected for testing all of them together (Holm, 1979); at most 1."""
    corrected: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p, key=lambda name: p[name])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[name]))
        corrected[name] = largest
    return {name: corrected[name] for name in p}


def _p_value(error: float, redrawn: Array) -> float:
    """Return the probability of an error as small as this, if it were one of the redraws."""
    centre, spread = float(np.mean(redrawn)), float(np.std(redrawn, ddof=1))
    if spread == 0:
        return 1.0  # the surrogate does not use the group
    distance = (centre - error) / (spread * (1 + 1 / len(redrawn)) ** 0.5)
    return float(t.sf(distance, len(redrawn) - 1))


def _fold_errors(
    rows: Rows,
    fold: NDArray[np.int64],
    layout: Layout,
    columns: Mapping[str, tuple[int, ...]],
    seed: np.random.SeedSequence,
) -> Array:
    """Return sums of squared errors on a fold: real, then redrawn: (groups, 1 + redraws)."""
    features, values = rows.features[fold], rows.values[fold]
    random = np.random.default_rng(seed)
    predict = boost(*rows.without(fold))
    errors = np.empty((len(columns), 1 + REDRAWS))
    errors[:, 0] = ((values - predict(features)) ** 2).sum()
    units = random.random((REDRAWS * len(fold), len(layout.axes)))
    redraws = layout.decode(units).reshape(REDRAWS, len(fold), -1)
    for draw, fresh in enumerate(redraws):
        mixed = np.repeat(features[None], len(columns), axis=0)
        for group_columns, group_features in zip(columns.values(), mixed, strict=True):
            group_features[:, group_columns] = fresh[:, group_columns]
        outputs = predict(mixed.reshape(-1, features.shape[1])).reshape(len(columns), -1)
        errors[:, 1 + draw] = ((values - outputs) ** 2).sum(axis=1)
    return errors
