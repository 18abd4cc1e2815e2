"""How many features every layer of the network has."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from training_factors.search_spaces.dimension import OneOf
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe

MULTIPLE = 8
"""Features come in multiples of this, which processors and group norms like."""


def multiplied(features: int, *, multiplier: float) -> int:
    """A multiple of 8, at least one."""
    return MULTIPLE * max(1, round(features * multiplier / MULTIPLE))


def scaled(recipe: Recipe, multiplier: Annotated[float, OneOf(0.5, 1.0, 1.5, 2.0)] = 1.0) -> Recipe:
    """`multiplier` times the features that the model gives each of its layers."""
    return replace(recipe, width=partial(multiplied, multiplier=multiplier))


FACTOR = Factor("width", topic="network size", options=(scaled,))
