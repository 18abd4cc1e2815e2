"""A rise of the learning rate at the start of the run, on top of the schedule."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe, constant_multiplier


def linear_warmup(progress: float, *, fraction: float) -> float:
    """Return a multiplier that rises from 0.01 to 1 in the first `fraction` of the run."""
    return min(1.0, 0.01 + 0.99 * progress / fraction)


def none(recipe: Recipe) -> Recipe:
    """Use the full learning rate from the first step."""
    return replace(recipe, warmup=constant_multiplier)


def linear(recipe: Recipe, fraction: Annotated[float, Uniform(0.02, 0.3)] = 0.1) -> Recipe:
    """Raise the learning rate linearly in the first `fraction` of the run (Goyal et al., 2017).

    It starts at 1/100 of the learning rate of the schedule.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must be in (0, 1], got {fraction}")
    return replace(recipe, warmup=partial(linear_warmup, fraction=fraction))


FACTOR = Factor("warmup", topic="learning rate schedule", options=(none, linear))
