"""A data set in memory: as a source decodes it, and as a study uses it."""

import hashlib
import json
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training_factors.search_spaces.problem import Problem
from training_factors.storage.data_report import DataNote
from training_factors.study.data.duplicates import find_twins
from training_factors.study.data.encoding import Encoding


class Decoded(NamedTuple):
    """The arrays that a source gives; the fields are those of `Dataset`."""

    inputs: NDArray[Any]
    targets: NDArray[Any]
    classes: tuple[str, ...] | None
    parts: NDArray[np.uint8]
    skipped: tuple[str, ...] = ()
    notes: tuple[DataNote, ...] = ()
    groups: NDArray[np.int64] | None = None
    encoding: Encoding | None = None

    def choose(self, samples: NDArray[Any]) -> "Decoded":
        """Return the data with these samples only. samples: indices, or a mask."""
        return self._replace(
            inputs=self.inputs[samples],
            targets=self.targets[samples],
            parts=self.parts[samples],
            groups=None if self.groups is None else self.groups[samples],
        )


class Dataset(NamedTuple):
    """All samples of a data set, on the CPU.

    name: as shown: `digits`, or the name of the folder or file.
    inputs: uint8 images (samples, channels, height, width) or float32 tables (samples, features)
        with nan where a number is missing; memory-mapped when larger than a quarter of the
        machine's memory.
    targets: (samples,): int64 indices into `classes`, or for regression float32 numbers in the
        unit of the source.
    classes: class names; None for regression.
    parts: (samples,): a `PartLabel` per sample, uint8.
    skipped: paths of unreadable files, which were left out.
    fingerprint: SHA-256 of inputs, targets, classes, parts and groups, and of how missing numbers
        are filled; the same on every machine.
    notes: what was done to the data, and what its user should know.
    twins: (samples,): int64, equal for samples that are nearly the same, -1 for all others.
    groups: (samples,): int64, equal for samples that stay in one part; empty without groups.
    impute: how missing numbers are filled; see `options.DataOptions`.
    encoding: how images or columns became these inputs; None if they came as arrays of them.
    """

    name: str
    inputs: Tensor
    targets: Tensor
    classes: tuple[str, ...] | None
    parts: Tensor
    skipped: tuple[str, ...]
    fingerprint: str
    notes: tuple[DataNote, ...]
    twins: Tensor
    groups: Tensor
    impute: str = "median"
    encoding: Encoding | None = None

    @property
    def problem(self) -> Problem:
        """Return the shape of one input and the number of classes."""
        classes = None if self.classes is None else len(self.classes)
        return Problem(tuple(self.inputs.shape[1:]), classes)


def to_dataset(decoded: Decoded, name: str) -> Dataset:
    """Convert the arrays to tensors, without a copy where possible, and fingerprint them."""
    arrays = [
        np.ascontiguousarray(decoded.inputs),
        np.ascontiguousarray(
            decoded.targets, dtype=np.float32 if decoded.classes is None else np.int64
        ),
        np.ascontiguousarray(decoded.parts),
    ]
    hashed = arrays if decoded.groups is None else [*arrays, decoded.groups]
    inputs, targets, parts = (torch.from_numpy(array) for array in arrays)
    return Dataset(
        name,
        inputs,
        targets,
        decoded.classes,
        parts,
        decoded.skipped,
        _fingerprint(hashed, decoded.classes),
        decoded.notes,
        torch.from_numpy(find_twins(arrays[0])),
        torch.from_numpy(np.zeros(0, np.int64) if decoded.groups is None else decoded.groups),
        encoding=decoded.encoding,
    )


def filled_by(dataset: Dataset, impute: str) -> Dataset:
    """Return the data with another way to fill missing numbers: another fingerprint if some are."""
    is_whole = not dataset.inputs.is_floating_point() or not bool(dataset.inputs.isnan().any())
    if is_whole or impute == dataset.impute:
        return dataset._replace(impute=impute)
    digest = hashlib.sha256(f"{dataset.fingerprint} {impute}".encode())
    return dataset._replace(impute=impute, fingerprint=digest.hexdigest())


def _fingerprint(arrays: list[NDArray[Any]], classes: tuple[str, ...] | None) -> str:
    digest = hashlib.sha256(json.dumps(classes).encode())
    for array in arrays:
        # Hash little-endian bytes, so that machines of either byte order agree.
        ordered = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{ordered.dtype.str}{ordered.shape}".encode())
        digest.update(ordered.data)
    return digest.hexdigest()
