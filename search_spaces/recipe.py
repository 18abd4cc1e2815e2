"""A recipe: all that the training loop needs to know, as one frozen record of plain callables.

Each field is a seam, a place of a training run where one factor acts. The defaults do as little as
a training run can do, so that a factor which does not apply leaves its seam alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, relu

from training_factors.search_spaces.problem import Problem

Transform = Callable[[Tensor], Tensor]
Augmentation = Callable[[Tensor, Generator], Tensor]


class Activation(NamedTuple):
    """A nonlinearity, applied value by value, and the gain that keeps the variance behind it.

    gain: 1 / sqrt(E[f(z)^2]) for z ~ N(0, 1): weights scaled by it give outputs of mean square 1
        (He et al., 2015, for relu: sqrt(2)).
    """

    function: Transform
    gain: float


class Averaged(Protocol):
    """The network that is evaluated, kept beside the one that is trained."""

    def update(self) -> None:
        """Take in the trained network's weights after a step."""

    def network(self) -> nn.Module:
        """The network to evaluate."""


class Unaveraged(NamedTuple):
    """The trained network itself."""

    trained: nn.Module

    def update(self) -> None:
        """Nothing to take in."""

    def network(self) -> nn.Module:
        """The network to evaluate."""
        return self.trained


def whole_pool(targets: Tensor, generator: Generator) -> Tensor:
    """Every sample of the training pool."""
    return torch.arange(len(targets), device=targets.device)


def same(inputs: Tensor) -> Tensor:
    """Inputs as they are."""
    return inputs


def as_is(training_part: Tensor) -> Transform:
    """No map."""
    return same


def unaugmented(inputs: Tensor, generator: Generator) -> Tensor:
    """Inputs as they are."""
    return inputs


def unmixed(inputs: Tensor, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Inputs and targets as they are."""
    return inputs, targets


def left_alone(layer: nn.Linear | nn.Conv2d, gain: float, generator: Generator) -> None:
    """Zero weights and biases: the state of a layer that nobody has initialized."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()


def no_norm(features: int, spatial: bool) -> nn.Module:
    """Nothing between a layer and its activation."""
    return nn.Identity()


def no_dropout(generator: Generator) -> nn.Module:
    """Nothing is dropped."""
    return nn.Identity()


def no_shortcut(body: nn.Module, projection: nn.Module) -> nn.Module:
    """The block without a way around it."""
    return body


def unchanged(size: int) -> int:
    """The size that the model gives."""
    return size


def untouched(parameters: list[Tensor]) -> None:
    """Gradients as they are."""


def constant(progress: float) -> float:
    """The same multiplier of the learning rate at every step."""
    return 1.0


RELU = Activation(relu, 2**0.5)
PLAIN_DESCENT = partial(torch.optim.SGD, lr=0.1)


@dataclass(frozen=True)
class Recipe:
    """One way to train a network; shapes and units of every seam.

    split: (targets of the training pool, generator) -> indices of the samples to train on.
    normalize: inputs of the training part -> a map for any batch. Images come as numbers in
        [0, 1], shape (batch, channels, height, width); tables as they are, (batch, features).
    augment_*: (batch in [0, 1], generator) -> batch; every sample draws its own parameters.
    mix: (batch, targets as floats, (batch, classes) or (batch, 1), generator) -> the same two.
    activation: see `Activation`.
    norm: (features, spatial) -> the layer between a linear map and its activation.
    dropout: generator -> the layer behind an activation.
    shortcut: (body, projection) -> the block; `projection` maps the block's input to its
        output's shape and is the identity where they agree.
    depth, width: blocks and features that the model gives -> those to build.
    initialize: (layer, gain, generator) -> sets its weight and bias in place.
    batch_size: samples in a step.
    loss: (outputs, targets) -> a scalar.
    optimizer: parameters -> one of torch's optimizers.
    penalize: adds the gradient of a penalty to the gradients of these weights, in place.
    clip: limits the gradients of these parameters, in place.
    schedule, warmup: share of all steps done, in [0, 1) -> multiplier of the learning rate.
    average: network -> the network that is evaluated in its place.
    """

    split: Callable[[Tensor, Generator], Tensor] = whole_pool
    normalize: Callable[[Tensor], Transform] = as_is
    augment_geometry: Augmentation = unaugmented
    augment_color: Augmentation = unaugmented
    augment_corruption: Augmentation = unaugmented
    augment_crop_flip: Augmentation = unaugmented
    mix: Callable[[Tensor, Tensor, Generator], tuple[Tensor, Tensor]] = unmixed
    activation: Activation = RELU
    norm: Callable[[int, bool], nn.Module] = no_norm
    dropout: Callable[[Generator], nn.Module] = no_dropout
    shortcut: Callable[[nn.Module, nn.Module], nn.Module] = no_shortcut
    depth: Callable[[int], int] = unchanged
    width: Callable[[int], int] = unchanged
    initialize: Callable[[nn.Linear | nn.Conv2d, float, Generator], None] = left_alone
    batch_size: int = 64
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy
    optimizer: Callable[[list[Tensor]], torch.optim.Optimizer] = PLAIN_DESCENT
    penalize: Callable[[list[Tensor]], None] = untouched
    clip: Callable[[list[Tensor]], None] = untouched
    schedule: Callable[[float], float] = constant
    warmup: Callable[[float], float] = constant
    average: Callable[[nn.Module], Averaged] = Unaveraged


def plain_recipe(problem: Problem) -> Recipe:
    """The recipe that factors start from: cross-entropy for classes, squared error for numbers."""
    return Recipe() if problem.classes is not None else Recipe(loss=mse_loss)
