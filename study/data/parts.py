"""The parts of a data set: training pool, validation and test, and the names they are given."""

import re
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class PartLabel(IntEnum):
    """The part that a source itself assigns a sample to; UNDECIDED where it assigns none."""

    POOL = 0
    VALIDATION = 1
    TEST = 2
    UNDECIDED = 3

    @property
    def word(self) -> str:
        """Return the name for messages: the pool is the `training` part."""
        return "training" if self is PartLabel.POOL else self.name.lower()


PART_NAMES = {
    "train": PartLabel.POOL,
    "training": PartLabel.POOL,
    "val": PartLabel.VALIDATION,
    "valid": PartLabel.VALIDATION,
    "validation": PartLabel.VALIDATION,
    "test": PartLabel.TEST,
    "testing": PartLabel.TEST,
}
"""Names of parts, in lower case: of folders, of arrays and in a column."""

FILLERS = frozenset(
    {"set", "images", "image", "imgs", "img", "data", "dataset", "seg", "split", "part", "folder"}
)
"""Words that the name of a part may have besides, as in `seg_train` or `test_images`."""


def part_of(name: str) -> PartLabel | None:
    """Return the part that a name says: `train`, `seg_train`, `test_set`, `val1`."""
    words = set(re.findall(r"[a-z]+", name.lower())) - FILLERS
    return PART_NAMES.get(next(iter(words))) if len(words) == 1 else None


def part_labels(parts: Sequence[PartLabel], sizes: Sequence[int]) -> NDArray[np.uint8]:
    """Return the part label of each sample, for parts that follow one another."""
    return np.repeat(np.array([int(part) for part in parts], dtype=np.uint8), sizes)


def unassigned(samples: int) -> NDArray[np.uint8]:
    """Return the part labels of a source that is not divided: all UNDECIDED."""
    return np.full(samples, PartLabel.UNDECIDED, dtype=np.uint8)
