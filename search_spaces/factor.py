"""A factor: one decision of a training run, declared once and read from its options' signatures.

An option is a function `(recipe, hyperparameter, ...) -> recipe`. The annotation of a hyperparameter is its dimension
(and, where it needs one, the `Where` in which it applies), its default is the baseline, the
docstring is the documentation, the body applies it.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, get_origin, get_type_hints

from training_factors.search_spaces.description import (
    Coordinate,
    DescribedFactor,
    DescribedHyperparameter,
    DescribedOption,
    ParameterName,
)
from training_factors.search_spaces.dimension import Dimension, Fixed, OneOf, Value
from training_factors.search_spaces.problem import EVERYWHERE, Problem, Where
from training_factors.search_spaces.recipe import Recipe


@dataclass(frozen=True)
class Hyperparameter:
    """A number or choice inside an option."""

    name: str
    dimension: Dimension
    default: Value
    where: Where = EVERYWHERE

    def held(self) -> "Hyperparameter":
        """The same hyperparameter, fixed at its default."""
        return replace(self, dimension=Fixed(self.default))


@dataclass(frozen=True)
class Option:
    """One way to decide a factor: a function that edits a recipe."""

    name: str
    function: Callable[..., Recipe]
    hyperparameters: tuple[Hyperparameter, ...]
    where: Where = EVERYWHERE

    @property
    def documentation(self) -> str:
        """What the option does: the function's docstring."""
        return inspect.getdoc(self.function) or ""

    def held(self) -> "Option":
        """The same option with every hyperparameter fixed at its default."""
        return replace(
            self,
            hyperparameters=tuple(hyperparameter.held() for hyperparameter in self.hyperparameters),
        )

    def describe(self) -> DescribedOption:
        """Return the option as a plain record."""
        return DescribedOption(
            self.name,
            self.where.words,
            self.documentation,
            tuple(
                DescribedHyperparameter(one.name, one.default, one.where.words, one.dimension)
                for one in self.hyperparameters
            ),
        )

    def replace_hyperparameter(self, changed: Hyperparameter) -> "Option":
        """The same option with another hyperparameter in the place of the one of the same name."""
        return replace(
            self,
            hyperparameters=tuple(
                changed if hyperparameter.name == changed.name else hyperparameter
                for hyperparameter in self.hyperparameters
            ),
        )


def read_option(function: Callable[..., Recipe], where: Where = EVERYWHERE) -> Option:
    """The option that a function declares.

    Raises TypeError when a parameter behind the recipe has no dimension or no default.
    """
    hints = get_type_hints(function, include_extras=True)
    hyperparameters = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        hint = hints[parameter.name]
        if get_origin(hint) is not Annotated or parameter.default is parameter.empty:
            raise TypeError(
                f"{function.__name__}: {parameter.name} needs Annotated[..., dimension] = default"
            )
        extras = list(hint.__metadata__)
        applies = next((extra for extra in extras if isinstance(extra, Where)), EVERYWHERE)
        hyperparameters.append(
            Hyperparameter(parameter.name, extras[0], parameter.default, applies)
        )
    return Option(function.__name__, function, tuple(hyperparameters), where)


@dataclass(frozen=True, init=False)
class Factor:
    """One decision of a training run.

    name: as on screen and in the database.
    topic: what a reader calls it; one topic may hold several factors.
    options: functions that edit a recipe (or options read before); the first is the baseline.
    where: the problems that the factor applies to.
    restricted: options that apply to some problems only.
    retune: whether another option asks for another learning rate to be compared fairly.
    """

    name: str
    topic: str
    options: tuple[Option, ...]
    where: Where
    retune: bool
    documentation: str = field(compare=False)

    def __init__(
        self,
        name: str,
        *,
        topic: str,
        options: Sequence[Callable[..., Recipe] | Option],
        where: Where = EVERYWHERE,
        restricted: Mapping[Callable[..., Recipe], Where] | None = None,
        retune: bool = False,
        documentation: str = "",
    ) -> None:
        limits = restricted or {}
        read = tuple(
            option
            if isinstance(option, Option)
            else read_option(option, limits.get(option, EVERYWHERE))
            for option in options
        )
        for attribute, value in {
            "name": name,
            "topic": topic,
            "options": read,
            "where": where,
            "retune": retune,
            "documentation": documentation,
        }.items():
            object.__setattr__(self, attribute, value)

    @property
    def baseline(self) -> Option:
        """The first option: what is used where nothing else is said."""
        return self.options[0]

    def option(self, name: str) -> Option:
        """The option of this name. Raises KeyError when there is none."""
        return {option.name: option for option in self.options}[name]

    def coordinates(self) -> tuple[Coordinate, ...]:
        """The axes that this factor varies along; none when it is held."""
        several = len(self.options) > 1
        names = [option.name for option in self.options]
        choice = [Coordinate(self.name, self.name, None, OneOf(*names))] if several else []
        hyperparameters = [
            Coordinate(
                str(ParameterName(self.name, option.name, hyperparameter.name)),
                self.name,
                option.name if several else None,
                hyperparameter.dimension,
            )
            for option in self.options
            for hyperparameter in option.hyperparameters
            if not isinstance(hyperparameter.dimension, Fixed)
        ]
        return (*choice, *hyperparameters)

    def apply(self, recipe: Recipe, config: Mapping[str, Value]) -> Recipe:
        """The recipe as `config` edits it; what `config` does not name is at its baseline."""
        option = self.option(str(config.get(self.name, self.baseline.name)))
        hyperparameters = {
            hyperparameter.name: config.get(
                str(ParameterName(self.name, option.name, hyperparameter.name)),
                hyperparameter.default,
            )
            for hyperparameter in option.hyperparameters
        }
        return option.function(recipe, **hyperparameters)

    def held(self) -> "Factor":
        """The same factor, fixed at its baseline."""
        return self.replace_options([self.baseline.held()])

    def replace_options(self, options: Sequence[Option]) -> "Factor":
        """The same factor with these options; the first is the baseline."""
        return replace(self, options=tuple(options))

    def fitted(self, problem: Problem) -> "Factor":
        """The same factor with the options and hyperparameters that apply to `problem`.

        Raises ValueError when no option does.
        """
        fitting = [option for option in self.options if option.where.holds(problem)]
        if not fitting:
            names = ", ".join(option.name for option in self.options)
            words = self.baseline.where.words
            raise ValueError(f"{self.name}: {names} does not apply to this data ({words})")
        return self.replace_options(
            [
                replace(
                    option,
                    hyperparameters=tuple(
                        hyperparameter
                        if hyperparameter.where.holds(problem)
                        else hyperparameter.held()
                        for hyperparameter in option.hyperparameters
                    ),
                )
                for option in fitting
            ]
        )

    def describe(self) -> DescribedFactor:
        """Return the factor as a plain record: options, dimensions and documentation."""
        return DescribedFactor(
            self.name,
            self.topic,
            self.where.words,
            self.documentation,
            tuple(option.describe() for option in self.options),
        )
