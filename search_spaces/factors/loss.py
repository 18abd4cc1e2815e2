"""Which targets the cross-entropy is taken against."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from torch.nn.functional import cross_entropy

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import CLASSIFICATION
from training_factors.search_spaces.recipe import Recipe


def hard(recipe: Recipe) -> Recipe:
    """Cross-entropy against the true class alone: −log p(true class)."""
    return replace(recipe, loss=cross_entropy)


def smoothed(recipe: Recipe, amount: Annotated[float, Uniform(0.01, 0.3)] = 0.1) -> Recipe:
    """Spread `amount` of the target mass evenly over all classes (Szegedy et al., 2016)."""
    if not 0 <= amount < 1:
        raise ValueError(f"amount must be in [0, 1), got {amount}")
    return replace(recipe, loss=partial(cross_entropy, label_smoothing=amount))


FACTOR = Factor("loss", topic="loss", options=(hard, smoothed), where=CLASSIFICATION)
