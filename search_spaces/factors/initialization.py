"""The initial weights and biases of every layer."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from torch import Generator, Tensor
from torch.nn import init

from training_factors.search_spaces.dimension import LogUniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import OWN_MODELS
from training_factors.search_spaces.recipe import Layer, Recipe, unchanged_part

Draw = Callable[[Tensor, float, Generator], object]
"""(weight, gain, generator) -> anything; fills the weight in place."""


@torch.no_grad()
def fill_default(layer: Layer, gain: float, generator: Generator) -> None:
    """Draw weights and biases from U(−1/√fan_in, 1/√fan_in), as torch does by default."""
    bound = layer.weight[0].numel() ** -0.5
    layer.weight.uniform_(-bound, bound, generator=generator)
    if layer.bias is not None:
        layer.bias.uniform_(-bound, bound, generator=generator)


@torch.no_grad()
def fill_normal(layer: Layer, gain: float, generator: Generator, *, std: float) -> None:
    """Draw weights and biases from N(0, std²)."""
    for parameter in layer.parameters():
        parameter.normal_(0, std, generator=generator)


@torch.no_grad()
def fill(layer: Layer, gain: float, generator: Generator, *, draw: Draw) -> None:
    """Fill the weights with `draw`, and set the biases to zero."""
    draw(layer.weight, gain, generator)
    if layer.bias is not None:
        layer.bias.zero_()


def draw_zeros(weight: Tensor, gain: float, generator: Generator) -> None:
    """Fill with zeros."""
    weight.zero_()


def draw_xavier_uniform(weight: Tensor, gain: float, generator: Generator) -> None:
    """Fill from a uniform distribution of variance 2 gain² / (fan_in + fan_out)."""
    init.xavier_uniform_(weight, gain, generator)


def draw_xavier_normal(weight: Tensor, gain: float, generator: Generator) -> None:
    """Fill from a normal distribution of variance 2 gain² / (fan_in + fan_out)."""
    init.xavier_normal_(weight, gain, generator)


def draw_he_uniform(weight: Tensor, gain: float, generator: Generator) -> None:
    """Fill from a uniform distribution of variance gain² / fan_in."""
    bound = gain * (3 / weight[0].numel()) ** 0.5
    weight.uniform_(-bound, bound, generator=generator)


def draw_he_normal(weight: Tensor, gain: float, generator: Generator) -> None:
    """Fill from a normal distribution of variance gain² / fan_in."""
    weight.normal_(0, gain * weight[0].numel() ** -0.5, generator=generator)


def draw_orthogonal(weight: Tensor, gain: float, generator: Generator) -> None:
    """Fill with a random orthogonal matrix, multiplied by the gain."""
    init.orthogonal_(weight, gain, generator)


def unchanged(recipe: Recipe) -> Recipe:
    """Keep the initial weights of your model as it draws them."""
    return replace(recipe, initialize=unchanged_part)


def framework_default(recipe: Recipe) -> Recipe:
    """Draw weights and biases from U(−1/√fan_in, 1/√fan_in), the default of PyTorch."""
    return replace(recipe, initialize=fill_default)


def zeros(recipe: Recipe) -> Recipe:
    """Set weights and biases to 0.

    All units of a layer then stay equal, so the network hardly learns.
    """
    return replace(recipe, initialize=partial(fill, draw=draw_zeros))


def normal(recipe: Recipe, std: Annotated[float, LogUniform(1e-3, 0.3)] = 0.05) -> Recipe:
    """Draw weights and biases from N(0, std²), regardless of the layer's size."""
    if std <= 0:
        raise ValueError(f"std must be above 0, got {std}")
    return replace(recipe, initialize=partial(fill_normal, std=std))


def xavier_uniform(recipe: Recipe) -> Recipe:
    """Draw weights uniformly, with variance 2 gain² / (fan_in + fan_out) (Glorot & Bengio, 2010).

    Biases are 0. The gain is that of the activation.
    """
    return replace(recipe, initialize=partial(fill, draw=draw_xavier_uniform))


def xavier_normal(recipe: Recipe) -> Recipe:
    """Draw weights from N(0, 2 gain² / (fan_in + fan_out)) (Glorot & Bengio, 2010).

    Biases are 0. The gain is that of the activation.
    """
    return replace(recipe, initialize=partial(fill, draw=draw_xavier_normal))


def he_uniform(recipe: Recipe) -> Recipe:
    """Draw weights uniformly, with variance gain² / fan_in (He et al., 2015).

    Biases are 0. The gain is that of the activation.
    """
    return replace(recipe, initialize=partial(fill, draw=draw_he_uniform))


def he_normal(recipe: Recipe) -> Recipe:
    """Draw weights from N(0, gain² / fan_in) (He et al., 2015).

    Biases are 0. The gain is that of the activation.
    """
    return replace(recipe, initialize=partial(fill, draw=draw_he_normal))


def orthogonal(recipe: Recipe) -> Recipe:
    """Set the weights to gain times a random orthogonal matrix (Saxe et al., 2014).

    Biases are 0. The gain is that of the activation.
    """
    return replace(recipe, initialize=partial(fill, draw=draw_orthogonal))


FACTOR = Factor(
    "initialization",
    topic="initialization",
    options=(
        unchanged,
        framework_default,
        zeros,
        normal,
        xavier_uniform,
        xavier_normal,
        he_uniform,
        he_normal,
        orthogonal,
    ),
    restricted={unchanged: OWN_MODELS},
)
