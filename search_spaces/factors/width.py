"""The number of features in each hidden layer of the network."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from training_factors.search_spaces.dimension import OneOf
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe

MULTIPLE = 8
"""Numbers of features are multiples of this, which suits processors and group normalization."""


def scaled_features(features: int, *, multiplier: float) -> int:
    """Return the multiplied number of features, rounded to a multiple of 8, at least 8."""
    return MULTIPLE * max(1, round(features * multiplier / MULTIPLE))


def scaled(recipe: Recipe, multiplier: Annotated[float, OneOf(0.5, 1.0, 1.5, 2.0)] = 1.0) -> Recipe:
    """Build `multiplier` times the features that the model has in each layer, in multiples of 8."""
    return replace(recipe, width=partial(scaled_features, multiplier=multiplier))


FACTOR = Factor("width", topic="network size", options=(scaled,))
