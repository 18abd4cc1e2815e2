"""Whether a gradient may be arbitrarily large."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from training_factors.search_spaces.dimension import LogUniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe, untouched


def shorten(parameters: list[Tensor], *, largest: float) -> None:
    """Scale all gradients together where their norm is above `largest`."""
    clip_grad_norm_(parameters, largest)


def none(recipe: Recipe) -> Recipe:
    """Use gradients as they are."""
    return replace(recipe, clip=untouched)


def norm(recipe: Recipe, largest: Annotated[float, LogUniform(0.1, 10.0)] = 1.0) -> Recipe:
    """g ← g · min(1, largest / ‖g‖), ‖g‖ over all parameters (Pascanu et al., 2013)."""
    if largest <= 0:
        raise ValueError(f"largest must be above 0, got {largest}")
    return replace(recipe, clip=partial(shorten, largest=largest))


FACTOR = Factor("gradient_clip", topic="gradient clipping", options=(none, norm))
