"""Two unlike surrogates as one, each with the weight that it has earned on rows it did not see."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from training_factors.study.analysis.surrogates import (
    Features,
    Fit,
    Predict,
    Values,
    tune_boosting,
    tune_gaussian_process,
)

FOLDS = 5

ROWS_FOR_PROCESSES = 64
"""With fewer rows all fits take less time than processes take to start (1.2 s on two cores)."""

Tune = Callable[[Features, Values, int], Fit]


class SurrogateKind(NamedTuple):
    """A kind of surrogate. tune: finds its settings; most_rows: above these it takes too long."""

    name: str
    tune: Tune
    most_rows: int


BOOSTING = SurrogateKind("gradient boosting", tune_boosting, 10**9)
GAUSSIAN_PROCESS = SurrogateKind("Gaussian process", tune_gaussian_process, 512)
KINDS = (BOOSTING, GAUSSIAN_PROCESS)


class Rows(NamedTuple):
    """What surrogates are fitted to: a value for each row of features."""

    features: Features
    values: Values
    seed: int

    def some(self, part: NDArray[np.int64], seed: int) -> "Rows":
        """These rows only."""
        return Rows(self.features[part], self.values[part], seed)


class Member(NamedTuple):
    """A surrogate of a blend. r2: cross-validated. refit: fits it again, its settings kept."""

    name: str
    r2: float
    weight: float
    predict: Predict
    refit: Fit


class Blend(NamedTuple):
    """The weighted mean of surrogates; r2: its own, cross-validated."""

    members: tuple[Member, ...]
    r2: float

    @property
    def weights(self) -> Values:
        """Of the members; they sum to 1."""
        return np.array([member.weight for member in self.members])

    def each(self, features: Features) -> Values:
        """What every member predicts: (members, points); 0 of those without weight."""
        silent = np.zeros(len(features))
        return np.array([m.predict(features) if m.weight > 0 else silent for m in self.members])


def fit_blend(rows: Rows, jobs: int, kinds: Sequence[SurrogateKind] = KINDS) -> Blend:
    """Fit every kind that the number of rows allows, weighted by its cross-validated R².

    A kind that predicts no better than the mean has no weight; where none does, the first has all.
    """
    kinds = [kind for kind in kinds if len(rows.values) <= kind.most_rows]
    folds = _folds(rows)
    tasks = [delayed(_predicted_fold)(kind.tune, rows, fold) for kind in kinds for fold in folds]
    tasks += [delayed(_tuned)(kind.tune, rows) for kind in kinds]
    done = run_all(tasks, jobs, len(rows.values))
    predictions, fits = done[: len(kinds) * FOLDS], done[len(kinds) * FOLDS :]
    predicted = np.empty((len(kinds), len(rows.values)))
    for i, (fold, outputs) in enumerate(zip(folds * len(kinds), predictions, strict=True)):
        predicted[i // FOLDS, fold] = outputs
    r2 = np.array([_r2(rows.values, outputs) for outputs in predicted])
    earned = np.maximum(r2, 0.0)
    weights = earned / earned.sum() if earned.any() else np.eye(len(kinds))[0]
    members = tuple(
        Member(kind.name, float(own), float(weight), fit(*rows), fit)
        for kind, own, weight, fit in zip(kinds, r2, weights, fits, strict=True)
    )
    return Blend(members, _r2(rows.values, weights @ predicted))


def run_all(tasks: Sequence[object], jobs: int, rows: int) -> list[Any]:
    """The results of joblib's delayed calls, spread over processes where that pays.

    They do not depend on the number of processes: every call has a seed of its own, and linear
    algebra runs on one thread, since its last digits depend on how many there are (in this process
    the caller sees to that).
    """
    processes = jobs if rows >= ROWS_FOR_PROCESSES else 1
    with parallel_config("loky", inner_max_num_threads=1):
        done: list[Any] = Parallel(n_jobs=processes, max_nbytes=None)(tasks)
    return done


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Linear algebra on one thread in here, and an end to helping processes behind it.

    Its last digits depend on the number of threads. Helpers that nobody ends wait five minutes for
    more to do.
    """
    try:
        with threadpool_limits(1):
            yield
    finally:
        get_reusable_executor().shutdown(wait=True)


def _folds(rows: Rows) -> list[NDArray[np.int64]]:
    order = np.random.default_rng((rows.seed, 5)).permutation(len(rows.values))
    return [np.sort(fold) for fold in np.array_split(order, FOLDS)]


def _predicted_fold(tune: Tune, rows: Rows, fold: NDArray[np.int64]) -> Values:
    """What is predicted for a fold from the others."""
    kept = rows.some(np.setdiff1d(np.arange(len(rows.values)), fold), rows.seed)
    return tune(*kept)(*kept)(rows.features[fold])


def _tuned(tune: Tune, rows: Rows) -> Fit:
    return tune(*rows)


def _r2(values: Values, predicted: Values) -> float:
    """1 − Σ (y − f(x))² / Σ (y − ȳ)²: at most 1, negative where worse than the mean."""
    return 1 - float(((values - predicted) ** 2).sum() / ((values - values.mean()) ** 2).sum())
