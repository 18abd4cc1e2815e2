"""Where in the latent unit cube a function is to be evaluated, to learn who moves it.

Independent points come from one scrambled Sobol sequence (Sobol, 1967; Owen, 1995) of as many
dimensions as they have together. Numbers of samples are powers of two.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from study.analysis.features import Array, Groups


class Walks(NamedTuple):
    """Walks from one point to another: points (samples × (groups + 1), axes), one after another.

    order: (samples, groups), the group that each step of a walk takes from the other point.
    """

    points: Array
    order: NDArray[np.int64]


def draw_walks(
    groups: Groups, samples: int, seed: int, unions: Sequence[str] | None = None
) -> Walks:
    """Walks for `shapley_shares`, in random orders of the groups.

    Of each two walks the second goes in the reverse order of the first. unions: for every group
    the union that it belongs to; groups of one union then follow each other, and their shares sum
    to that of the union as a group (Owen, 1977).
    """
    axes = sum(len(owned) for owned in groups.values())
    start, end, random = _pairs(axes, samples, seed)
    names = list(unions or groups)
    distinct = list(dict.fromkeys(names))
    of = np.array([distinct.index(name) for name in names])
    of_union = random.random((samples // 2, len(distinct)))[:, of]
    forward = np.lexsort((random.random(of_union.shape), of_union), axis=1)
    order = np.stack([forward, forward[:, ::-1]], axis=1).reshape(samples, -1)
    members = _members(groups.values(), axes)
    moved = np.cumsum(members[order], axis=1)
    origin = np.zeros_like(moved[:, :1])
    taken = np.concatenate([origin, moved], axis=1) > 0
    points = np.where(taken, end[:, None], start[:, None])
    return Walks(points.reshape(-1, axes), order)


def draw_exchanges(groups: Groups, axes: int, samples: int, seed: int) -> list[Array]:
    """Points A, B, and for every group A with its coordinates from B: each (samples, axes).

    They are for `indices`; groups may overlap.
    """
    a, b, _ = _pairs(axes, samples, seed)
    return [a, b, *(np.where(member, b, a) for member in _members(groups.values(), axes))]


def draw_closed(sets: Iterable[Sequence[int]], axes: int, samples: int, seed: int) -> list[Array]:
    """Points A, and for every set of axes B with these coordinates from A: each (samples, axes).

    They are for `closed`.
    """
    a, b, _ = _pairs(axes, samples, seed)
    return [a, *(np.where(member, a, b) for member in _members(sets, axes))]


def draw_pinned(
    settings: Sequence[Mapping[int, float]], axes: int, samples: int, seed: int
) -> list[Array]:
    """The same points for every setting, with the axes that it pins at its values."""
    points, _, _ = _pairs(axes, samples, seed)
    drawn = []
    for setting in settings:
        pinned = points.copy()
        pinned[:, list(setting)] = list(setting.values())
        drawn.append(pinned)
    return drawn


def _pairs(axes: int, samples: int, seed: int) -> tuple[Array, Array, np.random.Generator]:
    random = np.random.default_rng((seed, 11))
    cube = qmc.Sobol(2 * axes, scramble=True, rng=random).random_base2(samples.bit_length() - 1)
    return cube[:, :axes], cube[:, axes:], random


def _members(sets: Iterable[Sequence[int]], axes: int) -> NDArray[np.bool_]:
    """Which axes belong to each set: (sets, axes)."""
    return np.array([np.isin(np.arange(axes), list(owned)) for owned in sets])
