"""Build the network that a recipe is tried on: a built-in architecture or a user's own model."""

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import skip_init

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe, Transform
from training_factors.study.training.seeds import generator

Layer = nn.Linear | nn.Conv2d


@dataclass(frozen=True)
class Architecture:
    """The shape of a built-in network before the recipe changes its depth and width.

    spatial: convolutional; else fully connected.
    features: of each stage. Every stage but the first halves the side of an image.
    blocks: number of blocks in each stage; a block has two hidden layers.
    """

    spatial: bool
    features: tuple[int, ...]
    blocks: int


ARCHITECTURES = {
    "mlp:small": Architecture(spatial=False, features=(64,), blocks=3),
    "mlp:medium": Architecture(spatial=False, features=(256,), blocks=4),
    "cnn:small": Architecture(spatial=True, features=(16, 32, 64), blocks=1),
    "cnn:medium": Architecture(spatial=True, features=(32, 64, 128), blocks=2),
}
"""The built-in networks; with at least six hidden layers, so that depth, normalization and residual
connections have something to act on."""

Builder = Callable[[Recipe, Problem, Generator, Generator], nn.Module]
"""(recipe, problem, generator of weights, generator of dropout) -> a network on the CPU."""


def open_model(name: str, problem: Problem) -> Builder:
    """Return the builder of the model of this name.

    name: a key of ARCHITECTURES, its part before the colon (then `:small`), or
        `package.module:function`, a function (recipe, input shape, classes) -> nn.Module.

    Raises ValueError when there is no such model or it cannot take the problem's inputs.
    """
    name = normal_name(name)
    if name not in ARCHITECTURES:
        return _import_builder(name)
    architecture = ARCHITECTURES[name]
    if architecture.spatial and not problem.is_image:
        raise ValueError(f"model {name!r} needs images, and the data is a table; use --model mlp")
    return lambda recipe, problem, weights, dropout: _LayerFactory(
        recipe, weights, dropout, architecture.spatial
    ).network(architecture, problem)


def normal_name(name: str) -> str:
    """Return the full name of a model: `mlp` is short for `mlp:small`."""
    return f"{name}:small" if f"{name}:small" in ARCHITECTURES else name


def try_model(model: Builder, name: str, recipe: Recipe, problem: Problem) -> None:
    """Build the model and run it on two samples of zeros.

    Raises ValueError when that fails or the outputs are not (2, `problem.outputs`).
    """
    weights, dropout = generator(0, "weights"), generator(0, "dropout")
    try:
        network = model(recipe, problem, weights, dropout).eval()
        with torch.inference_mode():
            shape = tuple(network(torch.zeros(2, *problem.shape)).shape)
    except Exception as error:
        # A user's model may raise anything; --debug shows the traceback.
        raise ValueError(
            f"model {name!r} does not work: {type(error).__name__}: {error}"
        ) from error
    if shape != (2, problem.outputs):
        raise ValueError(
            f"model {name!r} gives outputs of shape {shape} for 2 samples, "
            f"not {(2, problem.outputs)}"
        )


def _import_builder(name: str) -> Builder:
    """Import a user's `package.module:function`."""
    module_name, _, function_name = name.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except Exception as error:
        # A user's module may raise anything; --debug shows the traceback.
        known = ", ".join(ARCHITECTURES)
        near = get_close_matches(name, [*ARCHITECTURES, "mlp", "cnn"], n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"use {known} or package.module:function"
        reason = f" ({error})" if function_name and not near else ""
        raise ValueError(f"model {name!r} is unknown{reason}; {hint}") from error
    return lambda recipe, problem, weights, dropout: function(
        recipe, problem.shape, problem.classes
    )


class Pointwise(nn.Module):
    """A layer that applies a function to every value, such as an activation."""

    def __init__(self, function: Transform) -> None:
        super().__init__()
        self.function = function

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the function."""
        return self.function(inputs)


@dataclass(frozen=True)
class _LayerFactory:
    """Builds the layers of one network as the recipe says.

    weights: generator of initial weights, drawn from in the order of the layers.
    dropout: generator that the network's dropout layers draw from.
    spatial: convolutions; else linear layers.
    """

    recipe: Recipe
    weights: Generator
    dropout: Generator
    spatial: bool

    def network(self, architecture: Architecture, problem: Problem) -> nn.Module:
        """Build all stages, and a linear layer to the outputs (after global average pooling)."""
        recipe = self.recipe
        blocks = recipe.depth(architecture.blocks)
        features = problem.shape[0] if self.spatial else math.prod(problem.shape)
        body: list[nn.Module] = [] if self.spatial else [nn.Flatten()]
        for stage, stage_features in enumerate(architecture.features):
            width = recipe.width(stage_features)
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                body.append(self.block(features, width, stride))
                features = width
        pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten()] if self.spatial else []
        head = self.initialized(skip_init(nn.Linear, features, problem.outputs), gain=1.0)
        return nn.Sequential(*body, *pool, head)

    def block(self, inputs: int, outputs: int, stride: int) -> nn.Module:
        """Build two hidden layers, with a shortcut around them if the recipe has one."""
        body = nn.Sequential(
            *self.hidden(inputs, outputs, stride), *self.hidden(outputs, outputs, 1)
        )
        same_shape = inputs == outputs and stride == 1
        projection = (
            nn.Identity() if same_shape else self.linear(inputs, outputs, 1, stride, gain=1.0)
        )
        return self.recipe.shortcut(body, projection)

    def hidden(self, inputs: int, outputs: int, stride: int) -> list[nn.Module]:
        """Build a linear map or convolution with its normalization, activation and dropout."""
        recipe = self.recipe
        return [
            self.linear(inputs, outputs, 3, stride, gain=recipe.activation.gain),
            recipe.norm(outputs, 2 if self.spatial else 0),
            Pointwise(recipe.activation.function),
            recipe.dropout(self.dropout),
        ]

    def linear(self, inputs: int, outputs: int, side: int, stride: int, gain: float) -> nn.Module:
        """Build a convolution with a kernel of this side, or a linear layer."""
        layer: Layer = (
            skip_init(nn.Conv2d, inputs, outputs, side, stride=stride, padding=side // 2)
            if self.spatial
            else skip_init(nn.Linear, inputs, outputs)
        )
        return self.initialized(layer, gain)

    def initialized(self, layer: Layer, gain: float) -> Layer:
        """Initialize the layer in place, and return it."""
        self.recipe.initialize(layer, gain, self.weights)
        return layer
