"""How the learning rate changes over the run."""

import math
from dataclasses import replace
from functools import partial
from typing import Annotated

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe
from training_factors.search_spaces.recipe import constant as unchanging

RISE = 0.3
"""Share of the run in which one_cycle rises."""


def falling(progress: float) -> float:
    """Half a cosine from 1 to 0."""
    return (1 + math.cos(math.pi * progress)) / 2


def stepping(progress: float, *, gamma: float) -> float:
    """1, then gamma, then gamma², a third of the run each."""
    return gamma ** int(progress * 3)


def rising_and_falling(progress: float) -> float:
    """Half a cosine from 1/25 to 1, and another to 0."""
    if progress < RISE:
        return 1 - (1 - 1 / 25) * falling(progress / RISE)
    return falling((progress - RISE) / (1 - RISE))


def constant(recipe: Recipe) -> Recipe:
    """The same learning rate throughout."""
    return replace(recipe, schedule=unchanging)


def step(recipe: Recipe, gamma: Annotated[float, Uniform(0.1, 0.7)] = 0.3) -> Recipe:
    """lr · gamma^k after k thirds of the run."""
    if not 0 < gamma <= 1:
        raise ValueError(f"gamma must be in (0, 1], got {gamma}")
    return replace(recipe, schedule=partial(stepping, gamma=gamma))


def cosine(recipe: Recipe) -> Recipe:
    """lr · (1 + cos πp) / 2, p the share of the run that is done (Loshchilov & Hutter, 2017)."""
    return replace(recipe, schedule=falling)


def one_cycle(recipe: Recipe) -> Recipe:
    """From lr/25 up to lr over the first 30 %, then down to 0, by cosines (Smith & Topin, 2019)."""
    return replace(recipe, schedule=rising_and_falling)


FACTOR = Factor(
    "schedule", topic="learning rate schedule", options=(constant, step, cosine, one_cycle)
)
