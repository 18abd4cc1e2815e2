"""Whether a factor does anything at all: a test against what its own random law would give."""

from collections.abc import Mapping

import numpy as np
from joblib import delayed
from numpy.typing import NDArray
from scipy.stats import t

from training_factors.study.analysis.blend import FOLDS, Rows, run_all
from training_factors.study.analysis.features import Array, Groups, Layout
from training_factors.study.analysis.surrogates import boost

REDRAWS = 99


def p_values(rows: Rows, layout: Layout, groups: Groups, jobs: int) -> dict[str, float]:
    """The holdout randomization test (Tansey et al., 2018) for every group of axes.

    The design draws a group's coordinates independently of all others, by a known law. Were the
    group without effect, a surrogate from the other folds would predict held-out rows as well
    with coordinates drawn anew. Its squared error on the rows as they are is compared with 99
    redraws. The mean over independent rows is nearly normal, so p comes from Student's law with 98
    degrees of freedom: ranks among redraws would need thousands of them to survive Holm's
    correction over twenty factors.
    """
    columns = layout.columns(groups)
    random = np.random.default_rng((rows.seed, 29))
    folds = np.array_split(random.permutation(len(rows.values)), FOLDS)
    seeds = np.random.SeedSequence((rows.seed, 31)).spawn(FOLDS)
    tasks = [
        delayed(_losses)(rows, np.sort(fold), layout, columns, seed)
        for fold, seed in zip(folds, seeds, strict=True)
    ]
    losses = np.sum(run_all(tasks, jobs, len(rows.values)), axis=0)
    return {name: _p_value(*own) for name, own in zip(groups, losses, strict=True)}


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """p-values that hold for all together (Holm, 1979): monotone, at most 1."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p, key=lambda name: p[name])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p}


def _p_value(loss: float, *redrawn: float) -> float:
    centre, spread = float(np.mean(redrawn)), float(np.std(redrawn, ddof=1))
    if spread == 0:
        return 1.0  # the surrogate never looks at the group
    distance = (centre - loss) / (spread * (1 + 1 / len(redrawn)) ** 0.5)
    return float(t.sf(distance, len(redrawn) - 1))


def _losses(
    rows: Rows,
    fold: NDArray[np.int64],
    layout: Layout,
    columns: Mapping[str, tuple[int, ...]],
    seed: np.random.SeedSequence,
) -> Array:
    """Sums of squared errors on a fold: as it is, and redrawn: (groups, 1 + redraws)."""
    kept = rows.some(np.setdiff1d(np.arange(len(rows.values)), fold), rows.seed)
    features, values = rows.features[fold], rows.values[fold]
    random = np.random.default_rng(seed)
    predict = boost(*kept)
    losses = np.empty((len(columns), 1 + REDRAWS))
    losses[:, 0] = ((values - predict(features)) ** 2).sum()
    units = random.random((REDRAWS * len(fold), len(layout.axes)))
    redraws = layout.decode(units).reshape(REDRAWS, len(fold), -1)
    for draw, fresh in enumerate(redraws):
        mixed = np.repeat(features[None], len(columns), axis=0)
        for own, redrawn in zip(columns.values(), mixed, strict=True):
            redrawn[:, own] = fresh[:, own]
        outputs = predict(mixed.reshape(-1, features.shape[1])).reshape(len(columns), -1)
        losses[:, 1 + draw] = ((values - outputs) ** 2).sum(axis=1)
    return losses
