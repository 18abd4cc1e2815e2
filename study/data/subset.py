"""Limit a data set to a class-balanced subset (`--limit`)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training_factors.study.data.checks import (
    MIN_SAMPLES_PER_CLASS,
    MIN_SAMPLES_REGRESSION,
)


def refuse_limit(limit: int, targets: NDArray[Any], classes: tuple[str, ...] | None) -> None:
    """Raise ValueError when the limit exceeds the data or is too small for a fair study."""
    if limit > len(targets):
        raise ValueError(
            f"limit {limit} is larger than the data ({len(targets)} samples); leave --limit out"
        )
    least = MIN_SAMPLES_REGRESSION if classes is None else MIN_SAMPLES_PER_CLASS * len(classes)
    if limit < least:
        problem = "regression" if classes is None else f"{len(classes)} classes"
        raise ValueError(f"limit {limit} is too small for {problem}; it must be at least {least}")


def balanced_subset(
    groups: NDArray[np.int64], parts: NDArray[np.uint8], limit: int
) -> NDArray[np.int64]:
    """Return the ascending indices of `limit` samples with equally many from every group.

    groups: class or stratum of each sample; a group smaller than its quota gives all it has.
    parts: `PartLabel` of each sample; a group's samples are spread over its parts in proportion,
        with at least one from each part while the quota lasts.
    limit: at most the number of samples.

    Within a part samples are evenly spaced in the source's order. Nothing is random, so the subset
    is the same on every machine.
    """
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    quotas = _equal_quotas([len(indices) for indices in members], limit)
    return np.sort(
        np.concatenate(
            [
                _spread_over_parts(indices, parts, quota)
                for indices, quota in zip(members, quotas, strict=True)
            ]
        )
    )


def _spread_over_parts(
    indices: NDArray[np.int64], parts: NDArray[np.uint8], quota: int
) -> NDArray[np.int64]:
    cells = [indices[parts[indices] == part] for part in np.unique(parts[indices])]
    quotas = _proportional_quotas([len(cell) for cell in cells], quota)
    return np.concatenate(
        [
            cell[(2 * np.arange(size) + 1) * len(cell) // (2 * size)] if size else cell[:0]
            for cell, size in zip(cells, quotas, strict=True)
        ]
    )


def _equal_quotas(sizes: Sequence[int], total: int) -> list[int]:
    """Split the total as equally as the sizes allow; groups that are too small give all."""
    quotas, left = [0] * len(sizes), total
    for position, i in enumerate(sorted(range(len(sizes)), key=lambda i: sizes[i])):
        quotas[i] = min(sizes[i], left // (len(sizes) - position))
        left -= quotas[i]
    return quotas


def _proportional_quotas(sizes: Sequence[int], total: int) -> list[int]:
    """Split the total in proportion to the sizes, at least one each while any are left."""
    quotas, left, unassigned_size = [0] * len(sizes), total, sum(sizes)
    for i in sorted(range(len(sizes)), key=lambda i: sizes[i]):
        quotas[i] = min(left, max(1, round(left * sizes[i] / unassigned_size)))
        left -= quotas[i]
        unassigned_size -= sizes[i]
    return quotas
