"""The networks that a recipe is tried on: deep enough that every factor has something to act on."""

import importlib
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
    """The shape of a network before the recipe's depth and width act on it.

    features: of every stage. blocks: of each stage; a block holds two hidden layers. Stages behind
        the first halve the side of an image.
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

Builder = Callable[[Recipe, Problem, Generator, Generator], nn.Module]
"""(recipe, problem, generator of weights, generator of dropout) -> a network on the CPU."""


def open_model(name: str, problem: Problem) -> Builder:
    """The builder of the model of this name.

    name: a key of ARCHITECTURES, its part before the colon (then `:small`), or
        `package.module:function`, a function (recipe, input shape, classes) -> nn.Module.

    Raises ValueError when there is no such model or it cannot take the problem's inputs.
    """
    name = normal_name(name)
    if name not in ARCHITECTURES:
        return _imported(name)
    architecture = ARCHITECTURES[name]
    if architecture.spatial and not problem.is_image:
        raise ValueError(f"model {name!r} needs images, and the data is a table; use --model mlp")
    return lambda recipe, problem, weights, dropout: _Builder(
        recipe, weights, dropout, architecture.spatial
    ).network(architecture, problem)


def normal_name(name: str) -> str:
    """The full name of a model: `mlp` is `mlp:small`."""
    return f"{name}:small" if f"{name}:small" in ARCHITECTURES else name


def _imported(name: str) -> Builder:
    module_name, _, function_name = name.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except Exception as error:
        # A user's code may raise anything; --debug shows where.
        known = ", ".join(ARCHITECTURES)
        near = get_close_matches(name, [*ARCHITECTURES, "mlp", "cnn"], n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"use {known} or package.module:function"
        why = f" ({error})" if function_name and not near else ""
        raise ValueError(f"model {name!r} is unknown{why}; {hint}") from error
    return lambda recipe, problem, weights, dropout: function(
        recipe, problem.shape, problem.classes
    )


def try_model(model: Builder, name: str, recipe: Recipe, problem: Problem) -> None:
    """Raise ValueError when the model cannot be built or does not give an output per class."""
    weights, dropout = generator(0, "weights"), generator(0, "dropout")
    try:
        network = model(recipe, problem, weights, dropout).eval()
        with torch.inference_mode():
            shape = tuple(network(torch.zeros(2, *problem.shape)).shape)
    except Exception as error:
        # A user's code may raise anything; --debug shows where.
        raise ValueError(
            f"model {name!r} does not work: {type(error).__name__}: {error}"
        ) from error
    if shape != (2, problem.outputs):
        raise ValueError(
            f"model {name!r} gives outputs of shape {shape} for 2 samples, "
            f"not {(2, problem.outputs)}"
        )


class Pointwise(nn.Module):
    """A function of one tensor as a layer."""

    def __init__(self, function: Transform) -> None:
        super().__init__()
        self.function = function

    def forward(self, inputs: Tensor) -> Tensor:
        """The function of the inputs."""
        return self.function(inputs)


@dataclass(frozen=True)
class _Builder:
    recipe: Recipe
    weights: Generator
    dropout: Generator
    spatial: bool

    def network(self, architecture: Architecture, problem: Problem) -> nn.Module:
        recipe = self.recipe
        blocks = recipe.depth(architecture.blocks)
        features = problem.shape[0] if self.spatial else _size(problem.shape)
        body: list[nn.Module] = [] if self.spatial else [nn.Flatten()]
        for stage, given in enumerate(architecture.features):
            wanted = recipe.width(given)
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                body.append(self.block(features, wanted, stride))
                features = wanted
        pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten()] if self.spatial else []
        head = self.initialized(skip_init(nn.Linear, features, problem.outputs), gain=1.0)
        return nn.Sequential(*body, *pool, head)

    def block(self, inputs: int, outputs: int, stride: int) -> nn.Module:
        body = nn.Sequential(
            *self.hidden(inputs, outputs, stride), *self.hidden(outputs, outputs, 1)
        )
        same = inputs == outputs and stride == 1
        projection = nn.Identity() if same else self.linear(inputs, outputs, 1, stride, gain=1.0)
        return self.recipe.shortcut(body, projection)

    def hidden(self, inputs: int, outputs: int, stride: int) -> list[nn.Module]:
        recipe = self.recipe
        return [
            self.linear(inputs, outputs, 3, stride, gain=recipe.activation.gain),
            recipe.norm(outputs, self.spatial),
            Pointwise(recipe.activation.function),
            recipe.dropout(self.dropout),
        ]

    def linear(self, inputs: int, outputs: int, side: int, stride: int, gain: float) -> nn.Module:
        layer: Layer = (
            skip_init(nn.Conv2d, inputs, outputs, side, stride=stride, padding=side // 2)
            if self.spatial
            else skip_init(nn.Linear, inputs, outputs)
        )
        return self.initialized(layer, gain)

    def initialized(self, layer: Layer, gain: float) -> Layer:
        self.recipe.initialize(layer, gain, self.weights)
        return layer


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
