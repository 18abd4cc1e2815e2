"""Ask surrogates about rows that they were not fitted on: what each factor does to each row."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training_factors.study.analysis.features import Array, Blocks, Features, Layout
from training_factors.study.analysis.rows import Predict, Rows

WALKS_PER_ROW = 8
"""Number of walks from each row to drawn configurations, for the Shapley values at the row."""

REDRAWS = 16
"""Number of times that the coordinates of a factor are drawn again at each row, half of them for
each of the two means of `HeldOut`."""


class HeldOut(NamedTuple):
    """Predictions and effects of factors at rows that the surrogates were not fitted on.

    predictions: (rows,). shapley: for every grouping of the factors, the Shapley values of each
    row's prediction, (rows, groups): how much each group moves it from the mean prediction.
    expected: the mean prediction with a factor's coordinates drawn again, (rows, factors).
    contrast: the prediction less the mean over other redraws, (rows, factors). All are linear in
    the surrogate, so those of a blend are the weighted means.
    """

    predictions: Array
    shapley: tuple[Array, ...]
    expected: Array
    contrast: Array

    def scaled(self, weight: float) -> "HeldOut":
        """Return all numbers times a weight."""
        return HeldOut(
            weight * self.predictions,
            tuple(weight * one for one in self.shapley),
            weight * self.expected,
            weight * self.contrast,
        )

    def plus(self, other: "HeldOut") -> "HeldOut":
        """Return the sums."""
        return HeldOut(
            self.predictions + other.predictions,
            tuple(map(np.add, self.shapley, other.shapley)),
            self.expected + other.expected,
            self.contrast + other.contrast,
        )


def join_folds(folds: Sequence[NDArray[np.int64]], parts: Sequence[HeldOut]) -> HeldOut:
    """Return the rows of all folds in their own order. folds: numbers of the rows of each part."""
    order = np.argsort(np.concatenate(folds))

    def join(arrays: Sequence[Array]) -> Array:
        return np.concatenate(arrays)[order]

    return HeldOut(
        join([part.predictions for part in parts]),
        tuple(join(one) for one in zip(*(part.shapley for part in parts), strict=True)),
        join([part.expected for part in parts]),
        join([part.contrast for part in parts]),
    )


def ask(predict: Predict, rows: Rows, groupings: Sequence[Blocks], seed: int) -> HeldOut:
    """Return what a fitted surrogate says about rows.

    groupings: the factors, and other ways to group their columns. seed: two surrogates that are
    asked with the same seed are asked about the same points.
    """
    features, layout = rows.features, rows.layout
    shapley = tuple(
        _shapley_values(predict, features, layout, blocks, np.random.default_rng((seed, 37)))
        for blocks in groupings
    )
    if groupings:
        random = np.random.default_rng((seed, 47))
        expected, contrast = _redraw(predict, features, layout, groupings[0], random)
    else:
        expected = contrast = np.zeros((len(features), 0))
    return HeldOut(predict(features), shapley, expected, contrast)


def _shapley_values(
    predict: Predict,
    features: Features,
    layout: Layout,
    blocks: Blocks,
    random: np.random.Generator,
) -> Array:
    """Return the Shapley values of every row's prediction: (rows, groups).

    On a walk from a row to a drawn configuration, groups take over its coordinates one after
    another in random order; a group's value is the mean of what its step takes away (Štrumbelj &
    Kononenko, 2014). Every second walk goes in the reverse order of the one before.
    """
    rows, groups = len(features), len(blocks)
    half = random.permuted(np.tile(np.arange(groups), (rows * WALKS_PER_ROW // 2, 1)), axis=1)
    order = np.stack([half, half[:, ::-1]], axis=1).reshape(-1, groups)
    ends = _draw(layout, len(order), random)
    points = np.repeat(np.repeat(features, WALKS_PER_ROW, axis=0)[:, None], groups + 1, axis=1)
    rank = np.argsort(order, axis=1)
    step = np.arange(groups + 1)
    for group, block in enumerate(blocks):
        taken = step > rank[:, [group]]
        for column in block:
            points[:, :, column] = np.where(taken, ends[:, [column]], points[:, :, column])
    values = predict(points.reshape(-1, features.shape[1])).reshape(len(order), -1)
    steps = values[:, :-1] - values[:, 1:]
    by_group = np.take_along_axis(steps, rank, axis=1)
    means: Array = by_group.reshape(rows, WALKS_PER_ROW, groups).mean(axis=1)
    return means


def _redraw(
    predict: Predict,
    features: Features,
    layout: Layout,
    blocks: Blocks,
    random: np.random.Generator,
) -> tuple[Array, Array]:
    """Return `expected` and `contrast` of `HeldOut`, each (rows, groups)."""
    fresh = _draw(layout, len(features) * REDRAWS, random)
    repeated = np.repeat(features, REDRAWS, axis=0)
    columns = []
    for block in blocks:
        points = repeated.copy()
        points[:, list(block)] = fresh[:, list(block)]
        columns.append(predict(points).reshape(len(features), REDRAWS))
    redrawn = np.stack(columns, axis=1)
    expected = redrawn[:, :, ::2].mean(axis=2)
    return expected, predict(features)[:, None] - redrawn[:, :, 1::2].mean(axis=2)


def _draw(layout: Layout, count: int, random: np.random.Generator) -> Features:
    """Draw configurations from the distribution of the design: (count, columns)."""
    return layout.decode(random.random((count, len(layout.axes)))).astype(np.float32)
