"""The number of blocks in the network; a block has two hidden layers."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from training_factors.search_spaces.dimension import OneOf
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe


def scaled_blocks(blocks: int, *, multiplier: float) -> int:
    """Return the multiplied number of blocks, rounded, at least 1."""
    return max(1, round(blocks * multiplier))


def scaled(recipe: Recipe, multiplier: Annotated[float, OneOf(0.5, 1.0, 1.5, 2.0)] = 1.0) -> Recipe:
    """Build `multiplier` times the blocks that the model has in each of its stages."""
    return replace(recipe, depth=partial(scaled_blocks, multiplier=multiplier))


FACTOR = Factor("depth", topic="network size", options=(scaled,))
