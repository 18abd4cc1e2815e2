"""Choose where training starts: at the weights of a file, or at new ones."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor, nn

from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import WITH_WEIGHTS
from training_factors.search_spaces.recipe import Recipe, from_scratch


def copy_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy the weights into the network, in place: those of its names and shapes."""
    fitting = fitting_weights(network, weights)
    network.load_state_dict(fitting, strict=False)


def fitting_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights whose name and shape a tensor of the network has."""
    own = network.state_dict()
    return {
        name: tensor
        for name, tensor in weights.items()
        if name in own and own[name].shape == tensor.shape
    }


def copy_and_freeze(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy the weights into the network, and freeze them, except those of its last layer."""
    copy_weights(network, weights)
    layers = [module for module in network.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    trained = {id(parameter) for parameter in layers[-1].parameters()} if layers else set()
    for name, parameter in network.named_parameters():
        if name in fitting_weights(network, weights) and id(parameter) not in trained:
            parameter.requires_grad_(False)


def weights(recipe: Recipe) -> Recipe:
    """Start at the weights of the file that --weights names; layers that it lacks start anew."""
    return replace(recipe, start=copy_weights)


def frozen(recipe: Recipe) -> Recipe:
    """Start at the weights of the file, and train only the last layer and layers that it lacks."""
    return replace(recipe, start=copy_and_freeze)


def scratch(recipe: Recipe) -> Recipe:
    """Start at new weights, as `initialization` draws them."""
    return replace(recipe, start=from_scratch)


FACTOR = Factor(
    "start",
    topic="initialization",
    options=(weights,),
    further=(frozen, scratch),
    where=WITH_WEIGHTS,
)
