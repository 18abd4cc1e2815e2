"""A network in training: made from a recipe, its state taken and put back."""

from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import one_hot
from torch.optim.lr_scheduler import LambdaLR

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Averaged, Recipe, Transform
from training_factors.study.training.division import DataPart
from training_factors.study.training.network import Builder
from training_factors.study.training.seeds import generator

SavedState = dict[str, Any]
"""A network in training, as tensors and plain values: what going on from here needs."""


class Training(NamedTuple):
    """A network in training, and all that a step needs.

    targets: as floats, (samples, classes) one-hot or (samples, 1).
    weights: the parameters that are penalized, all but biases and scales.
    draws: the generators that training draws from, by purpose.
    rates: sets the learning rate of the next step.
    """

    recipe: Recipe
    inputs: Tensor
    targets: Tensor
    normalize: Transform
    network: nn.Module
    average: Averaged
    parameters: list[Tensor]
    weights: list[Tensor]
    optimizer: torch.optim.Optimizer
    rates: LambdaLR
    batch_size: int
    draws: dict[str, Generator]

    def zero_gradients(self) -> None:
        """Before a step: those of joined parameters become 0, since they are views of one."""
        for parameter in self.parameters:
            if parameter.grad is not None and parameter.device.type == "cpu":
                parameter.grad.zero_()
            else:
                parameter.grad = None


def start_training(
    recipe: Recipe, part: DataPart, problem: Problem, model: Builder, epochs: int, seed: int
) -> Training:
    """The network before its first step; every purpose has a generator of its own."""
    device = part.inputs.device
    draws = {name: generator(seed, name, device) for name in ("order", "augmentation", "dropout")}
    network = model(recipe, problem, generator(seed, "weights"), draws["dropout"]).to(
        device, memory_format=torch.channels_last
    )  # type: ignore[call-overload]
    weights = [parameter for parameter in network.parameters() if parameter.dim() > 1]
    parameters = flatten_parameters(network)
    optimizer = recipe.optimizer(parameters)
    batch_size = min(recipe.batch_size, len(part.inputs))
    steps = epochs * (len(part.inputs) // batch_size)
    return Training(
        recipe,
        part.inputs,
        one_hot(part.targets, problem.classes).float()
        if problem.classes is not None
        else part.targets.unsqueeze(1),
        recipe.normalize(to_float(part.inputs)),
        network,
        recipe.average(network),
        parameters,
        weights,
        optimizer,
        LambdaLR(
            optimizer, lambda step: recipe.schedule(step / steps) * recipe.warmup(step / steps)
        ),
        batch_size,
        draws,
    )


def flatten_parameters(network: nn.Module) -> list[Tensor]:
    """What the optimizer steps on: on a CPU all parameters as one, of which they become views.

    Optimizers work value by value, so the steps are the same, in one pass instead of one for each
    layer's weights. On a GPU each of them has its own: passes over lists of tensors are there, and
    gradients that add up in place would cost a launch each.
    """
    parameters = [one for one in network.parameters() if one.requires_grad]
    if not all(_can_join(parameter) for parameter in parameters):
        return list(parameters)
    flat = nn.Parameter(torch.cat([_in_memory_order(one.detach()) for one in parameters]))
    flat.grad = torch.zeros_like(flat)
    sizes = [parameter.numel() for parameter in parameters]
    pieces = zip(flat.detach().split(sizes), flat.grad.split(sizes), strict=True)
    for parameter, (values, gradient) in zip(parameters, pieces, strict=True):
        layout = parameter.size(), parameter.stride()
        parameter.data = values.as_strided(*layout, values.storage_offset())
        parameter.grad = gradient.as_strided(*layout, gradient.storage_offset())
    return [flat]


def _can_join(parameter: Tensor) -> bool:
    is_dense = parameter.is_contiguous() or parameter.is_contiguous(
        memory_format=torch.channels_last
    )
    return is_dense and parameter.device.type == "cpu" and parameter.dtype == torch.float32


def _in_memory_order(tensor: Tensor) -> Tensor:
    return tensor.as_strided((tensor.numel(),), (1,))


def save_state(training: Training, epoch: int) -> SavedState:
    """All that changes in training, after this epoch."""
    return {
        "epoch": epoch,
        "network": training.network.state_dict(),
        "average": training.average.network().state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "rates": training.rates.state_dict(),
        "draws": {name: draw.get_state() for name, draw in training.draws.items()},
    }


def restore_state(training: Training, start: SavedState) -> int:
    """Put a fresh network into this state; the epoch that comes next."""
    training.network.load_state_dict(start["network"])
    training.average.network().load_state_dict(start["average"])
    training.optimizer.load_state_dict(start["optimizer"])
    training.rates.load_state_dict(start["rates"])
    for name, draw in training.draws.items():
        draw.set_state(start["draws"][name])
    return int(start["epoch"]) + 1


def to_float(inputs: Tensor) -> Tensor:
    """Stored inputs as floats: bytes of images in [0, 1], tables as they are."""
    return inputs.float().div_(255) if inputs.dtype == torch.uint8 else inputs
