"""How sure the shares are: the same estimate from random halves of the rows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from study.analysis.importance import shapley_shares
from study.analysis.surrogate import Features, Fit, Values

HALVES = 50

ROWS_FOR_PROCESSES = 64
"""With fewer rows the refits take less time than processes take to start (1.2 s on two cores)."""

Interval = tuple[float, float]


class Grid(NamedTuple):
    """Points to evaluate a surrogate at, as features, and the order of the walks among them."""

    features: Features
    order: NDArray[np.int64]


def halves(rows: int, seed: int) -> NDArray[np.int64]:
    """Random halves of the rows without replacement: (halves, rows // 2).

    Ordinary bootstrap samples repeat rows, which tree surrogates take for certainty: intervals
    from them covered 0.5 instead of 0.95, from halves 0.93 (256 rows, 8 simulated studies).
    """
    random = np.random.default_rng((seed, 17))
    return np.array([np.sort(random.permutation(rows)[: rows // 2]) for _ in range(HALVES)])


def shares_of_halves(
    fit: Fit, features: Features, values: Values, grids: Sequence[Grid], seed: int, jobs: int
) -> list[Values]:
    """Shapley shares from a surrogate of every half, for every grid: (halves, groups) each.

    Every half is fitted with a seed of its own, and all are evaluated at the same points, so the
    result does not depend on `jobs`, the number of processes.
    """
    parts = halves(len(values), seed)
    processes = jobs if len(values) >= ROWS_FOR_PROCESSES else 1
    numbered = np.array_split(np.arange(len(parts)), processes)
    found = Parallel(n_jobs=processes, max_nbytes=None)(
        delayed(_shares)(fit, features, values, grids, parts[chunk], seed + chunk)
        for chunk in numbered
    )
    return [np.concatenate(chunks) for chunks in zip(*found, strict=True)]


def standard_errors(shares: Values) -> Values:
    """Standard deviation over the halves: (halves, groups) -> (groups,).

    For samples of half the rows it needs no rescaling (delete-half jackknife, Shao & Wu, 1989).
    """
    errors: Values = shares.std(axis=0, ddof=1)
    return errors


def interval(share: float, error: float) -> Interval:
    """The 95 % interval φ ± 1.96 se, within [0, 1]."""
    return max(0.0, float(share - 1.96 * error)), min(1.0, float(share + 1.96 * error))


def first_probability(shares: Values) -> Values:
    """P(first): in which part of the halves each group has the largest share."""
    return np.bincount(shares.argmax(axis=1), minlength=shares.shape[1]) / len(shares)


def ahead_probability(shares: Values) -> Values:
    """P(g > h): in which part of the halves group g has a larger share than h: (g, h)."""
    ahead: Values = (shares[:, :, None] > shares[:, None, :]).mean(axis=0)
    return ahead


def _shares(
    fit: Fit,
    features: Features,
    values: Values,
    grids: Sequence[Grid],
    parts: NDArray[np.int64],
    seeds: NDArray[np.int64],
) -> list[Values]:
    found: list[list[Values]] = [[] for _ in grids]
    for part, seed in zip(parts, seeds, strict=True):
        predict = fit(features[part], values[part], int(seed))
        for shares, grid in zip(found, grids, strict=True):
            walks = predict(grid.features).reshape(len(grid.order), -1)
            shares.append(shapley_shares(walks, grid.order).shapley)
    return [np.array(shares) for shares in found]
