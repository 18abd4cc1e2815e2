"""Shares of groups of factors, with their intervals, from one surrogate and its half-samples."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from study.analysis.features import Array, Groups, Layout
from study.analysis.importance import Indices, indices, shapley_shares
from study.analysis.intervals import (
    Grid,
    Interval,
    ahead_probability,
    first_probability,
    interval,
    shares_of_halves,
    standard_errors,
)
from study.analysis.points import draw_exchanges, draw_walks
from study.analysis.surrogate import Features, Fit, Predict, Values

SAMPLES = 2048
"""Walks for the shares themselves: their Monte-Carlo error is about 0.008."""

FEWER_SAMPLES = 256
"""Walks for every half-sample, where differences among halves count and not their level."""


class Estimate(NamedTuple):
    """Shares of named groups, and their 95 % intervals; p_first: how often each is the largest.

    p_ahead: (g, h), how often the share of g is larger than that of h, over half-samples.
    """

    names: tuple[str, ...]
    shares: Array
    intervals: tuple[Interval, ...]
    p_first: Array
    p_ahead: Array


class Fitted(NamedTuple):
    """A surrogate of the rows of a study, and all that it takes to fit it again on some of them."""

    layout: Layout
    features: Features
    values: Values
    fit: Fit
    predict: Predict
    seed: int


def estimate_shares(fitted: Fitted, groupings: Sequence[Groups], jobs: int) -> tuple[Estimate, ...]:
    """Shares for every way of grouping the axes; each is estimated jointly, never as a sum."""
    few = [_grid(fitted, groups, FEWER_SAMPLES) for groups in groupings]
    features, values, fit, seed = fitted.features, fitted.values, fitted.fit, fitted.seed
    halves = shares_of_halves(fit, features, values, few, seed, jobs)
    return tuple(
        _estimate(fitted, *of_grouping) for of_grouping in zip(groupings, few, halves, strict=True)
    )


def sobol_indices(fitted: Fitted, groups: Groups) -> Indices:
    """First-order and total index of every group, in their order."""
    start, other, *mixed = (
        fitted.predict(fitted.layout.decode(points).astype(np.float32))
        for points in draw_exchanges(groups, SAMPLES, fitted.seed)
    )
    return indices(start, other, np.array(mixed))


def _grid(fitted: Fitted, groups: Groups, samples: int) -> Grid:
    walks = draw_walks(groups, samples, fitted.seed)
    return Grid(fitted.layout.decode(walks.points).astype(np.float32), walks.order)


def _estimate(fitted: Fitted, groups: Groups, few: Grid, halves: Values) -> Estimate:
    shares = _shares(fitted.predict, _grid(fitted, groups, SAMPLES))
    # All halves are seen through the same few points: what these get wrong on the whole
    # surrogate, where many points are affordable, is taken off every half.
    halves = halves + shares - _shares(fitted.predict, few)
    errors = standard_errors(halves)
    return Estimate(
        names=tuple(groups),
        shares=shares,
        intervals=tuple(interval(*pair) for pair in zip(shares, errors, strict=True)),
        p_first=first_probability(halves),
        p_ahead=ahead_probability(halves),
    )


def _shares(predict: Predict, grid: Grid) -> Values:
    walks = predict(grid.features).reshape(len(grid.order), -1)
    return shapley_shares(walks, grid.order).shapley
