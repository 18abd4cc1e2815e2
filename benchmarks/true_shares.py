"""Compute the true shares of all factors from real trainings, and store them with the trainings.

python -m benchmarks.true_shares FILE ...

With surrogates f that saw the rows of the other folds, the Shapley effects of the objective y are

    B(y, y) = [2 B(y, f) − B(f, f)] + B(y − f, y − f)

where B is the bilinear form of the Shapley effect. The bracket is the one-step estimate from the
rows. The last term is what the surrogates miss: the walks give it without any bias, and since the
surrogates leave little, with a small error.
"""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.machine import cores
from benchmarks.make_truth import walk_points
from training_factors.search_spaces.description import PLACEBO, read_description
from training_factors.study.analysis.cross_fitting import ask, join_folds
from training_factors.study.analysis.features import Array, Layout, read_layout
from training_factors.study.analysis.gaussian_process import (
    fit_gaussian_process,
    tune_gaussian_process,
)
from training_factors.study.analysis.rows import Predict, Rows
from training_factors.study.analysis.shares import one_step
from training_factors.study.analysis.surrogates import boost

FOLDS = 4
GAUSSIAN_PROCESS_ROWS = 2048
"""Maximum number of rows that the Gaussian process is fitted on."""
GAUSSIAN_PROCESS_WEIGHT = 0.8


class Trainings(NamedTuple):
    """Real trainings. units, values: of the rows. noise: variance that the seed alone causes.

    walk_values: (walks, factors + 1), along `walk_units`. order: (walks, factors).
    """

    layout: Layout
    units: Array
    values: Array
    noise: float
    walk_units: Array
    walk_values: Array
    order: NDArray[np.int64]

    @property
    def names(self) -> list[str]:
        """The varied factors, in the order of the layout."""
        return [name for name in self.layout.factors() if name != PLACEBO]

    @property
    def rows(self) -> Rows:
        return Rows(self.layout.decode(self.units).astype(np.float32), self.values, 0, self.layout)


def read_trainings(data: dict[str, Any]) -> Trainings:
    """Return the trainings of a file."""
    document = {"coordinates": json.loads(str(data["coordinates"]))}
    layout = read_layout(read_description(document).coordinates)
    groups = [axes for name, axes in layout.factors().items() if name != PLACEBO]
    order = data["walk_order"].astype(np.int64)
    values, again = (data[name].astype(np.float64) for name in ("row_accuracy", "repeat_accuracy"))
    noise = float(((values[: len(again)] - again) ** 2).mean()) / 2
    return Trainings(
        layout,
        data["rows"].astype(np.float64),
        values,
        noise,
        walk_points(data["walk_start"], data["walk_end"], order, groups),
        data["walk_accuracy"].astype(np.float64),
        order,
    )


def true_shares(trainings: Trainings) -> tuple[Array, Array, float]:
    """Return the share of every factor, its standard error, and the part of the seed.

    All are parts of the variance of a training. The noise of the seed adds to the effect of the
    factor that a walk changes first or last, by chance to all alike; it is subtracted.
    """
    rows, names = trainings.rows, trainings.names
    order = np.random.default_rng(0).permutation(len(rows.values))
    folds = [np.sort(fold) for fold in np.array_split(order, FOLDS)]
    blocks = trainings.layout.blocks(trainings.layout.factors())
    features = trainings.layout.decode(
        trainings.walk_units.reshape(-1, trainings.units.shape[1])
    ).astype(np.float32)
    results = Parallel(cores())(delayed(_ask_fold)(rows, fold, blocks, features) for fold in folds)
    held_out = join_folds(folds, [held_out for held_out, _ in results])
    shown, covariance = one_step(rows.values, held_out.predictions, held_out.shapley[0])
    variance = float(rows.values.var())
    predicted = np.mean([walks for _, walks in results], axis=0)
    missed = trainings.walk_values - predicted.reshape(trainings.walk_values.shape)
    terms = walk_terms(missed, trainings.order) - trainings.noise / len(names)
    shares = shown[: len(names)] + terms.mean(axis=0) / variance
    sampling = np.diag(covariance)[: len(names)]
    errors = np.sqrt(sampling + terms.var(axis=0, ddof=1) / len(terms) / variance**2)
    return shares, errors, trainings.noise / variance


def walk_terms(walks: Array, order: NDArray[np.int64]) -> Array:
    """Return the contribution of every group to the variance, walk by walk: (walks, groups).

    A step from f₋ to f₊ on a walk from x to y contributes (f(x) − f(y)) (f₋ − f₊) / 2 (Goda, 2021).
    """
    steps = (walks[:, :1] - walks[:, -1:]) * (walks[:, :-1] - walks[:, 1:]) / 2
    terms = np.empty_like(steps)
    np.put_along_axis(terms, order, steps, axis=1)
    return terms


def _ask_fold(rows: Rows, fold: NDArray[np.int64], blocks: Any, walks: Any) -> Any:
    others = rows.without(fold)
    predict = _fit(others)
    return ask(predict, rows.subset(fold, 0), (blocks,), int(fold[0])), predict(walks)


def _fit(rows: Rows) -> Predict:
    part = rows.subset(np.arange(min(len(rows.values), GAUSSIAN_PROCESS_ROWS)), rows.seed)
    process = fit_gaussian_process(part, tune_gaussian_process(part).keywords["kernel"])  # type: ignore[attr-defined]
    trees = boost(rows)
    weight = GAUSSIAN_PROCESS_WEIGHT
    return lambda features: weight * process(features) + (1 - weight) * trees(features)


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        with np.load(path) as stored:
            data = {name: stored[name] for name in stored.files}
        trainings = read_trainings(data)
        shares, errors, noise = true_shares(trainings)
        data |= {"true_shares": shares, "true_errors": errors, "seed_noise": np.array(noise)}
        np.savez_compressed(path, **data)
        table = Table("factor", "true share", "standard error", title=str(data["trained"]))
        for number in np.argsort(-shares):
            table.add_row(trainings.names[number], f"{shares[number]:.3f}", f"{errors[number]:.3f}")
        table.add_row("sum", f"{shares.sum():.3f}", "")
        table.add_row("seed", f"{noise:.3f}", "")
        Console().print(table)


if __name__ == "__main__":
    main()
