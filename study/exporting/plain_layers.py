"""Write layers as a reader of PyTorch code knows them: `nn.GELU()`, `nn.BatchNorm1d(64)`."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from training_factors.search_spaces.recipe import Activation
from training_factors.study.exporting.source_code import SourceCode, short_name
from training_factors.study.training.network import Pointwise

FEATURE_ARGUMENTS = ("num_features", "num_channels", "normalized_shape")
"""Arguments of normalization layers that say how many features there are."""

PLACEMENT = ("device", "dtype")
"""Arguments of layers that a script leaves out."""


class Piece(NamedTuple):
    """A piece of a script.

    needs: values whose source it needs. write: returns its text, once that source is collected.
    """

    needs: tuple[object, ...]
    write: Callable[[SourceCode], str]


def plain_text(text: str) -> Piece:
    """Return a piece that needs no source."""
    return Piece((), lambda code: text)


def activation_layer(activation: Activation) -> Piece:
    """Return a layer that computes the activation: a layer of torch where one does the same."""
    function = activation.function
    layer = _torch_activation(function)
    if layer is not None:
        return plain_text(layer)
    return Piece(
        (Pointwise, function), lambda code: f"{code.name(Pointwise)}({code.expression(function)})"
    )


def norm_layer(norm: Callable[[int, int], nn.Module], widths: list[int], axes: int) -> Piece | None:
    """Return a normalization layer of `outputs` features; None if there is none.

    widths: numbers of features that occur. It is written as a layer of torch where one text is
    right for all of them, else as a call of `norm`.
    """
    modules = [norm(width, axes) for width in widths]
    if all(isinstance(module, nn.Identity) for module in modules):
        return None
    texts = {constructor(module, "outputs") for module in modules}
    text = texts.pop()
    if text is not None and not texts:
        return plain_text(text)
    return Piece((norm,), lambda code: code.call(norm, "outputs", str(axes)))


def constructor(module: nn.Module, features: str | None = None) -> str | None:
    """Return the call that makes a layer like this one; None if torch has none.

    features: name of the variable for the number of features; None writes the number.
    """
    kind = type(module)
    if short_name(kind) is None:
        return None
    positional: list[object] = []
    named: dict[str, object] = {}
    texts = []
    for parameter in inspect.signature(kind).parameters.values():
        value = getattr(module, parameter.name, parameter.default)
        if parameter.name in PLACEMENT or isinstance(value, Tensor | nn.Module):
            continue
        if isinstance(value, tuple) and len(value) == 1:
            (value,) = value
        is_features = features is not None and parameter.name in FEATURE_ARGUMENTS
        text = str(features) if is_features else repr(value)
        if parameter.default is parameter.empty:
            positional.append(value)
            texts.append(text)
        elif value != parameter.default:
            named[parameter.name] = value
            texts.append(f"{parameter.name}={text}")
    return (
        f"{short_name(kind)}({', '.join(texts)})"
        if _is_like(module, kind, positional, named)
        else None
    )


def _is_like(
    module: nn.Module, kind: type[nn.Module], positional: list[object], named: dict[str, object]
) -> bool:
    """Return whether a layer that is made with these arguments is like another one."""
    try:
        made = kind(*positional, **named)
    except (TypeError, ValueError):
        return False
    shapes = [{k: v.shape for k, v in each.state_dict().items()} for each in (made, module)]
    return repr(made) == repr(module) and shapes[0] == shapes[1]


def _torch_activation(function: object) -> str | None:
    """Return the layer of torch that applies this function of torch, if there is one."""
    keywords = {}
    if isinstance(function, partial) and not function.args:
        keywords, function = dict(function.keywords), function.func
    if not callable(function) or short_name(function) is None:
        return None
    wanted = str(getattr(function, "__name__", "")).replace("_", "")
    kinds = (
        kind
        for name, kind in vars(nn).items()
        if name.lower() == wanted and isinstance(kind, type) and issubclass(kind, nn.Module)
    )
    kind = next(kinds, None)
    if kind is None or not set(keywords) <= set(inspect.signature(kind).parameters):
        return None
    arguments = ", ".join(f"{name}={value!r}" for name, value in keywords.items())
    values = torch.linspace(-3, 3, 61)
    is_same = kind(**keywords)(values.clone()).equal(function(values.clone(), **keywords))
    return f"nn.{kind.__name__}({arguments})" if is_same else None
