"""The nonlinearity behind every hidden layer; initialization gains follow it."""

import math
from dataclasses import replace
from functools import lru_cache, partial
from typing import Annotated

import torch
from torch.nn import functional

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Activation, Recipe, Transform

GRID = torch.linspace(-12, 12, 48_001, dtype=torch.float64)
"""Where the gain's integral is summed: wide and dense enough for 6 digits, kinks included."""


@lru_cache(maxsize=256)
def gain(function: Transform) -> float:
    """1 / sqrt(E[f(z)²]) for z ~ N(0, 1): it keeps the mean square of a layer's output at 1."""
    density = torch.exp(-GRID.square() / 2) / math.sqrt(2 * math.pi)
    mean_square = torch.trapezoid(function(GRID).square() * density, GRID)
    return 1 / math.sqrt(mean_square)


def _acting(recipe: Recipe, function: Transform) -> Recipe:
    return replace(recipe, activation=Activation(function, gain(function)))


def relu(recipe: Recipe) -> Recipe:
    """max(0, x) (Nair & Hinton, 2010)."""
    return _acting(recipe, functional.relu)


def sigmoid(recipe: Recipe) -> Recipe:
    """1 / (1 + e^−x)."""
    return _acting(recipe, torch.sigmoid)


def tanh(recipe: Recipe) -> Recipe:
    """(e^x − e^−x) / (e^x + e^−x)."""
    return _acting(recipe, torch.tanh)


def elu(recipe: Recipe, alpha: Annotated[float, Uniform(0.1, 2.0)] = 1.0) -> Recipe:
    """x above 0, alpha (e^x − 1) below (Clevert et al., 2016)."""
    if alpha <= 0:
        raise ValueError(f"alpha must be above 0, got {alpha}")
    return _acting(recipe, partial(functional.elu, alpha=alpha))


def leaky_relu(recipe: Recipe, slope: Annotated[float, Uniform(0.01, 0.3)] = 0.01) -> Recipe:
    """x above 0, slope · x below (Maas et al., 2013)."""
    if not 0 <= slope < 1:
        raise ValueError(f"slope must be in [0, 1), got {slope}")
    return _acting(recipe, partial(functional.leaky_relu, negative_slope=slope))


def gelu(recipe: Recipe) -> Recipe:
    """x Φ(x), Φ the normal distribution function (Hendrycks & Gimpel, 2016)."""
    return _acting(recipe, functional.gelu)


def silu(recipe: Recipe) -> Recipe:
    """x / (1 + e^−x), also called swish (Elfwing et al., 2018)."""
    return _acting(recipe, functional.silu)


FACTOR = Factor(
    "activation",
    topic="activation",
    options=(relu, sigmoid, tanh, elu, leaky_relu, gelu, silu),
    retune=True,
)
