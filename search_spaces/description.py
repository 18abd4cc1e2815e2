"""Describe a search space as plain records, which are stored with a study and read back.

A description says what every factor, option and hyperparameter was when the study was created, so
that a report stays true to the study after the code has moved on. Reading one loads neither torch
nor the code of any factor.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from training_factors.search_spaces.dimension import Dimension, Value, describe, restore

PLACEBO = "placebo"
"""Name of the parameter that training never reads: it shows what "no effect" looks like."""

UNRESTRICTED = "everywhere"
"""The `where` of a factor, option or hyperparameter that applies to every problem."""


class ParameterName(NamedTuple):
    """The name of a parameter, as Optuna stores it: `optimizer` or `optimizer.sgd.lr`.

    option and hyperparameter are None for the choice of a factor's option.
    """

    factor: str
    option: str | None = None
    hyperparameter: str | None = None

    def __str__(self) -> str:
        return ".".join(part for part in self if part is not None)


def parse_parameter(name: str) -> ParameterName:
    """Split the name of a parameter into factor, option and hyperparameter."""
    return ParameterName(*name.split(".", 2))


class Coordinate(NamedTuple):
    """One coordinate of a space's latent unit cube: the choice of an option, or a hyperparameter.

    option: the option that must be chosen for the coordinate to act; None: it always acts.
    """

    name: str
    factor: str
    option: str | None
    dimension: Dimension

    @property
    def is_choice(self) -> bool:
        """Whether the coordinate is the choice of a factor's option."""
        return self.name == self.factor and self.factor != PLACEBO


class DescribedHyperparameter(NamedTuple):
    """A hyperparameter of an option. where: the problems that it applies to, in words."""

    name: str
    default: Value
    where: str
    dimension: Dimension


class DescribedOption(NamedTuple):
    """One option of a factor. where: the problems that it applies to, in words."""

    name: str
    where: str
    documentation: str
    hyperparameters: tuple[DescribedHyperparameter, ...]


class DescribedFactor(NamedTuple):
    """A factor with its options, the baseline first."""

    name: str
    topic: str
    where: str
    documentation: str
    options: tuple[DescribedOption, ...]

    @property
    def baseline(self) -> DescribedOption:
        """The first option."""
        return self.options[0]

    def option(self, name: str) -> DescribedOption:
        """Return the option of this name. Raises KeyError when there is none."""
        return {option.name: option for option in self.options}[name]


class SpaceDescription(NamedTuple):
    """A search space as it is stored.

    coordinates: of the latent unit cube, in order, the placebo last. fingerprint: a digest of all
    that decides what a configuration means.
    """

    name: str = ""
    coordinates: tuple[Coordinate, ...] = ()
    factors: tuple[DescribedFactor, ...] = ()
    fingerprint: str = ""

    def factor(self, name: str) -> DescribedFactor:
        """Return the factor of this name. Raises KeyError when there is none."""
        return {factor.name: factor for factor in self.factors}[name]

    @property
    def varied(self) -> tuple[str, ...]:
        """The names of the factors that vary, in the order of the space; not the placebo."""
        owners = {coordinate.factor for coordinate in self.coordinates}
        return tuple(factor.name for factor in self.factors if factor.name in owners)

    @property
    def baseline(self) -> dict[str, str]:
        """Factor -> the name of its baseline option."""
        return {factor.name: factor.baseline.name for factor in self.factors}

    def as_document(self) -> dict[str, Any]:
        """Return the description as JSON, which `read_description` reads."""
        return {
            "name": self.name,
            "coordinates": [
                {**coordinate._asdict(), "dimension": describe(coordinate.dimension)}
                for coordinate in self.coordinates
            ],
            "factors": [_factor_document(factor) for factor in self.factors],
            "fingerprint": self.fingerprint,
        }


def read_description(document: Mapping[str, Any]) -> SpaceDescription:
    """Read a description from its JSON; what older versions did not store is left empty."""
    return SpaceDescription(
        name=document.get("name", ""),
        coordinates=tuple(_read_coordinate(one) for one in document.get("coordinates", ())),
        factors=tuple(_read_factor(one) for one in document.get("factors", ())),
        fingerprint=document.get("fingerprint", ""),
    )


def factor_parameters(parameters: Mapping[str, Any], factor: str) -> dict[str, Any]:
    """Return those parameters that belong to a factor: its option and hyperparameters."""
    return {
        name: value for name, value in parameters.items() if parse_parameter(name).factor == factor
    }


def _factor_document(factor: DescribedFactor) -> dict[str, Any]:
    return {
        **factor._asdict(),
        "options": [
            {
                "name": option.name,
                "where": option.where,
                "documentation": option.documentation,
                "knobs": [
                    {
                        "name": one.name,
                        "default": one.default,
                        "where": one.where,
                        **describe(one.dimension),
                    }
                    for one in option.hyperparameters
                ],
            }
            for option in factor.options
        ],
    }


def _read_coordinate(document: Mapping[str, Any]) -> Coordinate:
    name, factor, option = (document[key] for key in ("name", "factor", "option"))
    return Coordinate(name, factor, option, restore(document["dimension"]))


def _read_factor(document: Mapping[str, Any]) -> DescribedFactor:
    return DescribedFactor(
        name=document["name"],
        topic=document.get("topic", ""),
        where=document.get("where", UNRESTRICTED),
        documentation=document.get("documentation", ""),
        options=tuple(_read_option(one) for one in document["options"]),
    )


def _read_option(document: Mapping[str, Any]) -> DescribedOption:
    return DescribedOption(
        name=document["name"],
        where=document.get("where", UNRESTRICTED),
        documentation=document.get("documentation", ""),
        hyperparameters=tuple(_read_hyperparameter(one) for one in document["knobs"]),
    )


def _read_hyperparameter(document: Mapping[str, Any]) -> DescribedHyperparameter:
    where = document.get("where", UNRESTRICTED)
    return DescribedHyperparameter(document["name"], document["default"], where, restore(document))
