"""A class-balanced subset of the data."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def balanced_subset(
    groups: NDArray[np.int64], parts: NDArray[np.uint8], limit: int
) -> NDArray[np.int64]:
    """Indices of `limit` samples, in order: alike many of every group, as far as it has them.

    A group's samples are spread over the parts in proportion, one at least in each, and evenly
    through the order within a part: no random numbers, so the subset is the same everywhere.
    """
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    chosen = [
        _spread(indices, parts, quota)
        for indices, quota in zip(members, _level([len(m) for m in members], limit), strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def _spread(indices: NDArray[np.int64], parts: NDArray[np.uint8], quota: int) -> NDArray[np.int64]:
    cells = [indices[parts[indices] == part] for part in np.unique(parts[indices])]
    quotas = _proportional([len(cell) for cell in cells], quota)
    return np.concatenate(
        [
            cell[(2 * np.arange(size) + 1) * len(cell) // (2 * size)] if size else cell[:0]
            for cell, size in zip(cells, quotas, strict=True)
        ]
    )


def _level(sizes: Sequence[int], total: int) -> list[int]:
    """Shares of the total as equal as the sizes allow; the smallest give all they have."""
    shares, left = [0] * len(sizes), total
    for place, i in enumerate(sorted(range(len(sizes)), key=lambda i: sizes[i])):
        shares[i] = min(sizes[i], left // (len(sizes) - place))
        left -= shares[i]
    return shares


def _proportional(sizes: Sequence[int], total: int) -> list[int]:
    """Shares of the total in proportion to the sizes, one at least while there are any left."""
    shares, left, room = [0] * len(sizes), total, sum(sizes)
    for i in sorted(range(len(sizes)), key=lambda i: sizes[i]):
        shares[i] = min(left, max(1, round(left * sizes[i] / room)))
        left -= shares[i]
        room -= sizes[i]
    return shares
