"""Factors: each is one decision of a training run, with its options and their hyperparameters.

An option is declared by one function `(recipe, hyperparameter, ...) -> recipe`. The annotation of
each hyperparameter holds its dimension and, if it does not apply to every problem, its `Where`; its
default value is the baseline; the docstring is the documentation that users read; the body returns
the edited recipe.
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
    """A number or choice inside an option. default: its value in the baseline configuration."""

    name: str
    dimension: Dimension
    default: Value
    where: Where = EVERYWHERE

    def fixed(self) -> "Hyperparameter":
        """Return this hyperparameter, fixed at its default."""
        return replace(self, dimension=Fixed(self.default))


@dataclass(frozen=True)
class Option:
    """One way to decide a factor.

    function: (recipe, hyperparameters by name) -> the edited recipe. It raises ValueError for a
        value that makes no sense, such as a negative learning rate.
    where: the problems that the option applies to.
    """

    name: str
    function: Callable[..., Recipe]
    hyperparameters: tuple[Hyperparameter, ...]
    where: Where = EVERYWHERE

    @property
    def documentation(self) -> str:
        """The docstring of the function."""
        return inspect.getdoc(self.function) or ""

    def fixed(self) -> "Option":
        """Return this option with every hyperparameter fixed at its default."""
        return replace(self, hyperparameters=tuple(h.fixed() for h in self.hyperparameters))

    def for_problem(self, problem: Problem) -> "Option":
        """Return this option with the hyperparameters that do not apply to `problem` fixed."""
        return replace(
            self,
            hyperparameters=tuple(
                hyperparameter if hyperparameter.where.holds(problem) else hyperparameter.fixed()
                for hyperparameter in self.hyperparameters
            ),
        )

    def replace_hyperparameter(self, changed: Hyperparameter) -> "Option":
        """Return this option with the hyperparameter of the same name replaced by `changed`."""
        return replace(
            self,
            hyperparameters=tuple(
                changed if h.name == changed.name else h for h in self.hyperparameters
            ),
        )

    def describe(self) -> DescribedOption:
        """Return the option as a plain record."""
        return DescribedOption(
            name=self.name,
            where=self.where.text,
            documentation=self.documentation,
            hyperparameters=tuple(
                DescribedHyperparameter(h.name, h.default, h.where.text, h.dimension)
                for h in self.hyperparameters
            ),
        )


def read_option(function: Callable[..., Recipe], where: Where = EVERYWHERE) -> Option:
    """Return the option that a function declares.

    Raises TypeError when a parameter after the recipe has no dimension or no default.
    """
    hints = get_type_hints(function, include_extras=True)
    hyperparameters = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        hint = hints[parameter.name]
        if get_origin(hint) is not Annotated or parameter.default is parameter.empty:
            raise TypeError(
                f"{function.__name__}: declare {parameter.name} as Annotated[type, dimension] = "
                "default"
            )
        dimension, *rest = hint.__metadata__
        applies = next((extra for extra in rest if isinstance(extra, Where)), EVERYWHERE)
        hyperparameters.append(
            Hyperparameter(parameter.name, dimension, parameter.default, applies)
        )
    return Option(function.__name__, function, tuple(hyperparameters), where)


@dataclass(frozen=True, init=False)
class Factor:
    """One decision of a training run.

    name: the factor's name on screen and in the database.
    topic: the textbook heading that the factor is listed under; a topic may hold several factors.
    options: the functions that declare the options, or options; the first one that applies is the
        baseline.
    further: options that vary in the space `full` only; other spaces may name them.
    where: the problems that the factor applies to.
    restricted: the problems that single options apply to, by the function of the option; an option
        that is not named applies wherever the factor does.
    retune: whether options need different learning rates, so that the learning rate must be tuned
        again when another option is chosen, for a fair comparison.
    held: whether the factor stays at its baseline instead of varying.
    documentation: a description for users; built-in factors use the docstring of their module.
    source: the file or module of a factor that is not built in; empty for built-in ones.
    """

    name: str
    topic: str
    options: tuple[Option, ...]
    further: tuple[Option, ...]
    where: Where
    retune: bool
    held: bool
    documentation: str = field(compare=False)
    source: str

    def __init__(
        self,
        name: str,
        *,
        topic: str,
        options: Sequence[Callable[..., Recipe] | Option],
        further: Sequence[Callable[..., Recipe] | Option] = (),
        where: Where = EVERYWHERE,
        restricted: Mapping[Callable[..., Recipe], Where] | None = None,
        retune: bool = False,
        held: bool = False,
        documentation: str = "",
        source: str = "",
    ) -> None:
        for attribute, value in {
            "name": name,
            "topic": topic,
            "options": _declared(options, restricted or {}),
            "further": _declared(further, restricted or {}),
            "where": where,
            "retune": retune,
            "held": held,
            "documentation": documentation,
            "source": source,
        }.items():
            object.__setattr__(self, attribute, value)

    @property
    def baseline(self) -> Option:
        """The option that is used unless another is chosen: the first one."""
        return self.options[0]

    @property
    def used(self) -> tuple[Option, ...]:
        """The options that a study uses: all that vary, or the baseline alone, fixed."""
        return (self.baseline.fixed(),) if self.held else self.options

    def option(self, name: str) -> Option:
        """Return the option of this name. Raises KeyError when the factor has none."""
        return {option.name: option for option in (*self.options, *self.further)}[name]

    def coordinates(self) -> tuple[Coordinate, ...]:
        """Return the coordinates of this factor in the unit cube; empty when it does not vary."""
        has_choice = len(self.used) > 1
        names = [option.name for option in self.used]
        choice = [Coordinate(self.name, self.name, None, OneOf(*names))] if has_choice else []
        hyperparameters = [
            Coordinate(
                name=str(ParameterName(self.name, option.name, hyperparameter.name)),
                factor=self.name,
                option=option.name if has_choice else None,
                dimension=hyperparameter.dimension,
            )
            for option in self.used
            for hyperparameter in option.hyperparameters
            if not isinstance(hyperparameter.dimension, Fixed)
        ]
        return (*choice, *hyperparameters)

    def apply(self, recipe: Recipe, config: Mapping[str, Value]) -> Recipe:
        """Return the recipe, edited by the option that `config` chooses.

        Parameters that `config` does not contain take their baseline values.
        """
        option = self.option(str(config.get(self.name, self.baseline.name)))
        values = {
            hyperparameter.name: config.get(
                str(ParameterName(self.name, option.name, hyperparameter.name)),
                hyperparameter.default,
            )
            for hyperparameter in option.hyperparameters
        }
        return option.function(recipe, **values)

    def hold(self) -> "Factor":
        """Return this factor, held at its baseline."""
        return replace(self, held=True)

    def with_further(self) -> "Factor":
        """Return this factor with its further options among those that vary."""
        return self.replace_options((*self.options, *self.further))

    def replace_options(self, options: Sequence[Option]) -> "Factor":
        """Return this factor with other options; the first one becomes the baseline."""
        return replace(self, options=tuple(options), further=())

    def for_problem(self, problem: Problem) -> "Factor":
        """Return this factor with the options and hyperparameters that apply to `problem`.

        Raises ValueError when no option applies.
        """
        options = [o.for_problem(problem) for o in self.options if o.where.holds(problem)]
        if not options:
            names = ", ".join(option.name for option in self.options)
            raise ValueError(
                f"{self.name}: {names} does not apply here ({self.baseline.where.text})"
            )
        further = [o.for_problem(problem) for o in self.further if o.where.holds(problem)]
        return replace(self, options=tuple(options), further=tuple(further))

    def describe(self) -> DescribedFactor:
        """Return the factor as a plain record."""
        return DescribedFactor(
            name=self.name,
            topic=self.topic,
            where=self.where.text,
            documentation=self.documentation,
            options=tuple(option.describe() for option in self.used),
            source=self.source,
            retune=self.retune,
        )


def _declared(
    options: Sequence[Callable[..., Recipe] | Option],
    restricted: Mapping[Callable[..., Recipe], Where],
) -> tuple[Option, ...]:
    return tuple(
        option
        if isinstance(option, Option)
        else read_option(option, restricted.get(option, EVERYWHERE))
        for option in options
    )
