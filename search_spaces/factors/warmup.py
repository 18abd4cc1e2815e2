"""Whether the learning rate starts low."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe, constant


def rising(progress: float, *, fraction: float) -> float:
    """From a hundredth up to 1 at `fraction` of the run."""
    return min(1.0, 0.01 + 0.99 * progress / fraction)


def none(recipe: Recipe) -> Recipe:
    """The full learning rate from the first step."""
    return replace(recipe, warmup=constant)


def linear(recipe: Recipe, fraction: Annotated[float, Uniform(0.02, 0.3)] = 0.1) -> Recipe:
    """Raise the rate linearly over the first `fraction` of the run (Goyal et al., 2017)."""
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must be in (0, 1], got {fraction}")
    return replace(recipe, warmup=partial(rising, fraction=fraction))


FACTOR = Factor("warmup", topic="learning rate schedule", options=(none, linear))
