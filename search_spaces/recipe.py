"""The recipe: everything that the training loop needs to know, in one frozen record.

Most fields are functions. Each field holds one step of the training procedure, and one factor sets
it. The defaults do as little as possible, so that a factor that does not apply has no effect.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple, NoReturn, Protocol

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, relu

from training_factors.search_spaces.problem import Problem

Layer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
"""A layer whose weights are initialized."""

Transform = Callable[[Tensor], Tensor]
"""A function of a batch that returns a batch of the same shape."""

Augmentation = Callable[[Tensor, Generator], Tensor]
"""A random function of a batch of images in [0, 1] that returns a batch of the same shape."""


class Stage(IntEnum):
    """The order in which augmentations are applied; other whole numbers lie in between."""

    CROP = 10
    GEOMETRY = 20
    COLOR = 30
    CORRUPTION = 40


class StagedAugmentation(NamedTuple):
    """An augmentation and its place among the others: a `Stage`, or a number between two stages."""

    stage: int
    augment: Augmentation


class Activation(NamedTuple):
    """An elementwise nonlinearity and the gain that initializations use with it.

    gain: 1 / sqrt(E[f(z)²]) for z ~ N(0, 1), which keeps the mean square of activations at 1 from
        layer to layer (He et al., 2015); sqrt(2) for relu.
    """

    function: Transform
    gain: float


class WeightAverage(Protocol):
    """Provides the network to evaluate, for example with an average of the trained weights."""

    def update(self) -> None:
        """Include the trained network's current weights; called after every step."""

    def network(self) -> nn.Module:
        """Return the network to evaluate."""


class NoAveraging(NamedTuple):
    """The default of `Recipe.average`: evaluate the trained network itself."""

    trained: nn.Module

    def update(self) -> None:
        """Do nothing."""

    def network(self) -> nn.Module:
        """Return the trained network."""
        return self.trained


def unchanged_part(*arguments: object) -> NoReturn:
    """Mark a part of the network that stays as the user's own model has it; it is never called."""
    raise TypeError("a part that stays as the model has it is not built from the recipe")


def all_samples(targets: Tensor, generator: Generator) -> Tensor:
    """Return the indices of all samples of the training pool."""
    return torch.arange(len(targets), device=targets.device)


def identity(inputs: Tensor) -> Tensor:
    """Return the inputs unchanged."""
    return inputs


def no_normalization(training_inputs: Tensor) -> Transform:
    """Return the identity, whatever the training data."""
    return identity


def no_mixing(inputs: Tensor, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Return inputs and targets unchanged."""
    return inputs, targets


def zero_parameters(layer: Layer, gain: float, generator: Generator) -> None:
    """Set weights and biases to zero, in place."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()


def no_norm_layer(features: int, axes: int) -> nn.Module:
    """Return the identity in place of a normalization layer."""
    return nn.Identity()


def no_dropout(generator: Generator) -> nn.Module:
    """Return the identity in place of a dropout layer."""
    return nn.Identity()


def no_shortcut(body: nn.Module, projection: nn.Module) -> nn.Module:
    """Return the block without a shortcut."""
    return body


def whole_branch(body: nn.Module, generator: Generator) -> nn.Module:
    """Return the body of a block, which then runs for every sample."""
    return body


def from_scratch(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Leave the network at the weights that it was initialized with."""


def equal_weights(targets: Tensor) -> None:
    """Return no weights, so that all classes count alike."""


def same_size(size: int) -> int:
    """Return the size unchanged."""
    return size


def no_penalty(weights: list[Tensor]) -> None:
    """Add nothing to the gradients."""


def no_clipping(parameters: list[Tensor]) -> None:
    """Leave the gradients unchanged."""


def constant_multiplier(progress: float) -> float:
    """Return 1, which leaves the learning rate unchanged at every step."""
    return 1.0


RELU = Activation(relu, 2**0.5)
"""The default activation and its gain."""

UNCHANGED = Activation(unchanged_part, RELU.gain)
"""Activations that stay as the user's own model has them; layers are initialized as for relu."""


def plain_sgd(network: nn.Module) -> torch.optim.Optimizer:
    """Return gradient descent with a learning rate of 0.1 and no momentum."""
    return torch.optim.SGD(network.parameters(), lr=0.1)


@dataclass(frozen=True)
class Recipe:
    """One way to train a network. Each field is described by its arguments and its result.

    A field that is given a generator takes all its random numbers from it.

    split: (targets of the training pool, generator) -> indices of the samples to train on.
    normalize: (inputs of the training part) -> a function that normalizes any batch. Images have
        values in [0, 1] and the shape (batch, channels, height, width); tables have raw values and
        the shape (batch, features).
    augmentations: functions (images in [0, 1], generator) -> images of the same shape, in the order
        in which they are applied; random amounts are drawn for each sample. Options add theirs by
        `with_augmentation`.
    mix: (normalized batch, targets, generator) -> batch and targets. Targets are floating-point
        numbers, of the shape (batch, classes) or, for regression, (batch, 1).
    activation: the nonlinearity after every hidden layer, see `Activation`.
    norm: (features, number of axes after that of the features: 2 for images, 0 for rows of a table)
        -> the layer between a linear or convolutional layer and its activation.
    dropout: (generator) -> the layer after an activation.
    shortcut: (body, projection) -> the block. `projection` maps the block's input to the shape of
        its output; it is the identity where the two shapes agree.
    branch: (body, generator) -> what stands for the body of a block that has a shortcut.
    depth: (blocks that the model suggests for a stage) -> blocks to build.
    width: (features that the model suggests for a layer) -> features to build.
    initialize: (layer, gain, generator) -> None; sets the layer's weight and bias in place.
    start: (network, weights by name) -> None; called if the study was given weights to start from.
    batch_size: number of samples in a step.
    loss: (outputs, targets) -> a scalar. If there are class weights, it takes them as `weight`.
    class_weight: (targets of the training part) -> weights, (classes,), or None for equal ones.
    optimizer: (network) -> a torch optimizer of those of its parameters that require gradients. It
        may set their `.grad` once, for example to views of one buffer; gradients are then zeroed in
        place.
    penalize: (weights) -> None; adds the gradient of a penalty to their gradients, in place. Biases
        and the parameters of normalization layers are not among the weights.
    clip: (parameters) -> anything; limits their gradients, in place.
    schedule, warmup: (fraction of all steps that are done, in [0, 1)) -> multiplier of the learning
        rate; the two multipliers are multiplied with each other.
    average: (network) -> the provider of the network to evaluate, see `WeightAverage`.
    """

    split: Callable[[Tensor, Generator], Tensor] = all_samples
    normalize: Callable[[Tensor], Transform] = no_normalization
    augmentations: tuple[StagedAugmentation, ...] = ()
    mix: Callable[[Tensor, Tensor, Generator], tuple[Tensor, Tensor]] = no_mixing
    activation: Activation = RELU
    norm: Callable[[int, int], nn.Module] = no_norm_layer
    dropout: Callable[[Generator], nn.Module] = no_dropout
    shortcut: Callable[[nn.Module, nn.Module], nn.Module] = no_shortcut
    branch: Callable[[nn.Module, Generator], nn.Module] = whole_branch
    depth: Callable[[int], int] = same_size
    width: Callable[[int], int] = same_size
    initialize: Callable[[Layer, float, Generator], None] = zero_parameters
    start: Callable[[nn.Module, Mapping[str, Tensor]], None] = from_scratch
    batch_size: int = 64
    loss: Callable[..., Tensor] = cross_entropy
    class_weight: Callable[[Tensor], Tensor | None] = equal_weights
    optimizer: Callable[[nn.Module], torch.optim.Optimizer] = plain_sgd
    penalize: Callable[[list[Tensor]], None] = no_penalty
    clip: Callable[[list[Tensor]], object] = no_clipping
    schedule: Callable[[float], float] = constant_multiplier
    warmup: Callable[[float], float] = constant_multiplier
    average: Callable[[nn.Module], WeightAverage] = NoAveraging


def with_augmentation(recipe: Recipe, stage: int, augment: Augmentation) -> Recipe:
    """Return the recipe with one more augmentation, at its place among the others."""
    added = (*recipe.augmentations, StagedAugmentation(stage, augment))
    return replace(recipe, augmentations=tuple(sorted(added, key=lambda staged: staged.stage)))


def default_recipe(problem: Problem) -> Recipe:
    """Return the recipe that factors edit, with all fields at their defaults.

    The default loss is the cross-entropy for classification and the squared error for regression.
    """
    return Recipe() if problem.classes is not None else Recipe(loss=mse_loss)
