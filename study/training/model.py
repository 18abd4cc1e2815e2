"""Open the model that a study trains, by its name, and try it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial

import torch
from torch import Generator, Tensor, nn

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe
from training_factors.storage.precision import BFLOAT16, FLOAT32, Precision
from training_factors.study.training.autocast import forward_context
from training_factors.study.training.network import ARCHITECTURES, build_network
from training_factors.study.training.own_model import (
    OwnModel,
    describe_own_model,
    open_own_model,
    open_timm,
    open_torchvision,
)
from training_factors.study.training.seeds import generator, seeded_globals
from training_factors.study.training.weights import Weights

Builder = Callable[[Recipe, Problem, Generator, Generator], nn.Module]
"""(recipe, problem, generator of weights, generator of dropout) -> a network on the CPU."""

LIBRARIES = {"torchvision": open_torchvision, "timm": open_timm}
"""Libraries whose models are named as `library:model`."""


@dataclass(frozen=True)
class Model:
    """A model that a study trains; called, it builds a network.

    build: builds the network as the recipe says. own: the same, if the model is not built in.
    weights: to start from; None if the study was given none.
    memory_format: of images and convolutions: channels last, which is fastest, unless the network
        needs another one; see `try_model`. precision: of forward passes.
    """

    name: str
    build: Builder
    own: OwnModel | None = None
    weights: Weights | None = None
    memory_format: torch.memory_format = torch.channels_last
    precision: Precision = FLOAT32

    def keeping(self, parts: Collection[str]) -> "Model":
        """Return the model with these parts of the recipe unchanged; for models not built in."""
        if self.own is None:
            return self
        own = replace(self.own, kept=tuple(sorted(parts)))
        return replace(self, own=own, build=own)

    def __call__(
        self, recipe: Recipe, problem: Problem, weights: Generator, dropout: Generator
    ) -> nn.Module:
        """Build a network on the CPU. weights, dropout: generators that it draws from."""
        network = self.build(recipe, problem, weights, dropout)
        if self.weights is not None:
            recipe.start(network, self.weights)
        return network


def open_model(
    name: str,
    problem: Problem,
    weights: Weights | None = None,
    given: Callable[..., object] | None = None,
) -> Model:
    """Return the model of this name.

    name: a key of ARCHITECTURES, its part before the colon (then `:small`), `torchvision:NAME`,
        `timm:NAME`, `package.module:callable` or `file.py:callable`; see `OwnModel`.
    weights: to start from. given: the class or function itself, where the name is only shown.

    Raises ValueError when there is no such model or it cannot take the problem's inputs.
    """
    name = normal_name(name)
    if name in ARCHITECTURES:
        if ARCHITECTURES[name].spatial and not problem.is_image:
            raise ValueError(
                f"model {name!r} needs images, and the data is a table; use --model mlp"
            )
        return Model(name, partial(build_network, name), weights=weights)
    library, colon, rest = name.partition(":")
    if not colon:
        raise ValueError(_unknown(name))
    try:
        if given is not None:
            own = describe_own_model(name, given, problem)
        elif library in LIBRARIES:
            if not problem.is_image:
                raise ValueError(f"{library}'s models need images, and the data is a table")
            own = LIBRARIES[library](rest)
        else:
            own = open_own_model(name, problem)
    except ValueError as error:
        near = get_close_matches(name, ARCHITECTURES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"model {name!r} cannot be used: {error}{hint}") from error
    return Model(name, own, own, weights)


def normal_name(name: str) -> str:
    """Return the full name of a model: `mlp` is short for `mlp:small`."""
    return f"{name}:small" if f"{name}:small" in ARCHITECTURES else name


def try_model(model: Model, recipe: Recipe, problem: Problem) -> Model:
    """Try the model in training and in evaluation; return it with a memory format that it takes.

    Raises ValueError when it fails, its outputs are not (2, `problem.outputs`), or the same seed
    does not give the same outputs.
    """
    in_bfloat16 = " in bfloat16" if model.precision == BFLOAT16 else ""
    try:
        try:
            outputs = _run_twice(model, recipe, problem)
        except RuntimeError:
            if model.own is None:
                raise
            # Its code may need the usual order in memory, as `view` does; else this fails as well.
            model = replace(model, memory_format=torch.contiguous_format)
            outputs = _run_twice(model, recipe, problem)
    except Exception as error:
        # A user's model may raise anything; --debug shows the traceback.
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        reason = (str(error).splitlines() or [""])[0]
        raise ValueError(
            f"model {model.name!r} cannot be used{in_bfloat16}: {kind}{reason}"
        ) from error
    if not torch.allclose(outputs[0], outputs[1], rtol=0, atol=0, equal_nan=True):
        raise ValueError(
            f"model {model.name!r} cannot be used: the same seed gives other outputs; let it draw "
            "from the global generator of torch, numpy or Python, which a study seeds"
        )
    return model


def _run_twice(model: Model, recipe: Recipe, problem: Problem) -> list[Tensor]:
    """Return the outputs in training mode of two networks that are built with one seed."""
    return [_run(model, recipe, problem) for _ in range(2)]


def _run(model: Model, recipe: Recipe, problem: Problem) -> Tensor:
    """Build a network, run it with gradients and in evaluation; return the outputs in training."""
    network = model(recipe, problem, generator(0, "weights"), generator(0, "dropout"))
    network.to(memory_format=model.memory_format)
    inputs = torch.rand(2, *problem.shape, generator=generator(0, "inputs"))
    inputs = lay_out(inputs, model.memory_format)
    with seeded_globals(0), forward_context(model.precision, inputs.device):
        outputs = network.train()(inputs)
        _check_outputs(outputs, problem)
        if not outputs.requires_grad:
            raise ValueError("its outputs depend on no parameter that is trained")
        outputs.float().sum().backward()
        with torch.no_grad():
            _check_outputs(network.eval()(inputs), problem)
    trained: Tensor = outputs.detach()
    return trained


def lay_out(inputs: Tensor, memory_format: torch.memory_format) -> Tensor:
    """Lay images out in memory; leave tables as they are."""
    return inputs.contiguous(memory_format=memory_format) if inputs.dim() == 4 else inputs


def _check_outputs(outputs: object, problem: Problem) -> None:
    expected = (2, problem.outputs)
    if not isinstance(outputs, Tensor):
        raise ValueError(
            f"it returns a {type(outputs).__name__}, not a tensor; let its forward return the "
            f"outputs alone, {expected} for 2 samples"
        )
    if tuple(outputs.shape) != expected:
        raise ValueError(
            f"its outputs have the shape {tuple(outputs.shape)} for 2 samples, not {expected}"
        )


def _unknown(name: str) -> str:
    near = get_close_matches(name, [*ARCHITECTURES, "mlp", "cnn"], n=1)
    hint = (
        f"did you mean {near[0]!r}?"
        if near
        else f"use {', '.join(ARCHITECTURES)}, torchvision:NAME, timm:NAME, "
        "package.module:callable or file.py:callable"
    )
    return f"model {name!r} is unknown; {hint}"
