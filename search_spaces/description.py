"""Describe a search space as plain records that are stored with a study and read back from JSON.

A description records every factor, option and hyperparameter as it was when the study was created,
so that a report stays correct after the code has changed. Reading a description imports neither
torch nor the code of any factor.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from training_factors.search_spaces.dimension import (
    Dimension,
    Value,
    dimension_document,
    read_dimension,
)

PLACEBO = "placebo"
"""Name of a dummy parameter that training never reads; its measured importance shows how large the
importance of a factor without any effect can look by chance."""

PLACEBO_BASELINE = 0.5
"""Value of the placebo in the baseline configuration: the middle of its range."""

UNRESTRICTED = "everywhere"
"""Value of `where` for a factor, option or hyperparameter that applies to every problem."""

_T = TypeVar("_T")


class ParameterName(NamedTuple):
    """The name of a parameter in its parts; `str()` joins them as Optuna stores the name.

    `optimizer` is the parameter that chooses the factor's option; its `option` and `hyperparameter`
    are None. `optimizer.sgd.lr` is a hyperparameter of the option `sgd`.
    """

    factor: str
    option: str | None = None
    hyperparameter: str | None = None

    def __str__(self) -> str:
        return ".".join(part for part in self if part is not None)


def parse_parameter(name: str) -> ParameterName:
    """Split a parameter's name, such as `optimizer.sgd.lr`, into its parts."""
    return ParameterName(*name.split(".", 2))


def factor_parameters(parameters: Mapping[str, _T], factor: str) -> dict[str, _T]:
    """Return the parameters of one factor: its option and the option's hyperparameters."""
    return {
        name: value for name, value in parameters.items() if parse_parameter(name).factor == factor
    }


class Coordinate(NamedTuple):
    """One coordinate of the unit cube in which configurations are designed and sampled.

    It stands for the choice of a factor's option, for a hyperparameter or for the placebo.

    name: the parameter's name as Optuna stores it.
    option: the option that must be chosen for this parameter to be active; None when it is always
        active.
    dimension: the values that the parameter takes.
    """

    name: str
    factor: str
    option: str | None
    dimension: Dimension

    @property
    def is_choice(self) -> bool:
        """Return whether the coordinate chooses a factor's option."""
        return self.name == self.factor and self.factor != PLACEBO


class DescribedHyperparameter(NamedTuple):
    """A hyperparameter of an option.

    where: a text that says which problems it applies to, such as "images only".
    """

    name: str
    default: Value
    where: str
    dimension: Dimension


class DescribedOption(NamedTuple):
    """One option of a factor.

    where: a text that says which problems it applies to, such as "images only".
    documentation: the docstring of the option's function.
    """

    name: str
    where: str
    documentation: str
    hyperparameters: tuple[DescribedHyperparameter, ...]


class DescribedFactor(NamedTuple):
    """A factor with its options.

    topic: the textbook heading that the factor is listed under; a topic may hold several factors.
    where: a text that says which problems it applies to, such as "images only".
    documentation: the docstring of the factor's module.
    options: all options, the baseline first.
    source: the file or module of a factor that is not built in; empty for built-in ones.
    retune: whether options need different learning rates; None where an earlier version described
        the factor, which did not say so.
    """

    name: str
    topic: str
    where: str
    documentation: str
    options: tuple[DescribedOption, ...]
    source: str = ""
    retune: bool | None = None

    @property
    def baseline(self) -> DescribedOption:
        """The option that other options are compared with: the first one."""
        return self.options[0]

    def option(self, name: str) -> DescribedOption:
        """Return the option of this name. Raises KeyError when the factor has none."""
        return {option.name: option for option in self.options}[name]


class SpaceDescription(NamedTuple):
    """A search space as it is stored with a study.

    coordinates: the coordinates of the unit cube in order, the placebo last.
    factors: every factor that applies to the study's data, also those that do not vary.
    fingerprint: a digest of everything that decides what a configuration means; see
        `Space.fingerprint`. A study is continued only with a space of the same fingerprint.
    """

    name: str = ""
    coordinates: tuple[Coordinate, ...] = ()
    factors: tuple[DescribedFactor, ...] = ()
    fingerprint: str = ""

    def factor(self, name: str) -> DescribedFactor:
        """Return the factor of this name. Raises KeyError when the space has none."""
        return {factor.name: factor for factor in self.factors}[name]

    @property
    def varied(self) -> tuple[str, ...]:
        """The names of the factors that vary, in the order of the space, without the placebo."""
        varying = {coordinate.factor for coordinate in self.coordinates}
        return tuple(factor.name for factor in self.factors if factor.name in varying)

    @property
    def is_fixed(self) -> bool:
        """Return whether none of the factors varies, so that there is one configuration."""
        return bool(self.factors) and not self.varied

    @property
    def baseline(self) -> dict[str, str]:
        """The name of each factor's baseline option, by factor."""
        return {factor.name: factor.baseline.name for factor in self.factors}

    def as_document(self) -> dict[str, Any]:
        """Return the description as a JSON document, which `read_description` reads."""
        return {
            "name": self.name,
            "coordinates": [
                {**coordinate._asdict(), "dimension": dimension_document(coordinate.dimension)}
                for coordinate in self.coordinates
            ],
            "factors": [_factor_document(factor) for factor in self.factors],
            "fingerprint": self.fingerprint,
        }


def read_description(document: Mapping[str, Any]) -> SpaceDescription:
    """Read a description from its JSON document.

    Fields that older versions did not store stay empty.
    """
    return SpaceDescription(
        name=document.get("name", ""),
        coordinates=tuple(_read_coordinate(entry) for entry in document.get("coordinates", ())),
        factors=tuple(_read_factor(entry) for entry in document.get("factors", ())),
        fingerprint=document.get("fingerprint", ""),
    )


def _factor_document(factor: DescribedFactor) -> dict[str, Any]:
    return {**factor._asdict(), "options": [_option_document(option) for option in factor.options]}


def _option_document(option: DescribedOption) -> dict[str, Any]:
    return {
        "name": option.name,
        "where": option.where,
        "documentation": option.documentation,
        # Stored studies have this key, so it keeps its name.
        "knobs": [
            {
                "name": hyperparameter.name,
                "default": hyperparameter.default,
                "where": hyperparameter.where,
                **dimension_document(hyperparameter.dimension),
            }
            for hyperparameter in option.hyperparameters
        ],
    }


def _read_coordinate(document: Mapping[str, Any]) -> Coordinate:
    return Coordinate(
        name=document["name"],
        factor=document["factor"],
        option=document["option"],
        dimension=read_dimension(document["dimension"]),
    )


def _read_factor(document: Mapping[str, Any]) -> DescribedFactor:
    return DescribedFactor(
        name=document["name"],
        topic=document.get("topic", ""),
        where=document.get("where", UNRESTRICTED),
        documentation=document.get("documentation", ""),
        options=tuple(_read_option(option) for option in document["options"]),
        source=document.get("source", ""),
        retune=document.get("retune"),
    )


def _read_option(document: Mapping[str, Any]) -> DescribedOption:
    return DescribedOption(
        name=document["name"],
        where=document.get("where", UNRESTRICTED),
        documentation=document.get("documentation", ""),
        hyperparameters=tuple(_read_hyperparameter(knob) for knob in document["knobs"]),
    )


def _read_hyperparameter(document: Mapping[str, Any]) -> DescribedHyperparameter:
    return DescribedHyperparameter(
        name=document["name"],
        default=document["default"],
        where=document.get("where", UNRESTRICTED),
        dimension=read_dimension(document),
    )
