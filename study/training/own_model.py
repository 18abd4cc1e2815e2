"""Networks of other code: a user's own models, and those of torchvision and timm.

A study builds the network anew in every run. The recipe reaches it by the keywords that its
function takes, else by module surgery; what neither reaches stays as the model has it.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn.parameter import is_lazy

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import UNCHANGED, Recipe, unchanged_part
from training_factors.search_spaces.user_code import GIVEN, import_object
from training_factors.study.training.network import Pointwise
from training_factors.study.training.seeds import generator, seeded_globals
from training_factors.study.training.surgery import PARTS, Surgeon, trace_calls

RECIPE = "recipe"
"""The keyword of functions that build every part from the recipe themselves."""


class Keyword(NamedTuple):
    """An argument that the function of a model may take.

    value: (recipe, problem, generator of dropout layers) -> the argument.
    part: the field of the recipe that it brings to the network; None if it brings none.
    """

    value: Callable[[Recipe, Problem, Generator], object]
    part: str | None = None


def _side(recipe: Recipe, problem: Problem, dropout: Generator) -> int | tuple[int, ...]:
    """Return the side of square images; height and width of others."""
    sides = problem.shape[1:]
    return sides[0] if len(set(sides)) == 1 else sides


def _make_activations(recipe: Recipe, problem: Problem, dropout: Generator) -> object:
    """Return a function that makes an activation; it ignores arguments such as `inplace`."""
    return lambda *arguments, **named: Pointwise(recipe.activation.function)


def _make_norms(recipe: Recipe, problem: Problem, dropout: Generator) -> object:
    """Return a function (features) that makes a normalization layer; others are ignored."""
    axes = len(problem.shape) - 1
    return lambda features, *arguments, **named: recipe.norm(features, axes)


def _drop_rate(recipe: Recipe, problem: Problem, dropout: Generator) -> float:
    """Return the rate of the recipe's dropout layers; 0 if it has none."""
    return float(getattr(recipe.dropout(dropout), "rate", 0.0))


def _drop_path_rate(recipe: Recipe, problem: Problem, dropout: Generator) -> float:
    """Return the rate of the recipe's stochastic depth; 0 if it has none."""
    return float(getattr(recipe.branch(nn.Identity(), dropout), "rate", 0.0))


KEYWORDS: dict[str, Keyword] = {
    RECIPE: Keyword(lambda recipe, problem, dropout: recipe),
    "num_classes": Keyword(lambda recipe, problem, dropout: problem.outputs),
    "classes": Keyword(lambda recipe, problem, dropout: problem.classes),
    "in_chans": Keyword(lambda recipe, problem, dropout: problem.shape[0]),
    "in_channels": Keyword(lambda recipe, problem, dropout: problem.shape[0]),
    "in_features": Keyword(lambda recipe, problem, dropout: problem.shape[0]),
    "input_shape": Keyword(lambda recipe, problem, dropout: problem.shape),
    "shape": Keyword(lambda recipe, problem, dropout: problem.shape),
    "img_size": Keyword(_side),
    "image_size": Keyword(_side),
    "act_layer": Keyword(_make_activations, "activation"),
    "norm_layer": Keyword(_make_norms, "norm"),
    "generator": Keyword(lambda recipe, problem, dropout: dropout),
    "drop_rate": Keyword(_drop_rate, "dropout"),
    "drop_path_rate": Keyword(_drop_path_rate, "branch"),
}
"""The arguments that the function of a model may take, by timm's names where timm has one."""

UNCHANGED_PARTS: dict[str, Any] = {
    "activation": UNCHANGED,
    **dict.fromkeys(("branch", "dropout", "initialize", "norm"), unchanged_part),
}
"""The values of a recipe that leave a part of the network as the model has it."""

OF_IMAGES = ("in_chans", "in_channels", "img_size", "image_size")
OF_TABLES = ("in_features",)
"""Arguments that only images, or only tables, have a value for."""


@dataclass(frozen=True)
class OwnModel:
    """Builds networks of other code, and applies recipes to them.

    make: returns a network. keywords: the arguments that it is given, of `KEYWORDS`.
    notes: what the user should know about how the model is used.
    kept: parts of the recipe that no factor of the study sets: they stay as the model has them.
    """

    name: str
    make: Callable[..., object]
    keywords: tuple[str, ...]
    notes: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def reads_recipe(self) -> bool:
        """Return whether the function builds every part from the recipe itself."""
        return RECIPE in self.keywords

    def __call__(
        self, recipe: Recipe, problem: Problem, weights: Generator, dropout: Generator
    ) -> nn.Module:
        """Build a network on the CPU; the same recipe and seeds give the same weights.

        weights: generator whose seed decides all that the model draws when it is built.

        Raises ValueError if the model gives no network that can be trained.
        """
        return self._build(recipe, problem, weights, dropout)[0]

    def reach(self, recipe: Recipe, problem: Problem) -> Mapping[str, str]:
        """Return how the recipe reaches the network: field of the recipe -> words for it."""
        if self.reads_recipe:
            return {}
        counts = self._build(recipe, problem, generator(0, "weights"), generator(0, "dropout"))[1]
        words = {
            part: "1 module" if count == 1 else f"{count} modules"
            for part, count in counts.items()
            if count
        }
        return words | {
            part: f"keyword {name}"
            for name in self.keywords
            if (part := KEYWORDS[name].part) is not None
        }

    def _build(
        self, recipe: Recipe, problem: Problem, weights: Generator, dropout: Generator
    ) -> tuple[nn.Module, dict[str, int]]:
        """Return a network, and the number of modules that surgery found for every part."""
        # The fast path of torch's transformers does not run their modules, which surgery looks for.
        torch.backends.mha.set_fastpath_enabled(False)
        recipe = self.applied(recipe)
        with seeded_globals(weights.initial_seed()):
            network = self.make_network(recipe, problem, dropout)
            counts: dict[str, int] = {}
            if self.reads_recipe:
                trace_calls(network, problem)  # gives lazy modules their shapes
            else:
                counts = self.surgeon(recipe, weights, dropout).operate(network, problem)
        for name, parameter in network.named_parameters():
            if is_lazy(parameter):
                raise ValueError(f"{name} has no shape, since no input reaches its lazy module")
        return network, counts

    def applied(self, recipe: Recipe) -> Recipe:
        """Return the recipe with the parts unchanged that no factor of the study sets."""
        if self.reads_recipe:
            return recipe
        return replace(recipe, **{part: UNCHANGED_PARTS[part] for part in self.kept})

    def surgeon(self, recipe: Recipe, weights: Generator, dropout: Generator) -> Surgeon:
        """Return what applies those parts of the recipe that no keyword brings to the network."""
        by_keyword = {KEYWORDS[name].part for name in self.keywords}
        parts = tuple(part for part in PARTS if part not in by_keyword)
        return Surgeon(recipe, weights, dropout, parts)

    def arguments(
        self, recipe: Recipe, problem: Problem, dropout: Generator
    ) -> Mapping[str, object]:
        """Return the arguments that the function of the model is given."""
        return {
            name: KEYWORDS[name].value(recipe, problem, dropout)
            for name in self.keywords
            if (part := KEYWORDS[name].part) is None or not is_unchanged(recipe, part)
        }

    def make_network(self, recipe: Recipe, problem: Problem, dropout: Generator) -> nn.Module:
        """Return the network as its function makes it, before surgery.

        Raises ValueError if it is none, or cannot be trained.
        """
        network = self.make(**self.arguments(recipe, problem, dropout))
        if not isinstance(network, nn.Module):
            raise ValueError(f"it returns {type(network).__name__}, not an nn.Module")
        self._check_parameters(network)
        return network

    def _check_parameters(self, network: nn.Module) -> None:
        """Raise ValueError if the parameters of a network cannot be trained."""
        parameters = dict(network.named_parameters())
        for name, parameter in parameters.items():
            if parameter.device.type != "cpu":
                raise ValueError(
                    f"{name} is on {parameter.device}; build the network on the CPU, a study moves "
                    "it to its device"
                )
            if parameter.dtype != torch.float32:
                words = str(parameter.dtype).removeprefix("torch.")
                raise ValueError(f"{name} is {words}; build the network in float32")
        if not any(parameter.requires_grad for parameter in parameters.values()):
            raise ValueError("it has no parameters to train")


def is_unchanged(recipe: Recipe, part: str) -> bool:
    """Return whether the recipe leaves a part of the network as the model has it."""
    value = getattr(recipe, part)
    return (value.function if part == "activation" else value) is unchanged_part


def open_own_model(name: str, problem: Problem) -> OwnModel:
    """Return the user's model of this name: `package.module:callable` or `file.py:callable`.

    Raises ValueError, without the name, when it cannot be imported or called.
    """
    if name.startswith(GIVEN):
        raise ValueError(
            "it is a Python object, which only the program that passed it has; go on with "
            "training_factors.run(model=..., study=...)"
        )
    return describe_own_model(name, import_object(name), problem)


def describe_own_model(name: str, made: object, problem: Problem) -> OwnModel:
    """Return the model that a class or function of the user's makes.

    Raises ValueError, without the name, when it cannot be called.
    """
    if isinstance(made, nn.Module):
        raise ValueError(
            "it is a network, and every run builds its own; name its class or function"
        )
    if not callable(made):
        raise ValueError(f"it is {type(made).__name__}, not a function or a class")
    if isinstance(made, type) and not issubclass(made, nn.Module):
        raise ValueError(f"class {made.__name__} is not an nn.Module")
    return OwnModel(name, made, _keywords_of(made, problem), _notes(made))


def _keywords_of(function: Callable[..., object], problem: Problem) -> tuple[str, ...]:
    """Return the arguments that a function takes, of `KEYWORDS`.

    Raises ValueError when it needs others.
    """
    fitting, missing = [], []
    parameters = inspect.signature(function).parameters
    for parameter in parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        is_needed = parameter.default is parameter.empty
        unfit = OF_TABLES if problem.is_image else OF_IMAGES
        if parameter.name in unfit and is_needed:
            kind = "a table" if problem.is_image else "images"
            raise ValueError(f"its argument {parameter.name} needs {kind}")
        keyword = KEYWORDS.get(parameter.name)
        if is_needed and keyword and keyword.part is not None and RECIPE not in parameters:
            raise ValueError(
                f"its argument {parameter.name} needs a default, for nothing is passed where the "
                "study leaves the network as it is"
            )
        if parameter.name in KEYWORDS and parameter.name not in unfit:
            fitting.append(parameter.name)
        elif is_needed:
            missing.append(parameter.name)
    if missing:
        names = ", ".join(missing)
        raise ValueError(
            f"it needs arguments that a study does not have: {names}; give them defaults, or use "
            f"{', '.join(KEYWORDS)}"
        )
    return tuple(fitting)


def _notes(made: object) -> tuple[str, ...]:
    ancestors = made.__mro__ if isinstance(made, type) else ()
    if any(ancestor.__name__ == "LightningModule" for ancestor in ancestors):
        return (
            "a LightningModule is trained by the study's own loop: its forward counts, not its "
            "training_step and configure_optimizers",
        )
    return ()


class RepeatChannel(nn.Module):
    """Shows grey images to a network for colour images: the same values in three channels."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return inputs of the shape (batch, 1, height, width) with three channels."""
        return inputs.expand(-1, 3, -1, -1)


@dataclass(frozen=True)
class LibraryModel:
    """Makes a network of torchvision or timm.

    function: of the library, which makes a network by its name. name: of the model. fixed:
    arguments that do not depend on the problem. size: the argument that takes the side of images;
    empty if there is none. takes_grey: whether the function makes networks for one channel.
    """

    function: str
    name: str
    fixed: Mapping[str, object]
    size: str
    takes_grey: bool

    def arguments(self, num_classes: int, in_chans: int, image_size: object) -> dict[str, object]:
        """Return the keywords of the function."""
        channels = {"in_chans": in_chans} if self.takes_grey else {}
        size = {self.size: image_size} if self.size else {}
        return {**self.fixed, "num_classes": num_classes, **channels, **size}

    def __call__(self, num_classes: int, in_chans: int, image_size: object) -> nn.Module:
        """Return a network."""
        module, _, function = self.function.rpartition(".")
        make = getattr(importlib.import_module(module), function)
        network: nn.Module = make(self.name, **self.arguments(num_classes, in_chans, image_size))
        if in_chans == 3 or self.takes_grey:
            return network
        return nn.Sequential(RepeatChannel(), network)


LIBRARY_KEYWORDS = ("num_classes", "in_chans", "image_size")
"""The arguments that a `LibraryModel` is given."""


def open_torchvision(name: str) -> OwnModel:
    """Return a classifier of torchvision.models, without its weights.

    Raises ValueError, without the name, when there is none.
    """
    models = importlib.import_module("torchvision.models")
    builder = _find(
        "torchvision", name, models.list_models(module=models), models.get_model_builder
    )
    settings = _constructor_arguments(builder)
    fixed = {"aux_logits": False, "init_weights": True}  # else some warn, or return a tuple
    chosen = {key: value for key, value in fixed.items() if key in settings}
    size = "image_size" if "image_size" in settings else ""
    make = LibraryModel(
        "torchvision.models.get_model", name, {"weights": None, **chosen}, size, takes_grey=False
    )
    return OwnModel(f"torchvision:{name}", make, LIBRARY_KEYWORDS)


def open_timm(name: str) -> OwnModel:
    """Return a model of timm, without its weights.

    Raises ValueError, without the name, when there is none or timm is not installed.
    """
    try:
        timm: ModuleType = importlib.import_module("timm")
    except ImportError:
        raise ValueError("timm is not installed; pip install 'training-factors[timm]'") from None
    plain = name.partition(".")[0]  # what follows names weights
    builder = _find("timm", plain, timm.list_models(), timm.models.model_entrypoint)
    size = "img_size" if "img_size" in _constructor_arguments(builder) else ""
    make = LibraryModel("timm.create_model", plain, {"pretrained": False}, size, takes_grey=True)
    return OwnModel(f"timm:{name}", make, LIBRARY_KEYWORDS)


def _find(
    library: str, name: str, known: list[str], open_builder: Callable[[str], Any]
) -> Callable[..., nn.Module]:
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {library}:{near[0]}?" if near else f"see {library}'s list of models"
        raise ValueError(f"{library} has no classifier {name!r}; {hint}")
    builder: Callable[..., nn.Module] = open_builder(name)
    return builder


def _constructor_arguments(builder: Callable[..., object]) -> frozenset[str]:
    """Return the arguments of the class that a library's function says it returns."""
    returned = inspect.signature(builder).return_annotation
    if not isinstance(returned, type) or returned is inspect.Signature.empty:
        return frozenset()
    return frozenset(inspect.signature(returned).parameters)
