"""The part of the training pool to train on; validation and test data stay the same in a study."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from torch import Generator, Tensor

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import strata
from training_factors.search_spaces.recipe import Recipe


def sample_randomly(targets: Tensor, generator: Generator, *, fraction: float) -> Tensor:
    """Return the indices of a random fraction of all samples, regardless of their targets."""
    order = torch.randperm(len(targets), generator=generator, device=targets.device)
    return order[: max(1, round(fraction * len(targets)))]


def sample_by_class(targets: Tensor, generator: Generator, *, fraction: float) -> Tensor:
    """Return the indices of a random fraction of each class, at least one sample of each."""
    chosen = []
    for label in targets.unique():
        members = (targets == label).nonzero().squeeze(1)
        chosen.append(members[sample_randomly(members, generator, fraction=fraction)])
    return torch.cat(chosen)


def sample_by_stratum(targets: Tensor, generator: Generator, *, fraction: float) -> Tensor:
    """Return the indices of a random fraction of each class, or of each decile of numbers."""
    return sample_by_class(strata(targets), generator, fraction=fraction)


def stratified(recipe: Recipe, train_fraction: Annotated[float, Uniform(0.3, 1.0)] = 1.0) -> Recipe:
    """Train on the fraction `train_fraction` of each class (for regression, of each decile)."""
    return _with_sampling(recipe, sample_by_stratum, train_fraction)


def random(recipe: Recipe, train_fraction: Annotated[float, Uniform(0.3, 1.0)] = 1.0) -> Recipe:
    """Train on the fraction `train_fraction` of all samples, drawn regardless of classes."""
    return _with_sampling(recipe, sample_randomly, train_fraction)


def _with_sampling(recipe: Recipe, sample: Callable[..., Tensor], fraction: float) -> Recipe:
    if not 0 < fraction <= 1:
        raise ValueError(f"train_fraction must be in (0, 1], got {fraction}")
    return replace(recipe, split=partial(sample, fraction=fraction))


FACTOR = Factor("split", topic="data split", options=(stratified, random))
