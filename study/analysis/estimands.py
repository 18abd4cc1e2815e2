"""What is asked of a surrogate: numbers that follow from its values at certain points."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from study.analysis.features import Array, Groups, Layout
from study.analysis.importance import closed, indices, shapley_shares
from study.analysis.points import draw_closed, draw_exchanges, draw_pinned, draw_walks
from study.analysis.surrogate import Features


class Estimand(Protocol):
    """A question to a surrogate."""

    @property
    def features(self) -> Features:
        """Where the surrogate is to be evaluated: (points, columns)."""

    def of(self, outputs: Array) -> Array:
        """The answer from the surrogate's outputs there: (points,) -> (numbers,)."""


class Shapley(NamedTuple):
    """The Shapley share of every group."""

    features: Features
    order: NDArray[np.int64]

    def of(self, outputs: Array) -> Array:
        """(groups,), summing to 1."""
        return shapley_shares(outputs.reshape(len(self.order), -1), self.order).shapley


class Sobol(NamedTuple):
    """First-order and total index of every group."""

    features: Features
    samples: int

    def of(self, outputs: Array) -> Array:
        """First-order indices, then total ones: (2 · groups,)."""
        start, other, *mixed = outputs.reshape(-1, self.samples)
        return np.concatenate(indices(start, other, np.array(mixed)))


class Pairs(NamedTuple):
    """The share of every pair's interaction, beyond what each of the two does alone."""

    features: Features
    samples: int
    pairs: tuple[tuple[int, int], ...]
    singles: int

    def of(self, outputs: Array) -> Array:
        """(pairs,); a slightly negative estimate is left, so that its errors average out."""
        start, *moved = outputs.reshape(-1, self.samples)
        parts = closed(start, np.array(moved))
        alone, together = parts[: self.singles], parts[self.singles :]
        first, second = np.array(self.pairs, dtype=np.int64).reshape(-1, 2).T
        beyond: Array = together - alone[first] - alone[second]
        return beyond


class Marginals(NamedTuple):
    """The mean over all else at every setting."""

    features: Features
    samples: int

    def of(self, outputs: Array) -> Array:
        """(settings,), in the unit of the objective."""
        means: Array = outputs.reshape(-1, self.samples).mean(axis=1)
        return means


def shapley(
    layout: Layout, groups: Groups, samples: int, seed: int, unions: Sequence[str] | None = None
) -> Shapley:
    """Shapley shares of groups; unions: see `draw_walks`."""
    walks = draw_walks(groups, samples, seed, unions)
    return Shapley(_features(layout, walks.points), walks.order)


def sobol(layout: Layout, groups: Groups, samples: int, seed: int) -> Sobol:
    """Sobol indices of groups, which may overlap."""
    points = draw_exchanges(groups, len(layout.axes), samples, seed)
    return Sobol(_features(layout, np.concatenate(points)), samples)


def pairs(layout: Layout, groups: Groups, samples: int, seed: int) -> Pairs:
    """Interactions of all pairs of these groups, in the order of `combinations`."""
    both = tuple(combinations(range(len(groups)), 2))
    owned = list(groups.values())
    sets = [*owned, *(owned[i] + owned[j] for i, j in both)]
    points = draw_closed(sets, len(layout.axes), samples, seed)
    return Pairs(_features(layout, np.concatenate(points)), samples, both, len(owned))


def marginals(
    layout: Layout, settings: Sequence[Mapping[int, float]], samples: int, seed: int
) -> Marginals:
    """Means at settings: each pins some axes to points of the unit interval."""
    points = draw_pinned(settings, len(layout.axes), samples, seed)
    return Marginals(_features(layout, np.concatenate(points)), samples)


def _features(layout: Layout, points: Array) -> Features:
    return layout.decode(points).astype(np.float32)
