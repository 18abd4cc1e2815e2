"""Set up the training of a network from a recipe; save and restore its state."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypedDict

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import one_hot
from torch.optim.lr_scheduler import LambdaLR

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe, Transform, WeightAverage
from training_factors.storage.precision import BFLOAT16, Precision
from training_factors.study.data.division import DataPart
from training_factors.study.data.selection import Inputs
from training_factors.study.training.autocast import speed_up_group_norms
from training_factors.study.training.model import Model
from training_factors.study.training.seeds import (
    GlobalState,
    generator,
    restore_globals,
    save_globals,
)

CONVERTED = 1024
"""Number of samples of a selection that are copied at a time while all are converted to floats."""


class Training(NamedTuple):
    """A network in training, and everything that a step needs.

    inputs: the training part as stored, on the device; see `Dataset`.
    targets: floats: one-hot classes (samples, classes), or numbers (samples, 1).
    normalize: the recipe's normalization, fitted to the training part.
    average: the network that is evaluated, such as a moving average of the trained one.
    loss: of (outputs, targets), with the class weights of the training part.
    parameters: tensors that the optimizer updates: the network's own, or views of them.
    weights: parameters that are penalized: all but biases and scales of norms.
    scheduler: sets the learning rate of the next step.
    batch_size: samples in a step, at most those of the training part.
    memory_format: of images and convolutions. precision: of forward passes.
    keeps_gradients: the optimizer has set the gradients once, as views of a buffer.
    generators: one for each purpose: `order`, `augmentation`, `dropout`.
    """

    recipe: Recipe
    inputs: Inputs
    targets: Tensor
    normalize: Transform
    network: nn.Module
    average: WeightAverage
    loss: Callable[[Tensor, Tensor], Tensor]
    parameters: list[Tensor]
    weights: list[Tensor]
    optimizer: torch.optim.Optimizer
    scheduler: LambdaLR
    batch_size: int
    keeps_gradients: bool
    memory_format: torch.memory_format
    precision: Precision
    generators: dict[str, Generator]

    def zero_gradients(self) -> None:
        """Clear the gradients before a step: in place if the optimizer keeps them, else to None."""
        for parameter in self.parameters:
            if parameter.grad is not None and self.keeps_gradients:
                parameter.grad.zero_()
            else:
                parameter.grad = None


class SavedState(TypedDict):
    """The state of training after an epoch, as tensors and plain values that torch.save takes.

    The keys are those of checkpoints on disk. `Any` is what torch's state dictionaries hold.

    epoch: number of the epoch that has ended, from 0. rates: state of the learning rate scheduler.
    draws: state of each random generator, by its name. globals: states of the global generators.
    """

    epoch: int
    network: dict[str, Any]
    average: dict[str, Any]
    optimizer: dict[str, Any]
    rates: dict[str, Any]
    draws: dict[str, Tensor]
    globals: GlobalState


def start_training(
    recipe: Recipe, part: DataPart, problem: Problem, model: Model, epochs: int, seed: int
) -> Training:
    """Build the network and all that its training needs, before the first step.

    part: the training part; its device becomes that of the network.
    epochs: of the whole run; the learning rate schedule spans them.
    seed: of the run; weights, order, augmentation and dropout each get a generator derived from it.
    """
    device = part.inputs.device
    generators = {
        purpose: generator(seed, purpose, device)
        for purpose in ("order", "augmentation", "dropout")
    }
    network = model(recipe, problem, generator(seed, "weights"), generators["dropout"]).to(
        device, memory_format=model.memory_format
    )  # type: ignore[call-overload]
    is_channels_last = model.memory_format is torch.channels_last
    if model.precision == BFLOAT16 and device.type == "cpu" and is_channels_last:
        speed_up_group_norms(network)
    weights = [parameter for parameter in network.parameters() if parameter.dim() > 1]
    optimizer = recipe.optimizer(network)
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    batch_size = min(recipe.batch_size, len(part.inputs))
    steps = epochs * (len(part.inputs) // batch_size)
    targets = (
        one_hot(part.targets, problem.classes).float()
        if problem.classes is not None
        else part.targets.unsqueeze(1)
    )
    class_weights = recipe.class_weight(targets)
    return Training(
        recipe,
        part.inputs,
        targets,
        recipe.normalize(to_float(part.inputs)),
        network,
        recipe.average(network),
        recipe.loss if class_weights is None else partial(recipe.loss, weight=class_weights),
        parameters,
        weights,
        optimizer,
        LambdaLR(
            optimizer, lambda step: recipe.schedule(step / steps) * recipe.warmup(step / steps)
        ),
        batch_size,
        any(parameter.grad is not None for parameter in parameters),
        model.memory_format,
        model.precision,
        generators,
    )


def save_state(training: Training, epoch: int) -> SavedState:
    """Return everything that changes during training, as it is after this epoch.

    The tensors are those in use, not copies: write them before the next step.
    """
    return {
        "epoch": epoch,
        "network": training.network.state_dict(),
        "average": training.average.network().state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "rates": training.scheduler.state_dict(),
        "draws": {name: each.get_state() for name, each in training.generators.items()},
        "globals": save_globals(),
    }


def restore_state(training: Training, state: SavedState) -> int:
    """Put newly started training into a saved state; return the epoch that comes next."""
    training.network.load_state_dict(state["network"])
    training.average.network().load_state_dict(state["average"])
    training.optimizer.load_state_dict(state["optimizer"])
    training.scheduler.load_state_dict(state["rates"])
    for name, each in training.generators.items():
        each.set_state(state["draws"][name])
    restore_globals(state["globals"])
    return state["epoch"] + 1


def to_float(inputs: Inputs) -> Tensor:
    """Convert stored inputs to floats: bytes of images to [0, 1], tables as they are."""
    if isinstance(inputs, Tensor):
        return inputs.float().div_(255) if inputs.dtype == torch.uint8 else inputs
    floats = torch.empty(inputs.shape, device=inputs.device)
    for some, stored in zip(floats.split(CONVERTED), inputs.split(CONVERTED), strict=True):
        some.copy_(to_float(stored))
    return floats
