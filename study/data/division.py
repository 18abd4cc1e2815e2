"""Divide the data into training pool, validation and test part: once per study, by its seed.

Data that has influenced a choice cannot tell how good the choice is. So only `load_test_part` and
`load_all_parts` give the test part, and only the confirmation and the export of a trained model may
call them: the one compares configurations that were chosen without it, the other takes home one
that is chosen, and chooses nothing by it (`tests/study/data/test_division.py`).
"""

import warnings
from importlib import import_module
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training_factors.search_spaces.problem import Problem, strata
from training_factors.storage.data_report import WARNING, DataReport, PartCount, data_note
from training_factors.study.data.dataset import Dataset
from training_factors.study.data.duplicates import crossing_twins
from training_factors.study.data.features import fill_missing
from training_factors.study.data.parts import PartLabel
from training_factors.study.data.selection import Inputs, Selection
from training_factors.study.training.seeds import generator

PART_FRACTION = 0.2
"""Fraction of the undivided samples that goes to each part that the source does not have."""

MIN_VALIDATION = 100
"""Number of validation samples below which one sample is more than a point of accuracy."""

MAX_TWINS = 0.01
"""Part of the validation or test samples that may have a nearly equal one in training unsaid:
equal rows are common in tables of few values."""


class DataPart(NamedTuple):
    """The samples of one part, on a device.

    inputs: as in `Dataset`; on a CPU a `Selection` from the data set, without a copy of them.
    targets: int64 classes, or for regression float32 numbers, standardized by `TargetScale`.
    """

    inputs: Inputs
    targets: Tensor


class TargetScale(NamedTuple):
    """Mean and standard deviation of the training pool's regression targets, in their own unit.

    Networks are trained on (target - mean) / deviation, which has mean 0 and variance 1. R² is the
    same on either scale; RMSE and MAE times `deviation` are in the unit of the source.
    """

    mean: float
    deviation: float


class Division(NamedTuple):
    """The parts that training and validation may see; of the test part only its size.

    target_scale: None for classification.
    """

    problem: Problem
    pool: DataPart
    validation: DataPart
    test_size: int
    target_scale: TargetScale | None = None


class AllParts(NamedTuple):
    """The samples of all parts; the targets are as in `Dataset`, not standardized."""

    pool: DataPart
    validation: DataPart
    test: DataPart


class PartIndices(NamedTuple):
    """Indices of each part's samples: int64, ascending; every sample is in exactly one part."""

    pool: Tensor
    validation: Tensor
    test: Tensor


def divide(dataset: Dataset, seed: int) -> PartIndices:
    """Assign every sample to a part.

    The source's own validation and test parts are kept. A part that it does not have is drawn from
    the remaining samples: `PART_FRACTION` of every class (for regression, of every decile of the
    targets), and at least one sample of each that has enough. So an undivided source gives 60 %
    training pool, 20 % validation and 20 % test. Samples of one group come into one part; sizes and
    classes are then as near to this as the groups allow.

    Raises ValueError when a group lies in two of the source's own parts, or when there are too few
    groups for each part to have every class.
    """
    parts = dataset.parts.numpy().copy()
    rest = np.flatnonzero((parts == PartLabel.POOL) | (parts == PartLabel.UNDECIDED))
    missing = [
        label for label in (PartLabel.VALIDATION, PartLabel.TEST) if not (parts == label).any()
    ]
    classes = strata(dataset.targets[rest]).numpy()
    if len(dataset.groups):
        groups = dataset.groups.numpy()
        parts[rest] = _assign_groups(classes, groups[rest], missing, seed)
        _refuse_divided_groups(dataset, parts, groups)
    else:
        parts[rest] = _assign(classes, missing, seed)
    pool, validation, test = (
        torch.from_numpy(np.flatnonzero(parts == label))
        for label in (PartLabel.POOL, PartLabel.VALIDATION, PartLabel.TEST)
    )
    return PartIndices(pool, validation, test)


def training_division(dataset: Dataset, seed: int, device: torch.device) -> Division:
    """Return the training pool and the validation part, on a device; the test part is not read."""
    return load_division(dataset, divide(dataset, seed), device)


def load_division(dataset: Dataset, indices: PartIndices, device: torch.device) -> Division:
    """Return the training pool and the validation part of a division, on a device."""
    scale = _target_scale(dataset, indices)
    return Division(
        dataset.problem,
        _load_part(dataset, indices.pool, indices, scale, device),
        _load_part(dataset, indices.validation, indices, scale, device),
        len(indices.test),
        scale,
    )


def load_test_part(dataset: Dataset, seed: int, device: torch.device) -> DataPart:
    """Return the test part, on a device and on the training pool's scale.

    Reserved for the confirmation and the export; a test fails if anything else calls it.
    """
    indices = divide(dataset, seed)
    return _load_part(dataset, indices.test, indices, _target_scale(dataset, indices), device)


def load_all_parts(dataset: Dataset, seed: int) -> AllParts:
    """Return every part on the CPU, with the targets of regression in the unit of the source.

    Reserved for the export, which writes them beside a trained model; a test fails if anything else
    calls it.
    """
    indices = divide(dataset, seed)
    cpu = torch.device("cpu")
    return AllParts(*(_load_part(dataset, part, indices, None, cpu) for part in indices))


def report_data(dataset: Dataset, seed: int) -> DataReport:
    """Return what was done to the data, with the parts that this seed divides it into.

    It warns of a validation part in which one sample is more than a point of accuracy, and of
    samples that are nearly the same in two parts.
    """
    indices = divide(dataset, seed)
    counted = [
        _part_count(dataset, *each)
        for each in (
            (PartLabel.POOL, indices.pool),
            (PartLabel.VALIDATION, indices.validation),
            (PartLabel.TEST, indices.test),
        )
    ]
    notes = list(dataset.notes)
    if dataset.classes is not None and len(indices.validation) < MIN_VALIDATION:
        size = len(indices.validation)
        text = (
            f"validation has {size} {'sample' if size == 1 else 'samples'}, so one of them is "
            f"{100 / size:.1f} points of accuracy; bring more data"
        )
        notes.append(data_note(WARNING, text))
    twins = dataset.twins.numpy()
    for name, part in (("validation", indices.validation), ("test", indices.test)):
        count = crossing_twins(twins, part.numpy(), indices.pool.numpy())
        if count > MAX_TWINS * len(part):
            verb = "sample has" if count == 1 else "samples have"
            text = (
                f"{count} {name} {verb} a nearly equal one in training, so accuracy looks better "
                "than it is"
            )
            notes.append(data_note(WARNING, text))
    return DataReport(tuple(notes), tuple(counted))


def _part_count(dataset: Dataset, label: PartLabel, indices: Tensor) -> PartCount:
    is_own = bool((dataset.parts == label).any())
    whole = ", by groups" if len(dataset.groups) else ""
    drawn = "the rest" if label is PartLabel.POOL else f"{PART_FRACTION:.0%} drawn{whole}"
    classes = dataset.classes
    counts: list[int] = []
    if classes is not None:
        counts = dataset.targets[indices].bincount(minlength=len(classes)).tolist()
    origin = "the source's own" if is_own else drawn
    return PartCount(label.word, origin, len(indices), tuple(counts))


def _assign(groups: NDArray[np.int64], missing: list[PartLabel], seed: int) -> NDArray[np.uint8]:
    """Draw the missing parts from every group; what is left is the training pool."""
    parts = np.full(len(groups), PartLabel.POOL, dtype=np.uint8)
    order = torch.randperm(len(groups), generator=generator(seed, "division")).numpy()
    shuffled = order[np.argsort(groups[order], kind="stable")]
    for members in np.split(shuffled, np.cumsum(np.bincount(groups))[:-1]):
        size = max(1, round(PART_FRACTION * len(members)))
        for i, label in enumerate(missing):
            parts[members[i * size : (i + 1) * size]] = label
    return parts


def _assign_groups(
    classes: NDArray[np.int64], groups: NDArray[np.int64], missing: list[PartLabel], seed: int
) -> NDArray[np.uint8]:
    """Draw the missing parts by whole groups, with `StratifiedGroupKFold` of scikit-learn.

    Of its folds the one becomes the part whose classes are nearest to `PART_FRACTION` of all.
    """
    sklearn = import_module("sklearn.model_selection")  # takes a second
    parts = np.full(len(groups), PartLabel.POOL, dtype=np.uint8)
    draw = int(torch.randint(2**31, (), generator=generator(seed, "division")))
    wanted = PART_FRACTION * np.bincount(classes)
    for label in missing:
        rest = np.flatnonzero(parts == PartLabel.POOL)
        folds = min(round(len(rest) / wanted.sum()), len(np.unique(groups[rest])))
        if folds < 2:
            break
        splitter = sklearn.StratifiedGroupKFold(folds, shuffle=True, random_state=draw)
        with warnings.catch_warnings():
            # It warns of classes with fewer samples than folds; below such are refused.
            warnings.filterwarnings("ignore", category=UserWarning)
            parts_of_folds = [fold for _, fold in splitter.split(rest, classes[rest], groups[rest])]
        nearest = min(
            (fold for fold in parts_of_folds if 0 < len(fold) < len(rest)),
            key=lambda fold: np.abs(
                np.bincount(classes[rest][fold], minlength=len(wanted)) - wanted
            ).sum(),
        )
        parts[rest[nearest]] = label
    return parts


def _refuse_divided_groups(
    dataset: Dataset, parts: NDArray[np.uint8], groups: NDArray[np.int64]
) -> None:
    """Raise ValueError for a group in two parts, and for a part that is empty or lacks a class."""
    places = np.unique(np.stack([groups, parts.astype(np.int64)]), axis=1)
    divided = len(places.T) - len(np.unique(groups))
    if divided:
        raise ValueError(
            f"data {dataset.name!r} has {divided} groups in two parts of its own; leave --group "
            "out, or correct the parts"
        )
    count = len(np.unique(groups))
    for label in (PartLabel.POOL, PartLabel.VALIDATION, PartLabel.TEST):
        targets = dataset.targets.numpy()[parts == label]
        classes = dataset.classes or ("",)
        lacking = [each for i, each in enumerate(classes) if not (targets == i).any()]
        if not len(targets) or (dataset.classes and lacking):
            what = f"class {lacking[0]!r}" if len(targets) and lacking else "samples"
            raise ValueError(
                f"the {count} groups of {dataset.name!r} leave the {label.word} part without "
                f"{what}; leave --group out, or bring more groups"
            )


def _target_scale(dataset: Dataset, indices: PartIndices) -> TargetScale | None:
    if dataset.classes is not None:
        return None
    targets = dataset.targets[indices.pool].double()
    # Equal targets have a deviation of 0; dividing by 1 instead leaves them at 0.
    return TargetScale(float(targets.mean()), float(targets.std(correction=0)) or 1.0)


def _load_part(
    dataset: Dataset,
    part: Tensor,
    indices: PartIndices,
    scale: TargetScale | None,
    device: torch.device,
) -> DataPart:
    """Return some samples, with missing numbers filled from the training pool."""
    targets = dataset.targets[part]
    if scale is not None:
        targets = ((targets.double() - scale.mean) / scale.deviation).float()
    inputs: Inputs = Selection(dataset.inputs, part)
    if dataset.inputs.is_floating_point() and bool(inputs[:].isnan().any()):
        training = dataset.inputs[indices.pool].numpy()
        inputs = torch.from_numpy(fill_missing(inputs[:].numpy(), training, dataset.impute))
    if device.type != "cpu":
        inputs = inputs[:].to(device)
    return DataPart(inputs, targets.to(device))
