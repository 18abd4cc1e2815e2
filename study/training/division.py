"""The three-way division: training pool, validation, test; once per study, by its seed.

Only `held_out` gives the test part, and only the confirmation may call it: what has been looked at
while choosing cannot say how good the choice is (`tests/study/training/test_division.py`).
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training_factors.search_spaces.problem import Problem, strata
from training_factors.study.training.dataset import Dataset, PartLabel
from training_factors.study.training.seeds import generator

PART_FRACTION = 0.2
"""The validation part and the test part, each, of what the source leaves undivided."""


class DataPart(NamedTuple):
    """Samples on a device.

    inputs: as in `Dataset`. targets: int64 classes, or float32 numbers, standardized (`Scale`).
    """

    inputs: Tensor
    targets: Tensor


class TargetScale(NamedTuple):
    """Mean and standard deviation of the training pool's numbers, in their own unit.

    Networks learn numbers of size one; a target is (number - mean) / deviation. R² is the same
    either way; errors such as RMSE times `deviation` are in the numbers' own unit.
    """

    mean: float
    deviation: float


class Division(NamedTuple):
    """What training and measuring may see. The test part is not in it, only its size.

    target_scale: None for classes.
    """

    problem: Problem
    pool: DataPart
    validation: DataPart
    test_size: int
    target_scale: TargetScale | None = None


class PartIndices(NamedTuple):
    """Samples of each part, int64, ascending; every sample is in exactly one."""

    pool: Tensor
    validation: Tensor
    test: Tensor


def divide(dataset: Dataset, seed: int) -> PartIndices:
    """Which sample belongs to which part.

    The source's own validation and test parts are kept. A part that it does not have is cut from
    its other samples: a fifth of them, of every class (of every decile of numbers) alike, one at
    least. So a source that divides nothing gives 60 % pool, 20 % validation, 20 % test.
    """
    parts = dataset.parts.numpy().copy()
    rest = np.flatnonzero((parts == PartLabel.POOL) | (parts == PartLabel.UNDECIDED))
    missing = [
        place for place in (PartLabel.VALIDATION, PartLabel.TEST) if not (parts == place).any()
    ]
    parts[rest] = _cut(strata(dataset.targets[rest]).numpy(), missing, seed)
    return PartIndices(*(torch.from_numpy(np.flatnonzero(parts == p)) for p in list(PartLabel)[:3]))


def training_division(dataset: Dataset, seed: int, device: torch.device) -> Division:
    """Training pool and validation part on a device; the test part is never read."""
    indices = divide(dataset, seed)
    scale = _scale(dataset, indices)
    return Division(
        dataset.problem,
        _part(dataset, indices.pool, scale, device),
        _part(dataset, indices.validation, scale, device),
        len(indices.test),
        scale,
    )


def load_test_part(dataset: Dataset, seed: int, device: torch.device) -> DataPart:
    """The test part on a device, on the training pool's scale: for the confirmation alone."""
    indices = divide(dataset, seed)
    return _part(dataset, indices.test, _scale(dataset, indices), device)


def _cut(groups: NDArray[np.int64], missing: list[PartLabel], seed: int) -> NDArray[np.uint8]:
    parts = np.full(len(groups), PartLabel.POOL, dtype=np.uint8)
    order = torch.randperm(len(groups), generator=generator(seed, "division")).numpy()
    shuffled = order[np.argsort(groups[order], kind="stable")]
    for members in np.split(shuffled, np.cumsum(np.bincount(groups))[:-1]):
        size = max(1, round(PART_FRACTION * len(members)))
        for i, place in enumerate(missing):
            parts[members[i * size : (i + 1) * size]] = place
    return parts


def _scale(dataset: Dataset, indices: PartIndices) -> TargetScale | None:
    if dataset.classes is not None:
        return None
    numbers = dataset.targets[indices.pool].double()
    # A pool of equal numbers has no unit; 1 leaves its targets at 0.
    return TargetScale(float(numbers.mean()), float(numbers.std(correction=0)) or 1.0)


def _part(
    dataset: Dataset, indices: Tensor, scale: TargetScale | None, device: torch.device
) -> DataPart:
    targets = dataset.targets[indices]
    if scale is not None:
        targets = ((targets.double() - scale.mean) / scale.deviation).float()
    return DataPart(dataset.inputs[indices].to(device), targets.to(device))
