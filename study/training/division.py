"""The three-way division, once per study: training pool, validation, test."""

from typing import NamedTuple

import torch
from torch import Tensor

from search_spaces.problem import Problem
from search_spaces.strata import strata
from study.training.dataset import Dataset, Origin
from study.training.randomness import generator

SHARE = 0.2
"""Of all samples to divide: what becomes the test part, and the validation part."""


class Part(NamedTuple):
    """Samples on a device: inputs as stored, targets as a network learns them."""

    inputs: Tensor
    targets: Tensor


class Division(NamedTuple):
    """What training may see. Targets of a regression are scaled to the pool's mean 0, variance 1.

    scale: that mean and deviation; (0, 1) for classes.
    """

    problem: Problem
    pool: Part
    validation: Part
    scale: tuple[float, float]


def divide(dataset: Dataset, seed: int) -> Tensor:
    """The `Origin` of every sample: where the source puts it, else drawn by class.

    A part that the source does not have is cut from its rest: 20 % for test, 20 % for validation.
    """
    origins = dataset.origins.clone()
    has_test, has_validation = (
        bool((origins == part).any()) for part in (Origin.TEST, Origin.VALIDATION)
    )
    if not has_test:
        _cut(origins, Origin.TEST, SHARE, dataset.targets, seed)
    if not has_validation:
        _cut(
            origins,
            Origin.VALIDATION,
            SHARE if has_test else SHARE / (1 - SHARE),
            dataset.targets,
            seed,
        )
    origins[origins == Origin.UNDECIDED] = Origin.POOL
    return origins


def training_division(dataset: Dataset, seed: int, device: torch.device) -> Division:
    """The parts that training may see, on a device."""
    origins = divide(dataset, seed)
    pool, validation = (_part(dataset, origins == p) for p in (Origin.POOL, Origin.VALIDATION))
    scale = (0.0, 1.0)
    if dataset.classes is None:
        deviation, mean = torch.std_mean(pool.targets)
        scale = float(mean), float(deviation) or 1.0
    return Division(
        dataset.problem, _moved(pool, scale, device), _moved(validation, scale, device), scale
    )


def held_out(dataset: Dataset, seed: int, division: Division) -> Part:
    """The test part, on the division's device: for confirmation, and for nothing else."""
    part = _part(dataset, divide(dataset, seed) == Origin.TEST)
    return _moved(part, division.scale, division.pool.inputs.device)


def _cut(origins: Tensor, part: Origin, share: float, targets: Tensor, seed: int) -> None:
    draws = generator(seed, f"division/{part.name}")
    free = (origins == Origin.UNDECIDED) | (origins == Origin.POOL)
    stratum = strata(targets)
    for each in stratum.unique():
        members = (free & (stratum == each)).nonzero().squeeze(1)
        order = torch.randperm(len(members), generator=draws)
        origins[members[order[: max(1, round(share * len(members)))]]] = part


def _part(dataset: Dataset, chosen: Tensor) -> Part:
    return Part(dataset.inputs[chosen], dataset.targets[chosen])


def _moved(part: Part, scale: tuple[float, float], device: torch.device) -> Part:
    mean, deviation = scale
    targets = part.targets
    if targets.is_floating_point():
        targets = (targets - mean) / deviation
    return Part(part.inputs.to(device), targets.to(device))
