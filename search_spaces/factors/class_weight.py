"""The weight of each class in the loss."""

from dataclasses import replace

import torch
from torch import Tensor

from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import CLASSIFICATION
from training_factors.search_spaces.recipe import Recipe, equal_weights


def inverse_frequency(targets: Tensor) -> Tensor:
    """Return n / (K · n_k) for each class k, of which the n targets have n_k; 0 if they have none.

    targets: probabilities of the K classes, (samples, classes).
    """
    counts = targets.sum(0)
    weights = len(targets) / (len(counts) * counts)
    return torch.where(counts > 0, weights, torch.zeros_like(weights))


def none(recipe: Recipe) -> Recipe:
    """Weight all samples equally."""
    return replace(recipe, class_weight=equal_weights)


def balanced(recipe: Recipe) -> Recipe:
    """Weight a sample of class k by n / (K · n_k), so that classes count alike (King & Zeng, 2001).

    K is the number of classes; n_k of the n samples of the training part are of class k.
    """
    return replace(recipe, class_weight=inverse_frequency)


FACTOR = Factor("class_weight", topic="loss", options=(none, balanced), where=CLASSIFICATION)
