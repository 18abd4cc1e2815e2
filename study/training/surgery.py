"""Change the parts of a network that was built by other code: module surgery.

Activations, dropout and normalization layers that are modules of the network are replaced by those
of a recipe, and its linear and convolutional layers are initialized by it. Functions that `forward`
calls itself cannot be replaced.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Layer, Recipe, unchanged_part
from training_factors.study.training.network import Pointwise

ACTIVATIONS = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU,
    nn.Mish, nn.Hardswish, nn.Softplus,
)  # fmt: skip
"""Modules that are a network's activations wherever they stand."""

ACTIVATION_NAMES = frozenset((
    "GELU", "GELUTanh", "GELUActivation", "NewGELUActivation", "FastGELUActivation",
    "QuickGELUActivation", "QuickGELU", "SiLUActivation", "Swish", "SwishMe", "HardSwish",
    "HardSwishMe", "Mish", "MishMe", "MishActivation", "PytorchGELUTanh",
))  # fmt: skip
"""Names of classes of timm and transformers that are activations, but no subclasses of torch's."""

GATES = (nn.Tanh, nn.Sigmoid, nn.Hardtanh, nn.Hardsigmoid, nn.Softsign)
"""Modules that are activations in a network without any of `ACTIVATIONS`; beside those they bound
or gate something, as in a squeeze-and-excitation block."""

DROPOUTS = (
    nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout,
)  # fmt: skip

NORMS = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d,
    nn.InstanceNorm2d, nn.InstanceNorm3d, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm,
)  # fmt: skip

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Layers that are initialized."""

SAMPLES = 8
"""Number of random inputs that a network is tried on."""

PARTS = ("activation", "dropout", "norm", "initialize")
"""The fields of a recipe that surgery applies."""

ModuleTypes = tuple[type[nn.Module], ...]


class Call(NamedTuple):
    """Holds what a module computed in a trial run of the network. inputs: its first argument."""

    module: nn.Module
    inputs: Tensor
    outputs: Tensor


class Change(NamedTuple):
    """Holds the layer that replaces a module.

    part: the field of the recipe that made it. features, axes: the arguments of a norm.
    """

    part: str
    layer: nn.Module
    features: int = 0
    axes: int = 0


class Operation(NamedTuple):
    """Holds what surgery changes in a network.

    counts: number of modules of each part. changes: by the module that is replaced. layers: those
    that are initialized, in the order in which they ran; the last one gives the outputs.
    """

    counts: Mapping[str, int]
    changes: Mapping[nn.Module, Change]
    layers: tuple[Layer, ...]


class FeaturesLast(nn.Module):
    """A normalization layer for inputs whose last axis holds the features, such as tokens.

    Every position counts as a sample of its own.
    """

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalize inputs of the shape (..., features)."""
        outputs: Tensor = self.norm(inputs.flatten(0, -2)).view(inputs.shape)
        return outputs


@dataclass(frozen=True)
class Surgeon:
    """Applies a recipe to a network.

    weights, dropout: generators that initial weights and dropout layers draw from.
    parts: the fields of the recipe to apply, of `PARTS`.
    """

    recipe: Recipe
    weights: Generator
    dropout: Generator
    parts: tuple[str, ...] = PARTS

    def operate(self, network: nn.Module, problem: Problem) -> dict[str, int]:
        """Change the network in place; return how many modules there are for each part.

        Parts that the recipe leaves unchanged are counted, but not changed.
        """
        operation = self.plan(network, problem)
        layers = {module: change.layer for module, change in operation.changes.items()}
        _replace_modules(network, layers)
        self._initialize(operation.layers)
        return dict(operation.counts)

    def plan(self, network: nn.Module, problem: Problem) -> "Operation":
        """Return what is to be changed. So far only modules that work in place are changed."""
        calls = trace_calls(network, problem)
        found = {part: _modules(part, calls) for part in self.parts}
        _work_out_of_place(network, problem)
        changes: dict[nn.Module, Change] = {}
        layers: list[Layer] = []
        for part, modules in found.items():
            if self._is_unchanged(part):
                continue
            if part == "initialize":
                layers = [layer for layer in modules if isinstance(layer, LAYERS)]
            else:
                changes |= {module: self._change(part, modules[module]) for module in modules}
        counts = {part: len(modules) for part, modules in found.items()}
        return Operation(counts, changes, tuple(layers))

    def _is_unchanged(self, part: str) -> bool:
        value = getattr(self.recipe, part)
        return (value.function if part == "activation" else value) is unchanged_part

    def _change(self, part: str, call: Call) -> Change:
        if part == "activation":
            return Change(part, Pointwise(self.recipe.activation.function))
        if part == "dropout":
            return Change(part, self.recipe.dropout(self.dropout))
        return self._norm(call)

    def _norm(self, call: Call) -> Change:
        """Return the recipe's normalization of the features that a layer normalizes."""
        shape = getattr(call.module, "normalized_shape", None)
        if shape is not None and len(shape) == 1 and call.inputs.dim() > 2:
            features, axes = shape[0], 0
            return Change("norm", FeaturesLast(self.recipe.norm(features, axes)), features, axes)
        features, axes = call.inputs.shape[1], call.inputs.dim() - 2
        return Change("norm", self.recipe.norm(features, axes), features, axes)

    def _initialize(self, layers: Sequence[Layer]) -> None:
        for number, layer in enumerate(layers, start=1):
            gain = 1.0 if number == len(layers) else self.recipe.activation.gain
            self.recipe.initialize(layer, gain, self.weights)


def trace_calls(network: nn.Module, problem: Problem) -> list[Call]:
    """Return the calls of those modules that surgery knows, in their order.

    The network runs in evaluation mode on two inputs, which also makes modules that are made only
    when they are first used. A module that runs several times has several calls.
    """
    calls: list[Call] = []
    wanted = (*ACTIVATIONS, *GATES, *DROPOUTS, *NORMS, *LAYERS)

    def is_known(module: nn.Module) -> bool:
        return isinstance(module, wanted) or type(module).__name__ in ACTIVATION_NAMES

    def record(module: nn.Module, inputs: tuple[object, ...], outputs: object) -> None:
        if not (is_known(module) and inputs):
            return
        if isinstance(inputs[0], Tensor) and isinstance(outputs, Tensor):
            # Copies, since a module that runs later may work in place.
            calls.append(Call(module, inputs[0].clone(), outputs.clone()))

    handle = nn.modules.module.register_module_forward_hook(record)
    try:
        _run(network, problem)
    finally:
        handle.remove()
    members = set(network.modules())  # after the run, which may have made some
    return [call for call in calls if call.module in members]


def _run(network: nn.Module, problem: Problem) -> object:
    """Return what the network makes of random inputs of either sign in evaluation mode."""
    inputs = torch.randn(SAMPLES, *problem.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), _evaluating(network):
        return network(inputs)


def _modules(part: str, calls: list[Call]) -> Mapping[nn.Module, Call]:
    """Return the modules of a part of the recipe, each with its first call."""
    if part == "initialize":
        return _first_calls(calls, _is_initialized)
    if part == "dropout":
        return _first_calls(calls, lambda call: _computes_as(call, DROPOUTS))
    if part == "norm":
        return _first_calls(calls, lambda call: _computes_as(call, NORMS))
    common = _first_calls(
        calls,
        lambda call: (
            _computes_as(call, ACTIVATIONS) or type(call.module).__name__ in ACTIVATION_NAMES
        ),
    )
    return common or _first_calls(calls, lambda call: _computes_as(call, GATES))


def _first_calls(calls: list[Call], is_wanted: Callable[[Call], bool]) -> Mapping[nn.Module, Call]:
    found: dict[nn.Module, Call] = {}
    for call in calls:
        if call.module not in found and is_wanted(call):
            found[call.module] = call
    return found


def _is_initialized(call: Call) -> bool:
    """Return whether a call is of a layer whose weights are parameters of its own."""
    layer = call.module
    if not isinstance(layer, LAYERS) or parametrize.is_parametrized(layer):
        return False
    return isinstance(layer.weight, nn.Parameter)  # not computed from others, as weight_norm does


def _computes_as(call: Call, types: ModuleTypes) -> bool:
    """Return whether a module is of one of the types, or of a subclass that computes the same.

    A subclass may do something else as well, such as normalize and then activate.
    """
    if type(call.module) in types:
        return True
    base = next((each for each in types if isinstance(call.module, each)), None)
    if base is None:
        return False
    # Not the inputs of the call: none of these may be negative, where an activation would show.
    inputs = torch.randn(call.inputs.shape, generator=torch.Generator().manual_seed(0))
    try:
        with torch.no_grad(), _evaluating(call.module):
            expected = base.forward(call.module, inputs.clone())
            outputs = call.module(inputs)
    except (RuntimeError, ValueError, AttributeError, IndexError):
        return False  # it takes inputs that its base does not
    return isinstance(expected, Tensor) and torch.allclose(expected, outputs, atol=1e-5)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)


def _work_out_of_place(network: nn.Module, problem: Problem) -> None:
    """Let no module overwrite its input, which the module put before it may need for gradients.

    A network whose outputs would change relies on it, and stays as it is.
    """
    before = _run(network, problem)
    modules = [each for each in network.modules() if getattr(each, "inplace", False) is True]
    _set_inplace(modules, False)
    after = _run(network, problem) if modules else before
    if isinstance(before, Tensor) and isinstance(after, Tensor) and not before.equal(after):
        _set_inplace(modules, True)


def _set_inplace(modules: list[nn.Module], value: bool) -> None:
    for module in modules:
        module.inplace = value  # type: ignore[assignment]


def _replace_modules(network: nn.Module, replacements: Mapping[nn.Module, nn.Module]) -> None:
    """Put the replacements wherever a module stands; one that is shared stays shared."""
    for parent in list(network.modules()):
        for name, child in list(parent._modules.items()):  # named_children() omits repetitions
            if child is not None and child in replacements:
                setattr(parent, name, replacements[child])
