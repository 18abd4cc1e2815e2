"""What large weights cost, with every optimizer; biases and scales of norms are free."""

from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from torch import Tensor

from training_factors.search_spaces.dimension import LogUniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe, untouched


def _with_gradients(weights: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    used = [(weight.detach(), weight.grad) for weight in weights if weight.grad is not None]
    return [gradient for _, gradient in used], [weight for weight, _ in used]


def add_l2(weights: list[Tensor], *, weight: float) -> None:
    """Add the gradient of weight/2 · Σw²."""
    gradients, values = _with_gradients(weights)
    torch._foreach_add_(gradients, values, alpha=weight)


def add_l1(weights: list[Tensor], *, weight: float) -> None:
    """Add the gradient of weight · Σ|w|."""
    gradients, values = _with_gradients(weights)
    torch._foreach_add_(gradients, torch._foreach_sign(values), alpha=weight)


def none(recipe: Recipe) -> Recipe:
    """Large weights cost nothing."""
    return replace(recipe, penalize=untouched)


def l2(recipe: Recipe, weight: Annotated[float, LogUniform(1e-6, 1e-2)] = 1e-4) -> Recipe:
    """Add weight/2 · Σw² to the loss (Krogh & Hertz, 1991)."""
    return replace(recipe, penalize=partial(add_l2, weight=_not_negative(weight)))


def l1(recipe: Recipe, weight: Annotated[float, LogUniform(1e-7, 1e-3)] = 1e-5) -> Recipe:
    """Add weight · Σ|w| to the loss (Tibshirani, 1996)."""
    return replace(recipe, penalize=partial(add_l1, weight=_not_negative(weight)))


def _not_negative(weight: float) -> float:
    if weight < 0:
        raise ValueError(f"weight must not be below 0, got {weight}")
    return weight


FACTOR = Factor("penalty", topic="optimizer", options=(none, l2, l1))
