"""Where in the latent unit cube a function is to be evaluated, to learn who moves it.

Two independent points come from one scrambled Sobol sequence (Sobol, 1967; Owen, 1995) of twice
the dimension.
"""

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


def draw_walks(groups: Groups, samples: int, seed: int) -> Walks:
    """Walks for `shapley_shares`; `samples` is a power of two.

    Of each two walks the second goes in the reverse order of the first.
    """
    start, end, random = _pairs(groups, samples, seed)
    members = _members(groups)
    forward = random.permuted(np.tile(np.arange(len(groups)), (samples // 2, 1)), axis=1)
    order = np.stack([forward, forward[:, ::-1]], axis=1).reshape(samples, -1)
    moved = np.cumsum(members[order], axis=1)
    origin = np.zeros_like(moved[:, :1])
    taken = np.concatenate([origin, moved], axis=1) > 0
    points = np.where(taken, end[:, None], start[:, None])
    return Walks(points.reshape(-1, points.shape[-1]), order)


def draw_exchanges(groups: Groups, samples: int, seed: int) -> list[Array]:
    """Points A, B, and for every group A with its coordinates from B: each (samples, axes).

    They are for `indices`; `samples` is a power of two.
    """
    a, b, _ = _pairs(groups, samples, seed)
    return [a, b, *(np.where(member, b, a) for member in _members(groups))]


def _pairs(groups: Groups, samples: int, seed: int) -> tuple[Array, Array, np.random.Generator]:
    random = np.random.default_rng((seed, 11))
    axes = sum(len(owned) for owned in groups.values())
    cube = qmc.Sobol(2 * axes, scramble=True, rng=random).random_base2(samples.bit_length() - 1)
    return cube[:, :axes], cube[:, axes:], random


def _members(groups: Groups) -> NDArray[np.bool_]:
    """Which axes each group owns: (groups, axes)."""
    axes = sum(len(owned) for owned in groups.values())
    return np.array([np.isin(np.arange(axes), owned) for owned in groups.values()])
