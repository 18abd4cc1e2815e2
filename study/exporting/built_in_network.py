"""Write a built-in network for one configuration, as blocks of plain layers."""

import math
from typing import NamedTuple

import torch
from torch import nn

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import (
    Recipe,
    no_dropout,
    no_shortcut,
    whole_branch,
)
from training_factors.study.exporting.plain_layers import (
    Piece,
    activation_layer,
    norm_layer,
)
from training_factors.study.training.network import ARCHITECTURES


class BlockShape(NamedTuple):
    """The shape of one block: features in and out, and the stride of its first layer."""

    inputs: int
    outputs: int
    stride: int

    @property
    def keeps_shape(self) -> bool:
        """Return whether the output has the shape of the input."""
        return self.inputs == self.outputs and self.stride == 1


class BuiltInNetwork(NamedTuple):
    """The values that the template of a built-in network needs.

    outputs: of the network. is_spatial: convolutional. pieces: texts by their names in the
    template; a piece that is missing is not part of the configuration. gain: of hidden layers; None
    where the initialization does without.
    """

    is_spatial: bool
    blocks: tuple[BlockShape, ...]
    outputs: int
    pieces: dict[str, Piece]
    gain: float | None

    @property
    def draws(self) -> bool:
        """Return whether a layer draws random numbers in training."""
        return bool({"dropout", "branch"} & set(self.pieces))


def describe_built_in(name: str, recipe: Recipe, problem: Problem) -> BuiltInNetwork:
    """Return what to write of the built-in network of this name."""
    architecture = ARCHITECTURES[name]
    features = problem.shape[0] if architecture.spatial else math.prod(problem.shape)
    blocks = []
    for stage, stage_features in enumerate(architecture.features):
        width = recipe.width(stage_features)
        for number in range(recipe.depth(architecture.blocks)):
            blocks.append(BlockShape(features, width, 2 if stage and number == 0 else 1))
            features = width
    widths = sorted({block.outputs for block in blocks})
    pieces = {
        "activation": activation_layer(recipe.activation),
        "norm": norm_layer(recipe.norm, widths, 2 if architecture.spatial else 0),
        "dropout": _called(recipe.dropout, no_dropout, "dropout"),
        "branch": _called(recipe.branch, whole_branch, "body", "dropout"),
        "shortcut": _called(recipe.shortcut, no_shortcut, "body", "projection"),
    }
    if recipe.shortcut is no_shortcut:
        del pieces["branch"]
    gain = initialization_gain(recipe)
    for layer in ("layer", "projection", "network[-1]"):
        is_hidden = layer == "layer" and gain is not None
        pieces[f"initialize {layer}"] = initialization(recipe, layer, "GAIN" if is_hidden else None)
    return BuiltInNetwork(
        architecture.spatial,
        tuple(blocks),
        problem.outputs,
        {key: piece for key, piece in pieces.items() if piece is not None},
        gain,
    )


def initialization(recipe: Recipe, layer: str, gain: str | None) -> Piece:
    """Return a call that initializes a layer. gain: an expression; None for 1."""
    return Piece(
        (recipe.initialize,),
        lambda code: code.call(recipe.initialize, layer, gain or "1.0", "weights"),
    )


def initialization_gain(recipe: Recipe) -> float | None:
    """Return the gain of hidden layers; None where the initialization does not depend on it."""
    layers = [nn.Linear(3, 2) for _ in range(2)]
    for layer, gain in zip(layers, (1.0, 2.0), strict=True):
        recipe.initialize(layer, gain, torch.Generator().manual_seed(0))
    is_same = layers[0].weight.equal(layers[1].weight) and layers[0].bias.equal(layers[1].bias)
    return None if is_same or recipe.activation.gain == 1 else recipe.activation.gain


def _called(function: object, neutral: object, *arguments: str) -> Piece | None:
    if function is neutral:
        return None
    return Piece((function,), lambda code: code.call(function, *arguments))
