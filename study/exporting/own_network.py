"""Write the network of a user's own model, or of a library's, and what the recipe changes in it."""

import random
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, nn
from torch.nn.parameter import is_lazy as is_lazy_parameter

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe
from training_factors.search_spaces.user_code import GIVEN
from training_factors.study.exporting.built_in_network import initialization, initialization_gain
from training_factors.study.exporting.module_source import Import
from training_factors.study.exporting.plain_layers import (
    FEATURE_ARGUMENTS,
    Piece,
    activation_layer,
    constructor,
    plain_text,
)
from training_factors.study.exporting.source_code import literal, short_name
from training_factors.study.training.own_model import (
    KEYWORDS,
    LibraryModel,
    OwnModel,
    RepeatChannel,
)
from training_factors.study.training.seeds import generator, seeded_globals
from training_factors.study.training.surgery import Change, FeaturesLast, Operation

SCRIPT_NAMES = ("train", "load")
"""Modules of an exported folder, whose names no other file in it can have."""


class Replacement(NamedTuple):
    """Modules of a network that are replaced by layers with one text.

    layer: their text; a normalization layer has the variable `features` in it. paths: of the
    modules. features: of each of them; empty where the text has no such variable. kinds: types, as
    the script names them, of which the network has no other modules; empty if there are none.
    """

    layer: Piece
    paths: tuple[str, ...]
    features: tuple[int, ...]
    kinds: tuple[str, ...] = ()


class OwnNetwork(NamedTuple):
    """The values that the template of a network of other code needs.

    call: makes the network. imported: what the script imports for it. replacements: of modules.
    shared: path of a module that is replaced -> a path at which it stands as well. layers: paths of
    those that are initialized, in the order in which they run. layer_kinds: their types, if the
    network has no other modules of these types, and they run in the order in which it names them;
    empty else. initialize: the call for one of them. gain: of all but the last; None where the
    initialization does without. shape: of an input that gives lazy modules their shapes; empty if
    there are none. stops_in_place: some modules must not overwrite their inputs. has_attention: it
    has attention, which torch would shorten. global_generators: modules besides torch that the
    model draws random numbers from. is_spatial: it has kernels of images.
    """

    call: Piece
    imported: Import
    replacements: tuple[Replacement, ...]
    shared: Mapping[str, str]
    layers: tuple[str, ...]
    layer_kinds: tuple[str, ...]
    initialize: Piece | None
    gain: float | None
    shape: tuple[int, ...]
    stops_in_place: bool
    has_attention: bool
    global_generators: tuple[str, ...]
    is_spatial: bool


def own_model_module(name: str) -> str:
    """Return the name of the module in an exported folder that holds a user's model.

    name: of the model, `file.py:callable`; the file is copied under the module's name. It is the
    file's own unless that is no name of a module, or is taken.
    """
    stem = re.sub(r"\W", "_", Path(name.rpartition(":")[0]).stem)
    is_taken = stem in (*SCRIPT_NAMES, "torch", "safetensors") or stem in sys.stdlib_module_names
    if not stem.isidentifier():
        return f"model_{stem}"
    return f"{stem}_model" if is_taken else stem


def describe_own(
    own: OwnModel, recipe: Recipe, problem: Problem, seed: int, is_channels_last: bool
) -> OwnNetwork:
    """Return what to write of a network that is not built in.

    Raises ValueError, one line with the remedy, for a model that a script cannot make.
    """
    _refuse(own)
    recipe = own.applied(recipe)
    weights, dropout = generator(seed, "weights"), generator(seed, "dropout")
    with seeded_globals(weights.initial_seed()):
        network = own.make_network(recipe, problem, dropout)
        is_lazy = any(is_lazy_parameter(parameter) for parameter in network.parameters())
        in_place = [each for each in network.modules() if getattr(each, "inplace", False) is True]
        operation = own.surgeon(recipe, weights, dropout).plan(network, problem)
    places = list(network.named_modules(remove_duplicate=False))
    paths = {module: path for path, module in reversed(places)}
    return OwnNetwork(
        call=_call(own, recipe, problem, dropout),
        imported=_import(own),
        replacements=tuple(_replacements(recipe, operation, paths, network)),
        shared={
            path: paths[module]
            for path, module in places
            if module in operation.changes and paths[module] != path
        },
        layers=tuple(paths[layer] for layer in operation.layers),
        layer_kinds=_only_kinds(operation.layers, network, is_ordered=True),
        initialize=_initialize(recipe) if operation.layers else None,
        gain=initialization_gain(recipe) if operation.layers else None,
        shape=problem.shape if is_lazy else (),
        stops_in_place=any(
            each not in operation.changes and getattr(each, "inplace", True) is False
            for each in in_place
        ),
        has_attention=any(isinstance(each, nn.MultiheadAttention) for each in paths),
        global_generators=_global_generators(own, recipe, problem),
        is_spatial=is_channels_last and any(p.dim() == 4 for p in network.parameters()),
    )


def _refuse(own: OwnModel) -> None:
    """Raise ValueError for a model that a script cannot make."""
    if own.reads_recipe:
        raise ValueError(
            f"model {own.name!r} takes the argument recipe, which train.py does not have; let it "
            "take act_layer, norm_layer, drop_rate and drop_path_rate instead"
        )
    if own.name.startswith(GIVEN):
        raise ValueError(
            f"model {own.name.removeprefix(GIVEN)!r} is a Python object, which train.py cannot "
            "import; name it as file.py:callable"
        )


def _import(own: OwnModel) -> Import:
    if isinstance(own.make, LibraryModel):
        return Import(own.make.function.partition(".")[0], None)
    location, _, attribute = own.name.rpartition(":")
    module = own_model_module(own.name) if location.endswith(".py") else location
    return Import(module, attribute.partition(".")[0])


def _call(own: OwnModel, recipe: Recipe, problem: Problem, dropout: Generator) -> Piece:
    """Return the call that makes the network."""
    values = own.arguments(recipe, problem, dropout)
    if isinstance(own.make, LibraryModel):
        return _library_call(own.make, values)
    pieces = {
        name: _argument(name, value, recipe, problem, dropout) for name, value in values.items()
    }
    function = own.name.rpartition(":")[2]
    return Piece(
        tuple(need for piece in pieces.values() for need in piece.needs),
        lambda code: (
            f"{function}({', '.join(f'{name}={p.write(code)}' for name, p in pieces.items())})"
        ),
    )


def _library_call(make: LibraryModel, values: Mapping[str, object]) -> Piece:
    arguments = make.arguments(**values)  # type: ignore[arg-type]
    literals = {name: literal(value) for name, value in arguments.items()}
    texts = [literal(make.name), *(f"{name}={text}" for name, text in literals.items())]
    call = f"{make.function}({', '.join(texts)})"
    if values["in_chans"] == 3 or make.takes_grey:
        return plain_text(call)
    return Piece(
        (RepeatChannel,), lambda code: f"nn.Sequential({code.name(RepeatChannel)}(), {call})"
    )


def _argument(
    name: str, value: object, recipe: Recipe, problem: Problem, dropout: Generator
) -> Piece:
    """Return an expression for an argument of the user's function."""
    if value is dropout:
        return plain_text("dropout")
    if KEYWORDS[name].part == "activation":
        layer = activation_layer(recipe.activation)
        return Piece(layer.needs, lambda code: f"lambda *_, **__: {layer.write(code)}")
    if KEYWORDS[name].part == "norm":
        axes = len(problem.shape) - 1
        norm = recipe.norm
        return Piece(
            (norm,),
            lambda code: f"lambda features, *_, **__: {code.call(norm, 'features', str(axes))}",
        )
    return plain_text(literal(value))


def _replacements(
    recipe: Recipe, operation: Operation, paths: Mapping[nn.Module, str], network: nn.Module
) -> Iterator[Replacement]:
    """Yield the replaced modules, grouped by the text of the layer that replaces them."""
    groups: dict[str, list[nn.Module]] = {}
    layers: dict[str, Piece] = {}
    for module, change in operation.changes.items():
        key, layers[key] = _layer(recipe, change)
        groups.setdefault(key, []).append(module)
    made = {short_name(type(change.layer)) for change in operation.changes.values()}
    for key, modules in groups.items():
        changes = [operation.changes[module] for module in modules]
        features = tuple(change.features for change in changes if change.part == "norm")
        kinds = _only_kinds(modules, network)
        if len(groups) > 1 and made & set(kinds):
            kinds = ()  # layers of another group would be taken for those to replace
        if features and kinds:
            attribute = _features_attribute(modules, features)
            if attribute is None:
                kinds = ()
            else:
                layers[key] = _layer(recipe, changes[0], f"module.{attribute}")[1]
        yield Replacement(layers[key], tuple(paths[m] for m in modules), features, kinds)


def _only_kinds(
    modules: Sequence[nn.Module], network: nn.Module, is_ordered: bool = False
) -> tuple[str, ...]:
    """Return the types of modules, as a script names them; empty if the network has others of them.

    is_ordered: the modules must also be in the order in which the network names them.
    """
    types = tuple(dict.fromkeys(type(module) for module in modules))
    names = tuple(name for each in types if (name := short_name(each)) is not None)
    others = [module for module in network.modules() if isinstance(module, types)]
    is_same = others == list(modules) if is_ordered else set(others) == set(modules)
    return names if is_same and len(names) == len(types) else ()


def _features_attribute(modules: Sequence[nn.Module], features: Sequence[int]) -> str | None:
    """Return the attribute in which modules have these numbers of features."""
    return next(
        (
            name
            for name in FEATURE_ARGUMENTS
            if [getattr(module, name, None) for module in modules] == list(features)
        ),
        None,
    )


def _layer(recipe: Recipe, change: Change, features: str = "features") -> tuple[str, Piece]:
    """Return a key that equal layers share, and the text of the layer.

    features: expression of the number of features of a norm.
    """
    if isinstance(change.layer, nn.Identity):
        return "identity", plain_text("nn.Identity()")
    if change.part == "activation":
        return change.part, activation_layer(recipe.activation)
    if change.part == "dropout":
        return change.part, Piece(
            (recipe.dropout,), lambda code: code.call(recipe.dropout, "dropout")
        )
    is_last = isinstance(change.layer, FeaturesLast)
    norm_layer = change.layer.norm if isinstance(change.layer, FeaturesLast) else change.layer
    text = constructor(norm_layer, features)
    if text is None:
        key = f"norm of {change.axes} axes"
        norm = Piece(
            (recipe.norm,), lambda code: code.call(recipe.norm, features, str(change.axes))
        )
    else:
        key, norm = text, plain_text(text)
    if not is_last:
        return key, norm
    return f"{key} of the last axis", Piece(
        (FeaturesLast, *norm.needs),
        lambda code: f"{code.name(FeaturesLast)}({norm.write(code)})",
    )


def _global_generators(own: OwnModel, recipe: Recipe, problem: Problem) -> tuple[str, ...]:
    """Return the modules besides torch that the model draws random numbers from."""
    with seeded_globals(0):
        before = _states()
        network = own(recipe, problem, generator(0, "weights"), generator(0, "dropout"))
        network.train()(torch.rand(2, *problem.shape, generator=generator(0, "inputs")))
        after = _states()
        # Building the network restores the states, so it is tried once more without that.
        own.make_network(recipe, problem, generator(0, "dropout"))
        made = _states()
    return tuple(name for name in before if not before[name] == after[name] == made[name])


def _states() -> dict[str, object]:
    """Return the states of the generators of `random` and `numpy.random`."""
    _, keys, position, *_ = np.random.get_state(legacy=True)
    return {"random": random.getstate(), "numpy": (np.asarray(keys).tobytes(), position)}


def _initialize(recipe: Recipe) -> Piece:
    return initialization(recipe, "layer", None if initialization_gain(recipe) is None else "gain")
