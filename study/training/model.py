"""Open the model that a study trains, by its name, and try it."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

import torch
from torch import Generator, Tensor, nn

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe
from training_factors.study.training.network import ARCHITECTURES, build_network
from training_factors.study.training.own_model import (
    OwnModel,
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
    """

    name: str
    build: Builder
    own: OwnModel | None = None
    weights: Weights | None = None

    def __call__(
        self, recipe: Recipe, problem: Problem, weights: Generator, dropout: Generator
    ) -> nn.Module:
        """Build a network on the CPU. weights, dropout: generators that it draws from."""
        network = self.build(recipe, problem, weights, dropout)
        if self.weights is not None:
            recipe.start(network, self.weights)
        return network


def open_model(name: str, problem: Problem, weights: Weights | None = None) -> Model:
    """Return the model of this name.

    name: a key of ARCHITECTURES, its part before the colon (then `:small`), `torchvision:NAME`,
        `timm:NAME`, `package.module:callable` or `file.py:callable`; see `OwnModel`.
    weights: to start from.

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
        if library in LIBRARIES:
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


def try_model(model: Builder, name: str, recipe: Recipe, problem: Problem) -> None:
    """Build the model and run it on two samples of zeros, as in training and as in evaluation.

    Raises ValueError when that fails or the outputs are not (2, `problem.outputs`).
    """
    try:
        network = model(recipe, problem, generator(0, "weights"), generator(0, "dropout"))
        with seeded_globals(0), torch.no_grad():
            for is_training in (True, False):
                outputs = network.train(is_training)(torch.zeros(2, *problem.shape))
                _check_outputs(outputs, problem)
    except Exception as error:
        # A user's model may raise anything; --debug shows the traceback.
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        reason = (str(error).splitlines() or [""])[0]
        raise ValueError(f"model {name!r} cannot be used: {kind}{reason}") from error


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
