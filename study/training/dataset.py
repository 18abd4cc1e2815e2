"""Decoded data: all of a source's samples as tensors."""

import hashlib
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from search_spaces.problem import Problem

FEWEST = 10
"""Samples that a class must have: fewer cannot be divided into three parts that say anything."""


class Origin(IntEnum):
    """Where the source itself puts a sample."""

    UNDECIDED = 0
    POOL = 1
    VALIDATION = 2
    TEST = 3


class Dataset(NamedTuple):
    """Decoded data, on the CPU.

    inputs: uint8 images (samples, channels, height, width), or float32 rows (samples, features).
    targets: int64 classes, or float32 numbers where classes is None (regression).
    origins: uint8, an `Origin` per sample.
    skipped: files that could not be read and were left out.
    fingerprint: a digest of the decoded content, the same on every machine.
    """

    name: str
    inputs: Tensor
    targets: Tensor
    classes: tuple[str, ...] | None
    origins: Tensor
    skipped: tuple[str, ...]
    fingerprint: str

    @property
    def problem(self) -> Problem:
        """What is to be learned."""
        return Problem(
            tuple(self.inputs.shape[1:]), None if self.classes is None else len(self.classes)
        )


def assemble(
    name: str,
    inputs: Tensor,
    targets: Tensor,
    classes: tuple[str, ...] | None,
    origins: Tensor | None = None,
    skipped: tuple[str, ...] = (),
) -> Dataset:
    """A checked data set with its fingerprint.

    Raises ValueError for one class, for too few samples of a class, for values that are no numbers.
    """
    if origins is None:
        origins = torch.full((len(targets),), Origin.UNDECIDED, dtype=torch.uint8)
    if inputs.is_floating_point() and not bool(inputs.isfinite().all()):
        raise ValueError(f"data {name!r} has missing or infinite values; fill or drop those rows")
    if classes is not None:
        _check_classes(name, targets, classes)
    elif len(targets) < FEWEST * 5:
        raise ValueError(f"data {name!r} has {len(targets)} samples; a study needs {FEWEST * 5}")
    fingerprint = _digest(inputs, targets, origins, classes)
    return Dataset(name, inputs, targets, classes, origins, skipped, fingerprint)


def _check_classes(name: str, targets: Tensor, classes: tuple[str, ...]) -> None:
    if len(classes) < 2:
        raise ValueError(f"data {name!r} has one class only ({classes[0]}); a study needs two")
    counts = torch.bincount(targets, minlength=len(classes))
    fewest = int(counts.argmin())
    if counts[fewest] < FEWEST:
        raise ValueError(
            f"data {name!r}: class {classes[fewest]!r} has {int(counts[fewest])} samples; every "
            f"class needs at least {FEWEST}: add some, leave the class out, or raise --limit"
        )


def _digest(
    inputs: Tensor, targets: Tensor, origins: Tensor, classes: tuple[str, ...] | None
) -> str:
    digest = hashlib.sha256(repr((tuple(inputs.shape), classes)).encode())
    for tensor in (inputs, targets, origins):
        digest.update(np.ascontiguousarray(tensor.numpy()).data)
    return digest.hexdigest()[:16]
