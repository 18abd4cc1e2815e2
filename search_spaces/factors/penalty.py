"""A penalty on large weights; biases and normalization layers are not penalized."""

from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from torch import Tensor

from training_factors.search_spaces.dimension import LogUniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe, no_penalty


def _gradients_and_weights(weights: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Return the gradients of those weights that have one, and these weights."""
    pairs = [(weight.grad, weight.detach()) for weight in weights if weight.grad is not None]
    return [gradient for gradient, _ in pairs], [weight for _, weight in pairs]


def add_l2(weights: list[Tensor], *, weight: float) -> None:
    """Add the gradient of weight/2 · Σw² to the weights' gradients, in place."""
    gradients, values = _gradients_and_weights(weights)
    torch._foreach_add_(gradients, values, alpha=weight)


def add_l1(weights: list[Tensor], *, weight: float) -> None:
    """Add the gradient of weight · Σ|w| to the weights' gradients, in place."""
    gradients, values = _gradients_and_weights(weights)
    torch._foreach_add_(gradients, torch._foreach_sign(values), alpha=weight)


def none(recipe: Recipe) -> Recipe:
    """Do not penalize large weights."""
    return replace(recipe, penalize=no_penalty)


def l2(recipe: Recipe, weight: Annotated[float, LogUniform(1e-6, 1e-2)] = 1e-4) -> Recipe:
    """Add weight/2 · Σw² to the loss (Krogh & Hertz, 1991)."""
    return replace(recipe, penalize=partial(add_l2, weight=_check_weight(weight)))


def l1(recipe: Recipe, weight: Annotated[float, LogUniform(1e-7, 1e-3)] = 1e-5) -> Recipe:
    """Add weight · Σ|w| to the loss (Tibshirani, 1996)."""
    return replace(recipe, penalize=partial(add_l1, weight=_check_weight(weight)))


def _check_weight(weight: float) -> float:
    if weight < 0:
        raise ValueError(f"weight must be at least 0, got {weight}")
    return weight


FACTOR = Factor("penalty", topic="optimizer", options=(none, l2, l1))
