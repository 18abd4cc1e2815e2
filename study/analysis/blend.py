"""Blend two unlike surrogates, each weighted by how well it predicts rows that it did not see."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from training_factors.study.analysis.features import Array, Features
from training_factors.study.analysis.surrogates import (
    Fit,
    Predict,
    Tune,
    tune_boosting,
    tune_gaussian_process,
)

FOLDS = 5
"""Number of folds of every cross-validation."""

MIN_ROWS_FOR_PROCESSES = 64
"""Minimum number of rows to spread fits over processes; with fewer, all fits take less time than
processes take to start (1.2 s on two cores)."""


class Rows(NamedTuple):
    """The data that surrogates are fitted on: features (rows, columns), objective (rows,), seed."""

    features: Features
    values: Array
    seed: int

    def subset(self, part: NDArray[np.int64], seed: int) -> "Rows":
        """Return the rows of these numbers, with another seed."""
        return Rows(self.features[part], self.values[part], seed)

    def without(self, fold: NDArray[np.int64]) -> "Rows":
        """Return all rows but those of these numbers."""
        return self.subset(np.setdiff1d(np.arange(len(self.values)), fold), self.seed)


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
    """The weighted mean of surrogates. r2: of the blend, cross-validated."""

    members: tuple[Member, ...]
    r2: float

    @property
    def weights(self) -> Array:
        """The weights of the members, (members,); they sum to 1."""
        return np.array([member.weight for member in self.members])

    def predict_each(self, features: Features) -> Array:
        """Return the prediction of every member, (members, points); 0 for those of weight 0."""
        zeros = np.zeros(len(features))
        return np.array([m.predict(features) if m.weight > 0 else zeros for m in self.members])


def fit_blend(rows: Rows, jobs: int, kinds: Sequence[SurrogateKind] = KINDS) -> Blend:
    """Fit every kind that the number of rows allows, weighted by its cross-validated R².

    A kind that predicts no better than the mean has weight 0; where this is true of all, the first
    kind has weight 1. jobs: number of processes.
    """
    kinds = [kind for kind in kinds if len(rows.values) <= kind.max_rows]
    folds = _draw_folds(rows)
    tasks = [delayed(_predict_fold)(kind.tune, rows, fold) for kind in kinds for fold in folds]
    tasks += [delayed(_tune_on)(kind.tune, rows) for kind in kinds]
    results = run_all(tasks, jobs, len(rows.values))
    fold_predictions, fits = results[: len(kinds) * FOLDS], results[len(kinds) * FOLDS :]
    predictions = np.empty((len(kinds), len(rows.values)))
    for i, (fold, predicted) in enumerate(zip(folds * len(kinds), fold_predictions, strict=True)):
        predictions[i // FOLDS, fold] = predicted
    r2 = np.array([_r2(rows.values, predicted) for predicted in predictions])
    earned = np.maximum(r2, 0.0)
    weights = earned / earned.sum() if earned.any() else np.eye(len(kinds))[0]
    members = tuple(
        Member(kind.name, float(kind_r2), float(weight), fit(*rows), fit)
        for kind, kind_r2, weight, fit in zip(kinds, r2, weights, fits, strict=True)
    )
    return Blend(members, _r2(rows.values, weights @ predictions))


def run_all(tasks: Sequence[object], jobs: int, rows: int) -> list[Any]:
    """Run joblib's delayed calls, in processes if there are enough rows, and return their results.

    The results do not depend on the number of processes: every call has a seed of its own, and
    linear algebra in the processes uses one thread, since its last digits depend on the number of
    threads. In this process the caller must limit it with `single_threaded`.
    """
    processes = jobs if rows >= MIN_ROWS_FOR_PROCESSES else 1
    with parallel_config("loky", inner_max_num_threads=1):
        results: list[Any] = Parallel(n_jobs=processes, max_nbytes=None)(tasks)
    return results


@contextmanager
def single_threaded() -> Iterator[None]:
    """Limit linear algebra to one thread inside the block, and end joblib's processes after it.

    The last digits of linear algebra depend on the number of threads. joblib's processes would
    otherwise wait five minutes for more tasks.
    """
    try:
        with threadpool_limits(1):
            yield
    finally:
        get_reusable_executor().shutdown(wait=True)


def _draw_folds(rows: Rows) -> list[NDArray[np.int64]]:
    order = np.random.default_rng((rows.seed, 5)).permutation(len(rows.values))
    return [np.sort(fold) for fold in np.array_split(order, FOLDS)]


def _predict_fold(tune: Tune, rows: Rows, fold: NDArray[np.int64]) -> Array:
    """Predict the rows of a fold with a surrogate that is tuned and fitted on the others."""
    others = rows.without(fold)
    return tune(*others)(*others)(rows.features[fold])


def _tune_on(tune: Tune, rows: Rows) -> Fit:
    return tune(*rows)


def _r2(values: Array, predicted: Array) -> float:
    """Return 1 − Σ (y − f(x))² / Σ (y − ȳ)²; it is negative if f is worse than the mean."""
    return 1 - float(((values - predicted) ** 2).sum() / ((values - values.mean()) ** 2).sum())
