"""The nonlinearity after every hidden layer; it also decides the gain of initializations."""

import math
from dataclasses import replace
from functools import lru_cache, partial
from typing import Annotated

import torch
from torch.nn import functional

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import OWN_MODELS
from training_factors.search_spaces.recipe import UNCHANGED, Activation, Recipe, Transform

INTEGRATION_GRID = torch.linspace(-12, 12, 48_001, dtype=torch.float64)
"""Values of z at which `gain` evaluates its integral; they give 6 digits, also with a kink."""


@lru_cache(maxsize=256)
def gain(function: Transform) -> float:
    """Return 1 / sqrt(E[f(z)²]) for z ~ N(0, 1).

    Weights scaled by this gain keep the mean square of activations at 1 from layer to layer.
    """
    density = torch.exp(-INTEGRATION_GRID.square() / 2) / math.sqrt(2 * math.pi)
    mean_square = torch.trapezoid(function(INTEGRATION_GRID).square() * density, INTEGRATION_GRID)
    return 1 / math.sqrt(mean_square)


def _with_activation(recipe: Recipe, function: Transform) -> Recipe:
    return replace(recipe, activation=Activation(function, gain(function)))


def unchanged(recipe: Recipe) -> Recipe:
    """Keep the activations of your model as it has them."""
    return replace(recipe, activation=UNCHANGED)


def relu(recipe: Recipe) -> Recipe:
    """Apply max(0, x) (Nair & Hinton, 2010)."""
    return _with_activation(recipe, functional.relu)


def sigmoid(recipe: Recipe) -> Recipe:
    """Apply 1 / (1 + e^−x), the logistic function."""
    return _with_activation(recipe, torch.sigmoid)


def tanh(recipe: Recipe) -> Recipe:
    """Apply the hyperbolic tangent (e^x − e^−x) / (e^x + e^−x)."""
    return _with_activation(recipe, torch.tanh)


def elu(recipe: Recipe, alpha: Annotated[float, Uniform(0.1, 2.0)] = 1.0) -> Recipe:
    """Apply x for x > 0 and alpha · (e^x − 1) otherwise (Clevert et al., 2016)."""
    if alpha <= 0:
        raise ValueError(f"alpha must be above 0, got {alpha}")
    return _with_activation(recipe, partial(functional.elu, alpha=alpha))


def leaky_relu(recipe: Recipe, slope: Annotated[float, Uniform(0.01, 0.3)] = 0.01) -> Recipe:
    """Apply x for x > 0 and slope · x otherwise (Maas et al., 2013)."""
    if not 0 <= slope < 1:
        raise ValueError(f"slope must be in [0, 1), got {slope}")
    return _with_activation(recipe, partial(functional.leaky_relu, negative_slope=slope))


def gelu(recipe: Recipe) -> Recipe:
    """Apply x · Φ(x), Φ the normal distribution function (Hendrycks & Gimpel, 2016)."""
    return _with_activation(recipe, functional.gelu)


def silu(recipe: Recipe) -> Recipe:
    """Apply x / (1 + e^−x), also known as swish (Elfwing et al., 2018)."""
    return _with_activation(recipe, functional.silu)


FACTOR = Factor(
    "activation",
    topic="activation",
    options=(unchanged, relu, sigmoid, tanh, elu, leaky_relu, gelu, silu),
    restricted={unchanged: OWN_MODELS},
    retune=True,
)
