"""The change of the learning rate over the run."""

import math
from dataclasses import replace
from functools import partial
from typing import Annotated

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe, constant_multiplier

RISE = 0.3
"""Fraction of the run in which the learning rate of `one_cycle` rises."""


def cosine_decay(progress: float) -> float:
    """Return a multiplier that falls from 1 to 0 as half a cosine wave."""
    return (1 + math.cos(math.pi * progress)) / 2


def step_decay(progress: float, *, gamma: float) -> float:
    """Return 1, gamma and gamma² in the first, second and last third of the run."""
    return gamma ** int(progress * 3)


def one_cycle_multiplier(progress: float) -> float:
    """Return a multiplier that rises from 1/25 to 1 and falls to 0, each as half a cosine wave."""
    if progress < RISE:
        return 1 - (1 - 1 / 25) * cosine_decay(progress / RISE)
    return cosine_decay((progress - RISE) / (1 - RISE))


def constant(recipe: Recipe) -> Recipe:
    """Keep the learning rate constant."""
    return replace(recipe, schedule=constant_multiplier)


def step(recipe: Recipe, gamma: Annotated[float, Uniform(0.1, 0.7)] = 0.3) -> Recipe:
    """Multiply the learning rate by gamma after one third and again after two thirds of the run."""
    if not 0 < gamma <= 1:
        raise ValueError(f"gamma must be in (0, 1], got {gamma}")
    return replace(recipe, schedule=partial(step_decay, gamma=gamma))


def cosine(recipe: Recipe) -> Recipe:
    """Decay the learning rate as lr · (1 + cos πp) / 2 (Loshchilov & Hutter, 2017).

    p is the fraction of the run that is done.
    """
    return replace(recipe, schedule=cosine_decay)


def one_cycle(recipe: Recipe) -> Recipe:
    """Raise the learning rate from lr/25 to lr, then decay it to 0 (Smith & Topin, 2019).

    It rises during the first 30 % of the run; both parts follow half a cosine wave.
    """
    return replace(recipe, schedule=one_cycle_multiplier)


FACTOR = Factor(
    "schedule", topic="learning rate schedule", options=(constant, step, cosine, one_cycle)
)
