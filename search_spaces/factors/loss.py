"""The targets of the cross-entropy loss: the true class alone, or smoothed labels."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from torch.nn.functional import cross_entropy

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import CLASSIFICATION
from training_factors.search_spaces.recipe import Recipe


def hard(recipe: Recipe) -> Recipe:
    """Minimize the cross-entropy with the true class, −log p(true class)."""
    return replace(recipe, loss=cross_entropy)


def smoothed(recipe: Recipe, amount: Annotated[float, Uniform(0.01, 0.3)] = 0.1) -> Recipe:
    """Smooth the labels: spread `amount` of the target evenly over classes (Szegedy et al., 2016).

    With K classes, the target is 1 − amount + amount/K for the true class and amount/K for others.
    """
    if not 0 <= amount < 1:
        raise ValueError(f"amount must be in [0, 1), got {amount}")
    return replace(recipe, loss=partial(cross_entropy, label_smoothing=amount))


FACTOR = Factor("loss", topic="loss", options=(hard, smoothed), where=CLASSIFICATION)
