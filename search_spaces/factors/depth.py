"""How many blocks of two hidden layers the network has."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from training_factors.search_spaces.dimension import OneOf
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe


def multiplied(blocks: int, *, multiplier: float) -> int:
    """At least one block."""
    return max(1, round(blocks * multiplier))


def scaled(recipe: Recipe, multiplier: Annotated[float, OneOf(0.5, 1.0, 1.5, 2.0)] = 1.0) -> Recipe:
    """`multiplier` times the blocks that the model gives each of its stages."""
    return replace(recipe, depth=partial(multiplied, multiplier=multiplier))


FACTOR = Factor("depth", topic="network size", options=(scaled,))
