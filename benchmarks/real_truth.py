"""Compare importance with true shares that were measured on 10,096 real trainings.

python -m benchmarks.real_truth [ROWS ...]   # 128, 256 and 512 rows by default

`data/truth-digits-mlp.npz` holds trainings of `mlp:small` on digits over the space `documented`,
each with a seed of its own, 15 epochs: 4,096 points of one Sobol sequence, and 400 walks from one
point to an independent one that take over the coordinates of one factor at a time, in random order.
The walks give the true Shapley effects without any surrogate. A block of consecutive rows of the
sequence is what a study of that size measures. The program exits with 1 where a bound is missed.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr

from training_factors.search_spaces.description import PLACEBO, read_description
from training_factors.study.analysis.blend import Rows, fit_blend, single_threaded
from training_factors.study.analysis.features import Array, Layout, read_layout
from training_factors.study.analysis.sensitivity import shapley_estimand
from training_factors.study.analysis.surrogates import boost

DATA = Path(__file__).parent / "data/truth-digits-mlp.npz"

BLOCKS = {128: 12, 256: 8, 512: 6}
"""Number of rows of a block -> number of blocks, which are spread over the sequence."""

MIN_R2 = {128: 0.48, 256: 0.58, 512: 0.65}
"""Number of rows -> smallest mean R² on rows that were not used."""

MAX_ERROR = {128: 0.036, 256: 0.024, 512: 0.022}
"""Number of rows -> largest mean error of a share."""

CONTROL_WALKS = 8192
"""Number of walks that give the shares of the control variate."""

WALKS = 1024
"""Number of walks that give the shares of a block."""

JOBS = os.cpu_count() or 1


class Truth(NamedTuple):
    """Real trainings and what they say. units, values: of the Sobol sequence. shares: the true ones
    by factor, as parts of what can be explained, which sum to 1. errors: their standard errors."""

    layout: Layout
    units: Array
    values: Array
    shares: dict[str, float]
    errors: dict[str, float]


class Found(NamedTuple):
    """The analysis of a block of rows. r2: on the rows of other blocks."""

    r2: float
    shares: dict[str, float]


def main() -> None:
    truth = load_truth()
    console = Console()
    console.print(truth_table(truth))
    table = Table(
        "rows", "blocks", "R²", "mean error", "largest error", "right winner", "rank correlation",
        "optimizer",
    )  # fmt: skip
    missed = []
    for rows in [int(word) for word in sys.argv[1:]] or list(BLOCKS):
        found = [study_block(truth, rows, block) for block in range(BLOCKS[rows])]
        r2, error = add_row(table, truth, rows, found)
        if r2 < MIN_R2[rows]:
            missed.append(f"{rows} rows: R² {r2:.3f} is below {MIN_R2[rows]}")
        if error > MAX_ERROR[rows]:
            missed.append(f"{rows} rows: mean error {error:.3f} is above {MAX_ERROR[rows]}")
    console.print(table)
    sys.exit("\n".join(missed) if missed else 0)


def load_truth(path: Path = DATA) -> Truth:
    """Read the trainings and compute the true shares from the walks.

    A surrogate of all rows is the control variate: what the walks say of it is replaced by what
    many more walks say of it (Owen, 2013, chapter 8).
    """
    with np.load(path) as stored:
        data = {name: stored[name] for name in stored.files}
    coordinates = read_description(
        {"coordinates": json.loads(str(data["coordinates"]))}
    ).coordinates
    layout = read_layout(coordinates)
    units, values = data["rows"].astype(float), data["row_accuracy"].astype(float)
    groups = layout.factors()
    names = [str(name) for name in data["walk_groups"]]
    predict = boost(layout.decode(units).astype(np.float32), values, 0)
    points = data["walk_points"].astype(float)
    predicted = predict(layout.decode(points.reshape(-1, units.shape[1])).astype(np.float32))
    order = data["walk_order"].astype(np.int64)
    real = walk_terms(data["walk_accuracy"].astype(float), order)
    control = walk_terms(predicted.reshape(points.shape[:2]), order)
    varied = {name: groups[name] for name in names}
    estimand = shapley_estimand(layout, groups, CONTROL_WALKS, 0)
    outputs = predict(estimand.features).reshape(-1, len(groups) + 1)
    many = dict(zip(groups, walk_terms(outputs, estimand.order).mean(axis=0), strict=True))
    differences = real - control
    raw = differences.mean(axis=0) + np.array([many[name] for name in varied])
    errors = differences.std(axis=0, ddof=1) / len(differences) ** 0.5
    total = raw.sum()
    return Truth(
        layout,
        units,
        values,
        dict(zip(names, (raw / total).tolist(), strict=True)),
        dict(zip(names, (errors / total).tolist(), strict=True)),
    )


def walk_terms(walks: Array, order: NDArray[np.int64]) -> Array:
    """Return the contribution of every group to the variance, walk by walk: (walks, groups).

    A step from f₋ to f₊ on a walk from x to y contributes (f(x) − f(y)) (f₋ − f₊) / 2 (Goda, 2021).
    """
    steps = (walks[:, :1] - walks[:, -1:]) * (walks[:, :-1] - walks[:, 1:]) / 2
    terms = np.empty_like(steps)
    np.put_along_axis(terms, order, steps, axis=1)
    return terms


def study_block(truth: Truth, rows: int, block: int) -> Found:
    """Analyse one block of consecutive rows as a study's analysis does."""
    start = block * (len(truth.values) // BLOCKS[rows] // rows) * rows
    inside = np.arange(start, start + rows)
    outside = np.setdiff1d(np.arange(len(truth.values)), inside)
    features = truth.layout.decode(truth.units).astype(np.float32)
    with single_threaded():
        blend = fit_blend(Rows(features[inside], truth.values[inside], block), JOBS)
    predicted = blend.weights @ blend.predict_each(features[outside])
    errors = truth.values[outside] - predicted
    groups = truth.layout.factors()
    estimand = shapley_estimand(truth.layout, groups, WALKS, block)
    shares = estimand.estimate_from(blend.weights @ blend.predict_each(estimand.features))
    by_factor = dict(zip(groups, shares.tolist(), strict=True))
    by_factor.pop(PLACEBO)
    return Found(1 - float((errors**2).mean() / truth.values[outside].var()), by_factor)


def add_row(table: Table, truth: Truth, rows: int, found: list[Found]) -> tuple[float, float]:
    """Add the row of a number of rows to the table; return the mean R² and the mean error."""
    true = np.array(list(truth.shares.values()))
    shares = np.array([[one.shares[name] for name in truth.shares] for one in found])
    errors = np.abs(shares - true)
    correlations: list[Any] = [spearmanr(one, true).statistic for one in shares]
    r2 = float(np.mean([one.r2 for one in found]))
    winners = np.mean(shares.argmax(axis=1) == true.argmax())
    optimizer = shares[:, list(truth.shares).index("optimizer")].mean()
    table.add_row(
        str(rows), str(len(found)), f"{r2:.3f}", f"{errors.mean():.3f}",
        f"{errors.max(axis=1).mean():.3f}", f"{winners:.2f}", f"{np.mean(correlations):.2f}",
        f"{optimizer:.2f}",
    )  # fmt: skip
    return r2, float(errors.mean())


def truth_table(truth: Truth) -> Table:
    table = Table("factor", "true share", "standard error")
    for name in sorted(truth.shares, key=lambda name: -truth.shares[name]):
        table.add_row(name, f"{truth.shares[name]:.3f}", f"{truth.errors[name]:.3f}")
    return table


if __name__ == "__main__":
    main()
