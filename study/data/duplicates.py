"""Find samples that are nearly the same: in two parts of the data they make its test too easy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

NO_TWIN = -1

THUMBNAIL = 9
"""Side in pixels of the thumbnails that images are compared by."""

MAX_DIFFERENCE = 0.03
"""Largest root mean square difference between the thumbnails of near-duplicates, as a part of their
contrast: a copy saved as JPEG again differs by about 0.01."""

MIN_CONTRAST = 8.0
"""Smallest standard deviation of a thumbnail's grey levels; flatter ones all look alike."""

MAX_DISTANCE = 10.0
"""Largest difference of two near-duplicates along a direction, in grey levels."""

DIRECTIONS, WINDOW = 8, 50
"""Number of random directions that thumbnails are projected on, and of neighbours along each that
an image is compared with: near-duplicates are neighbours along some of them."""


def find_twins(inputs: NDArray[Any]) -> NDArray[np.int64]:
    """Return a number for each sample: equal for samples that are nearly the same, else -1.

    Rows of a table are the same if all features are equal. Images are nearly the same if their
    thumbnails are; candidates are neighbours in random projections (Bingham and Mannila, 2001).

    inputs: as in `Dataset`.
    """
    if inputs.ndim == 2:
        return _numbered(_equal_rows(inputs))
    if min(inputs.shape[2:]) < THUMBNAIL:
        return _numbered(_equal_rows(inputs.reshape(len(inputs), -1)))
    thumbnails = _thumbnails(inputs)
    first, second = _candidates(thumbnails.reshape(len(inputs), -1))
    contrast = thumbnails.std(axis=(1, 2))
    difference = np.sqrt(((thumbnails[first] - thumbnails[second]) ** 2).mean(axis=(1, 2)))
    least = np.minimum(contrast[first], contrast[second])
    same = (difference <= MAX_DIFFERENCE * least) & (least >= MIN_CONTRAST)
    pairs = coo_array((np.ones(same.sum()), (first[same], second[same])), shape=[len(inputs)] * 2)
    labels: NDArray[np.int64] = connected_components(pairs, directed=False)[1].astype(np.int64)
    return _numbered(labels)


def crossing_twins(twins: NDArray[np.int64], one: NDArray[Any], other: NDArray[Any]) -> int:
    """Return how many samples of one part have a twin in the other. one, other: their indices."""
    here, there = twins[one], twins[other]
    return int(np.isin(here[here != NO_TWIN], there[there != NO_TWIN]).sum())


def _numbered(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keep the labels of two samples or more; the others become `NO_TWIN`."""
    counts = np.bincount(labels)
    return np.where(counts[labels] > 1, labels, NO_TWIN)


def _equal_rows(rows: NDArray[Any]) -> NDArray[np.int64]:
    """Return equal labels for equal rows."""
    contiguous = np.ascontiguousarray(rows)
    keys = contiguous.view(np.dtype((np.void, contiguous.dtype.itemsize * contiguous.shape[1])))
    labels: NDArray[np.int64] = np.unique(keys.ravel(), return_inverse=True)[1].astype(np.int64)
    return labels


def _thumbnails(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return grey thumbnails, (samples, THUMBNAIL, THUMBNAIL), each pixel the mean of a cell."""
    rows, columns = (
        np.linspace(0, size, THUMBNAIL + 1).astype(int)[:-1] for size in images.shape[2:]
    )
    thumbnails = np.empty((len(images), THUMBNAIL, THUMBNAIL), dtype=np.float32)
    sizes = np.outer(
        np.diff(np.append(rows, images.shape[2])), np.diff(np.append(columns, images.shape[3]))
    )
    for start in range(0, len(images), 1000):
        grey = images[start : start + 1000].mean(axis=1, dtype=np.float32)
        sums = np.add.reduceat(np.add.reduceat(grey, rows, axis=1), columns, axis=2)
        thumbnails[start : start + 1000] = sums / sizes
    return thumbnails


def _candidates(
    vectors: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return index pairs of vectors that are near to one another in all projections."""
    directions = np.random.default_rng(0).normal(size=(vectors.shape[1], DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    projected = vectors @ directions.astype(np.float32)
    firsts, seconds = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for coordinate in projected.T:
        order = np.argsort(coordinate, kind="stable")
        for distance in range(1, min(WINDOW, len(order))):
            one, other = order[:-distance], order[distance:]
            near = np.abs(coordinate[one] - coordinate[other]) <= MAX_DISTANCE
            one, other = one[near], other[near]
            near = (np.abs(projected[one] - projected[other]) <= MAX_DISTANCE).all(axis=1)
            firsts.append(one[near])
            seconds.append(other[near])
    return np.concatenate(firsts), np.concatenate(seconds)
