"""Write the normalization of a recipe, and the numbers that it was fitted to."""

import json
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe, Transform, identity
from training_factors.study.exporting.plain_layers import Piece, plain_text
from training_factors.study.exporting.source_code import SourceCode, record_fields

METADATA_KEY = "normalization"
"""Key of a model file's metadata whose value is a JSON text of `normalization_values`."""

TRIAL_SAMPLES = 8
"""Number of samples that a normalization is fitted to, to see what it is fitted to."""


class NormalizationSource(NamedTuple):
    """A normalization as a script writes it.

    fit: fits it to the training inputs; the whole expression where there is nothing to fit.
    rebuild: makes it from `statistics`, the tensors by their names. statistics: an expression of
    them as numbers and lists; empty where there are none. annotation: its type.
    """

    fit: Piece
    rebuild: Piece
    statistics: str
    annotation: Piece


CALLABLE = plain_text("Callable[[Tensor], Tensor]")


def describe_normalization(
    recipe: Recipe, problem: Problem, fitted_to: str
) -> NormalizationSource | None:
    """Return how a script writes the recipe's normalization; None if it changes nothing.

    fitted_to: the expression of the training inputs.

    Raises ValueError, one line with the remedy, for one that cannot be stored as numbers.
    """
    samples = (TRIAL_SAMPLES, *problem.shape)
    first, second = (
        recipe.normalize(torch.rand(samples, generator=torch.Generator().manual_seed(seed)))
        for seed in range(2)
    )
    if first is identity:
        return None
    made, arguments = _parts(first)
    is_class = isinstance(made, type)
    annotation = Piece((made,), lambda code: code.name(made)) if is_class else CALLABLE
    values = normalization_values(first)
    if values == normalization_values(second):
        whole = Piece((first,), lambda code: code.expression(first))
        return NormalizationSource(whole, whole, "", annotation)
    others = {name: value for name, value in arguments.items() if name not in values}

    def rebuild(code: SourceCode) -> str:
        named = {name: code.expression(value) for name, value in others.items()}
        if is_class:
            return code.call(made, "**statistics", named=named)
        return code.call(partial, code.name(made), "**statistics", named=named)

    place = "normalize.{}" if is_class else 'normalize.keywords["{}"]'
    statistics = [
        f'"{name}": {place.format(name)}{".tolist()" if isinstance(value, Tensor) else ""}'
        for name, value in arguments.items()
        if name in values
    ]
    return NormalizationSource(
        Piece((recipe.normalize,), lambda code: code.call(recipe.normalize, fitted_to)),
        Piece((made, *others.values()), rebuild),
        f"{{{', '.join(statistics)}}}",
        annotation,
    )


def normalization_values(transform: Transform) -> dict[str, object]:
    """Return the numbers that a fitted normalization holds, by name; tensors as nested lists.

    Empty for one that holds none, such as a function of one image.
    """
    return {
        name: value.tolist() if isinstance(value, Tensor) else value
        for name, value in _parts(transform)[1].items()
        if isinstance(value, Tensor | float | int)
    }


def model_metadata(is_averaged: bool, transform: Transform) -> dict[str, str]:
    """Return the metadata of a model file: which weights it holds, and the fitted normalization."""
    weights = "averaged" if is_averaged else "last"
    return {"weights": weights, METADATA_KEY: json.dumps(normalization_values(transform))}


def _parts(transform: Transform) -> tuple[object, dict[str, object]]:
    """Return the function or class of a normalization, and its arguments by name.

    Raises ValueError for a closure, whose numbers cannot be stored.
    """
    if isinstance(transform, partial):
        return transform.func, dict(transform.keywords)
    held = record_fields(transform)
    if held is not None:
        return type(transform), dict(held)
    if getattr(transform, "__closure__", None) or not hasattr(transform, "__qualname__"):
        name = getattr(transform, "__qualname__", type(transform).__name__)
        raise ValueError(
            f"the normalization {name} cannot be written into a script; return a functools.partial "
            "or an instance of a dataclass that holds its numbers"
        )
    return transform, {}
