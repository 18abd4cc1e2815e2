"""The number of samples in a training step."""

from dataclasses import replace
from typing import Annotated

from training_factors.search_spaces.dimension import OneOf
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe


def minibatch(recipe: Recipe, samples: Annotated[int, OneOf(32, 64, 128, 256)] = 64) -> Recipe:
    """Average the gradient over a batch of `samples` samples.

    Smaller batches give noisier gradients and more steps per epoch.
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    return replace(recipe, batch_size=samples)


FACTOR = Factor("batch_size", topic="batch size", options=(minibatch,))
