"""Which part of the training pool is trained on; validation and test never change in a study."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from torch import Generator, Tensor

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import strata
from training_factors.search_spaces.recipe import Recipe


def _draw(count: int, fraction: float, targets: Tensor, generator: Generator) -> Tensor:
    order = torch.randperm(count, generator=generator, device=targets.device)
    return order[: max(1, round(fraction * count))]


def draw_anywhere(targets: Tensor, generator: Generator, *, fraction: float) -> Tensor:
    """A share of all samples, drawn without regard to their targets."""
    return _draw(len(targets), fraction, targets, generator)


def draw_by_class(targets: Tensor, generator: Generator, *, fraction: float) -> Tensor:
    """The same share of every class, at least one sample of each."""
    stratum = strata(targets)
    members = [(stratum == each).nonzero().squeeze(1) for each in stratum.unique()]
    return torch.cat([m[_draw(len(m), fraction, targets, generator)] for m in members])


@dataclass(frozen=True)
class Subset:
    """A way to draw, with the share that it draws."""

    draw: Callable[..., Tensor]
    fraction: float

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ValueError(f"train_fraction must be in (0, 1], got {self.fraction}")

    def __call__(self, targets: Tensor, generator: Generator) -> Tensor:
        """Indices of the samples to train on."""
        return self.draw(targets, generator, fraction=self.fraction)


def stratified(recipe: Recipe, train_fraction: Annotated[float, Uniform(0.3, 1.0)] = 1.0) -> Recipe:
    """Train on the same share of every class (of every tenth of the targets, for regression)."""
    return replace(recipe, split=Subset(draw_by_class, train_fraction))


def random(recipe: Recipe, train_fraction: Annotated[float, Uniform(0.3, 1.0)] = 1.0) -> Recipe:
    """Train on a share drawn without regard to classes."""
    return replace(recipe, split=Subset(draw_anywhere, train_fraction))


FACTOR = Factor("split", topic="data split", options=(stratified, random))
