"""A limit on the norm of the gradient."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from torch.nn.utils import clip_grad_norm_

from training_factors.search_spaces.dimension import LogUniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe, no_clipping


def none(recipe: Recipe) -> Recipe:
    """Do not clip gradients."""
    return replace(recipe, clip=no_clipping)


def norm(recipe: Recipe, largest: Annotated[float, LogUniform(0.1, 10.0)] = 1.0) -> Recipe:
    """Clip the gradient of all parameters: g ← g · min(1, largest / ‖g‖) (Pascanu et al., 2013)."""
    if largest <= 0:
        raise ValueError(f"largest must be above 0, got {largest}")
    return replace(recipe, clip=partial(clip_grad_norm_, max_norm=largest))


FACTOR = Factor("gradient_clip", topic="gradient clipping", options=(none, norm))
