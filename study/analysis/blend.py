"""Blend two unlike surrogates, weighted by how well they predict rows that they did not see."""

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from joblib import delayed
from numpy.typing import NDArray

from training_factors.study.analysis.cross_fitting import HeldOut, ask, join_folds
from training_factors.study.analysis.features import Array, Blocks, Features
from training_factors.study.analysis.gaussian_process import tune_gaussian_process
from training_factors.study.analysis.parallel_calls import run_all
from training_factors.study.analysis.rows import Fit, Predict, Rows, Tune
from training_factors.study.analysis.surrogates import tune_boosting

FOLDS = 5
"""Number of folds of every cross-validation."""


class SurrogateKind(NamedTuple):
    """A kind of surrogate. max_rows: with more rows its fit takes too long."""

    name: str
    tune: Tune
    max_rows: int


BOOSTING = SurrogateKind("gradient boosting", tune_boosting, 10**9)
GAUSSIAN_PROCESS = SurrogateKind("Gaussian process", tune_gaussian_process, 512)
KINDS = (BOOSTING, GAUSSIAN_PROCESS)


class Member(NamedTuple):
    """A surrogate in a blend. r2: cross-validated. refit: fits it again with the same settings."""

    name: str
    r2: float
    weight: float
    predict: Predict
    refit: Fit


class Blend(NamedTuple):
    """The weighted mean of surrogates.

    r2: of the blend, cross-validated. half_r2: the same where every surrogate was fitted on half of
    the rows instead of four fifths. held_out: what the surrogates of the other folds say about
    every row.
    """

    members: tuple[Member, ...]
    r2: float
    half_r2: float
    held_out: HeldOut

    @property
    def weights(self) -> Array:
        """The weights of the members, (members,); they sum to 1."""
        return np.array([member.weight for member in self.members])

    def predict_each(self, features: Features) -> Array:
        """Return the prediction of every member, (members, points); 0 for those of weight 0."""
        zeros = np.zeros(len(features))
        return np.array([m.predict(features) if m.weight > 0 else zeros for m in self.members])


def fit_blend(
    rows: Rows,
    jobs: int,
    kinds: Sequence[SurrogateKind] = KINDS,
    groupings: Sequence[Blocks] = (),
) -> Blend:
    """Fit every kind that the number of rows allows; weight them by what they predict.

    groupings: what the surrogates are asked about the rows of the other folds; see `ask`. jobs:
    number of processes.
    """
    kinds = [kind for kind in kinds if len(rows.values) <= kind.max_rows]
    folds, halves = _draw_folds(rows, FOLDS), _draw_folds(rows, 2)
    tasks = [
        delayed(_ask_fold)(kind.tune, rows, fold, groupings) for kind in kinds for fold in folds
    ]
    tasks += [delayed(_ask_fold)(kind.tune, rows, half, ()) for kind in kinds for half in halves]
    tasks += [delayed(kind.tune)(rows) for kind in kinds]
    results = iter(run_all(tasks, jobs, len(rows.values)))
    from_folds = [join_folds(folds, [next(results) for _ in folds]) for _ in kinds]
    from_halves = [join_folds(halves, [next(results) for _ in halves]) for _ in kinds]
    fits: list[Fit] = list(results)
    weights = _weights(rows.values, [one.predictions for one in from_folds])
    held_out, half = (_blend_held_out(each, weights) for each in (from_folds, from_halves))
    members = tuple(
        Member(kind.name, r2(rows.values, own.predictions), float(weight), fit(rows), fit)
        for kind, own, weight, fit in zip(kinds, from_folds, weights, fits, strict=True)
    )
    return Blend(
        members,
        r2(rows.values, held_out.predictions),
        r2(rows.values, half.predictions),
        held_out,
    )


def r2(values: Array, predicted: Array) -> float:
    """Return 1 − Σ (y − f(x))² / Σ (y − ȳ)²; it is negative if f is worse than the mean."""
    return 1 - float(((values - predicted) ** 2).sum() / ((values - values.mean()) ** 2).sum())


def _draw_folds(rows: Rows, count: int) -> list[NDArray[np.int64]]:
    order = np.random.default_rng((rows.seed, count)).permutation(len(rows.values))
    return [np.sort(fold) for fold in np.array_split(order, count)]


def _ask_fold(
    tune: Tune, rows: Rows, fold: NDArray[np.int64], groupings: Sequence[Blocks]
) -> HeldOut:
    """Ask a surrogate that is tuned and fitted on all other rows about those of a fold."""
    others = rows.without(fold)
    predict = tune(others)(others)
    return ask(predict, rows.subset(fold, rows.seed), groupings, rows.seed + int(fold[0]))


def _weights(values: Array, predictions: Sequence[Array]) -> Array:
    """Return the weights, ≥ 0 and summing to 1, with the least squared error (Breiman, 1996).

    predictions: of rows that a surrogate did not see. The weight is that of a blend of two: the
    second surrogate's, and what is left for the first.
    """
    if len(predictions) == 1:
        return np.ones(1)
    first, second = predictions
    apart = second - first
    scale = float(apart @ apart)
    weight = float(np.clip((values - first) @ apart / scale, 0, 1)) if scale > 0 else 0.0
    return np.array([1 - weight, weight])


def _blend_held_out(members: Sequence[HeldOut], weights: Array) -> HeldOut:
    scaled = [one.scaled(float(weight)) for one, weight in zip(members, weights, strict=True)]
    return reduce(HeldOut.plus, scaled)
