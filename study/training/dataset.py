"""Data in memory: what every source gives, and what a study is run on."""

import hashlib
import json
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training_factors.search_spaces.problem import Problem


class PartLabel(IntEnum):
    """Where a source itself put a sample."""

    POOL = 0
    VALIDATION = 1
    TEST = 2
    UNDECIDED = 3


class Decoded(NamedTuple):
    """What a source gives; shapes and types as in `Dataset`, as arrays."""

    inputs: NDArray[Any]
    targets: NDArray[Any]
    classes: tuple[str, ...] | None
    parts: NDArray[np.uint8]
    skipped: tuple[str, ...] = ()


class Dataset(NamedTuple):
    """All samples of a data set, on the CPU.

    name: as shown: `digits`, or the name of the folder or file.
    inputs: uint8 images (samples, channels, height, width) or float32 tables (samples, features);
        memory-mapped when larger than a quarter of the machine's memory.
    targets: int64 indices into `classes`, or float32 numbers as the source gives them (regression).
    classes: their names; None for regression.
    parts: a `Place` per sample, uint8.
    skipped: the unreadable files that were left out.
    fingerprint: a digest of inputs, targets, classes and parts, the same on every machine.
    """

    name: str
    inputs: Tensor
    targets: Tensor
    classes: tuple[str, ...] | None
    parts: Tensor
    skipped: tuple[str, ...]
    fingerprint: str

    @property
    def problem(self) -> Problem:
        """What is to be learned."""
        classes = None if self.classes is None else len(self.classes)
        return Problem(tuple(self.inputs.shape[1:]), classes)


def unassigned(samples: int) -> NDArray[np.uint8]:
    """The parts of a source that divides nothing."""
    return np.full(samples, PartLabel.UNDECIDED, dtype=np.uint8)


def to_dataset(decoded: Decoded, name: str) -> Dataset:
    """The same data as tensors, with its fingerprint."""
    arrays = [
        np.ascontiguousarray(decoded.inputs),
        np.ascontiguousarray(
            decoded.targets, dtype=np.float32 if decoded.classes is None else np.int64
        ),
        np.ascontiguousarray(decoded.parts),
    ]
    inputs, targets, parts = (torch.from_numpy(array) for array in arrays)
    mark = _fingerprint(arrays, decoded.classes)
    return Dataset(name, inputs, targets, decoded.classes, parts, decoded.skipped, mark)


def _fingerprint(arrays: list[NDArray[Any]], classes: tuple[str, ...] | None) -> str:
    digest = hashlib.sha256(json.dumps(classes).encode())
    for array in arrays:
        # Little-endian bytes, so that the order of a machine's bytes is not part of the content.
        ordered = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{ordered.dtype.str}{ordered.shape}".encode())
        digest.update(ordered.data)
    return digest.hexdigest()
