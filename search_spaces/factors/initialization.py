"""The weights and biases of every layer before the first step."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from torch import Generator, Tensor, nn
from torch.nn import init

from training_factors.search_spaces.dimension import LogUniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe

Layer = nn.Linear | nn.Conv2d


def _fans(weight: Tensor) -> tuple[int, int]:
    """Inputs and outputs that one output and one input of the layer are connected to."""
    window = weight[0, 0].numel()
    return weight.shape[1] * window, weight.shape[0] * window


@torch.no_grad()
def fill_default(layer: Layer, gain: float, generator: Generator) -> None:
    """As torch does without being asked."""
    bound = _fans(layer.weight)[0] ** -0.5
    layer.weight.uniform_(-bound, bound, generator=generator)
    if layer.bias is not None:
        layer.bias.uniform_(-bound, bound, generator=generator)


@torch.no_grad()
def fill_normal(layer: Layer, gain: float, generator: Generator, *, std: float) -> None:
    """Weights and biases from one normal law."""
    for parameter in layer.parameters():
        parameter.normal_(0, std, generator=generator)


@torch.no_grad()
def fill(
    layer: Layer,
    gain: float,
    generator: Generator,
    *,
    draw: Callable[[Tensor, float, Generator], object],
) -> None:
    """Weights as drawn, biases zero."""
    draw(layer.weight, gain, generator)
    if layer.bias is not None:
        layer.bias.zero_()


def draw_zeros(weight: Tensor, gain: float, generator: Generator) -> None:
    """Nothing but zeros."""
    weight.zero_()


def draw_xavier_uniform(weight: Tensor, gain: float, generator: Generator) -> None:
    """Uniform, variance gain² · 2 / (fan in + fan out)."""
    init.xavier_uniform_(weight, gain, generator)


def draw_xavier_normal(weight: Tensor, gain: float, generator: Generator) -> None:
    """Normal, variance gain² · 2 / (fan in + fan out)."""
    init.xavier_normal_(weight, gain, generator)


def draw_he_uniform(weight: Tensor, gain: float, generator: Generator) -> None:
    """Uniform, variance gain² / fan in."""
    bound = gain * (3 / _fans(weight)[0]) ** 0.5
    weight.uniform_(-bound, bound, generator=generator)


def draw_he_normal(weight: Tensor, gain: float, generator: Generator) -> None:
    """Normal, variance gain² / fan in."""
    weight.normal_(0, gain * _fans(weight)[0] ** -0.5, generator=generator)


def draw_orthogonal(weight: Tensor, gain: float, generator: Generator) -> None:
    """A random orthogonal matrix times the gain."""
    init.orthogonal_(weight, gain, generator)


def framework_default(recipe: Recipe) -> Recipe:
    """Weights and biases from U(−1/√fan_in, 1/√fan_in): what torch does."""
    return replace(recipe, initialize=fill_default)


def zeros(recipe: Recipe) -> Recipe:
    """Weights and biases zero: all units of a layer stay equal, and nothing is learned."""
    return replace(recipe, initialize=partial(fill, draw=draw_zeros))


def normal(recipe: Recipe, std: Annotated[float, LogUniform(1e-3, 0.3)] = 0.05) -> Recipe:
    """Weights and biases from N(0, std²), whatever the layer's size."""
    if std <= 0:
        raise ValueError(f"std must be above 0, got {std}")
    return replace(recipe, initialize=partial(fill_normal, std=std))


def xavier_uniform(recipe: Recipe) -> Recipe:
    """Uniform, variance 2 gain² / (fan_in + fan_out), zero biases (Glorot & Bengio, 2010)."""
    return replace(recipe, initialize=partial(fill, draw=draw_xavier_uniform))


def xavier_normal(recipe: Recipe) -> Recipe:
    """Normal, variance 2 gain² / (fan_in + fan_out), zero biases (Glorot & Bengio, 2010)."""
    return replace(recipe, initialize=partial(fill, draw=draw_xavier_normal))


def he_uniform(recipe: Recipe) -> Recipe:
    """Uniform, variance gain² / fan_in, zero biases (He et al., 2015)."""
    return replace(recipe, initialize=partial(fill, draw=draw_he_uniform))


def he_normal(recipe: Recipe) -> Recipe:
    """Normal, variance gain² / fan_in, zero biases (He et al., 2015)."""
    return replace(recipe, initialize=partial(fill, draw=draw_he_normal))


def orthogonal(recipe: Recipe) -> Recipe:
    """A random orthogonal matrix times the gain, zero biases (Saxe et al., 2014)."""
    return replace(recipe, initialize=partial(fill, draw=draw_orthogonal))


FACTOR = Factor(
    "initialization",
    topic="initialization",
    options=(
        framework_default,
        zeros,
        normal,
        xavier_uniform,
        xavier_normal,
        he_uniform,
        he_normal,
        orthogonal,
    ),
)
