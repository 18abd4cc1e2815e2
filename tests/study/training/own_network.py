"""A user's own model, for the tests."""

import math

from torch import nn

from training_factors.search_spaces.recipe import Recipe


def build(recipe: Recipe, shape: tuple[int, ...], classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), classes))
