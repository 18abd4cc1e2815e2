"""Turn Optuna's distributions into dimensions of the unit cube, for studies of any program.

Optuna knows two kinds of numbers that no factor here has: numbers in steps, and whole numbers on a
logarithmic scale. `Steps` and `LogInteger` are their dimensions. Choices may be anything, so they
are known by their texts: `True`, `1` and `1.0` are equal in Python, but not the same choice.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from training_factors.search_spaces.dimension import (
    Integer,
    LogUniform,
    OneOf,
    Uniform,
    Value,
    Varied,
)


@dataclass(frozen=True)
class Steps:
    """The numbers low, low + step, low + 2 step, … up to high, with equal probabilities."""

    low: float
    high: float
    step: float

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g} in steps of {self.step:g}"

    @property
    def count(self) -> int:
        """The number of numbers."""
        return round((self.high - self.low) / self.step) + 1

    def decode(self, unit: float) -> float:
        """Return the number whose subinterval of the unit interval, of equal ones, has `unit`."""
        return self.at(min(int(unit * self.count), self.count - 1))

    def encode(self, value: Value) -> float:
        """Return the centre of the number's subinterval of the unit interval."""
        return (round((float(value) - self.low) / self.step) + 0.5) / self.count

    def at(self, place: int) -> float:
        """Return the number at this place, counted from 0; whole where low and step are whole."""
        return min(self.low + place * self.step, self.high)


@dataclass(frozen=True)
class LogInteger:
    """Whole numbers from low to high, both included, uniformly distributed in their logarithm.

    Each has the part of the unit interval from half below it to half above it, as in Optuna.
    """

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low} to {self.high}, log"

    @property
    def count(self) -> int:
        """The number of whole numbers."""
        return self.high - self.low + 1

    @property
    def start(self) -> float:
        """The logarithm at the lower end of the unit interval."""
        return math.log(self.low - 0.5)

    @property
    def width(self) -> float:
        """The length of the unit interval on the logarithmic scale."""
        return math.log(self.high + 0.5) - self.start

    def decode(self, unit: float) -> int:
        """Return the whole number whose part of the unit interval has `unit`."""
        value = round(math.exp(self.start + unit * self.width))
        return min(max(value, self.low), self.high)

    def encode(self, value: Value) -> float:
        """Return the centre of the number's part of the unit interval."""
        below, above = math.log(float(value) - 0.5), math.log(float(value) + 0.5)
        return ((below + above) / 2 - self.start) / self.width


Numeric = Uniform | LogUniform | Integer | Steps | LogInteger
"""Dimensions of numbers, which have an order."""

AnyDimension = Varied | Steps | LogInteger
"""The dimension of any parameter of Optuna that varies."""

Discrete = Integer | OneOf | Steps | LogInteger
"""Dimensions with a limited number of values, each of which has a place, counted from 0."""


def dimension_of(distribution: BaseDistribution) -> AnyDimension:
    """Return the dimension with the values and the scale of a distribution that is not single.

    A choice becomes the text of `choice_texts`. Raises ValueError for a kind of distribution that
    Optuna does not have today.
    """
    if isinstance(distribution, CategoricalDistribution):
        return OneOf(*choice_texts(distribution.choices))
    if isinstance(distribution, IntDistribution):
        low, high, step = distribution.low, distribution.high, distribution.step
        if distribution.log:
            return LogInteger(low, high)
        return Integer(low, high) if step == 1 else Steps(low, high, step)
    if isinstance(distribution, FloatDistribution):
        if distribution.step is not None:
            return Steps(distribution.low, distribution.high, distribution.step)
        kind = LogUniform if distribution.log else Uniform
        return kind(distribution.low, distribution.high)
    raise ValueError(
        f"{distribution} is none of Optuna's float, integer and categorical distributions"
    )


def choice_texts(choices: Sequence[object]) -> list[str]:
    """Return a text for each choice, different ones for choices that are not the same.

    It is what `str` gives, or what `repr` gives where that is not unique: `1` and `'1'`. A choice
    that is listed twice has its text once.
    """
    distinct = {repr(choice): str(choice) for choice in choices}
    unique = len(set(distinct.values())) == len(distinct)
    return list(distinct.values() if unique else distinct)


def count_values(dimension: Discrete) -> int:
    """Return the number of values of a dimension that has a limited number of them."""
    if isinstance(dimension, OneOf):
        return len(dimension.choices)
    if isinstance(dimension, Integer):
        return dimension.high - dimension.low + 1
    return dimension.count


def place_of(dimension: Discrete, value: Value) -> int:
    """Return the place of a value among those of its dimension, counted from 0."""
    if isinstance(dimension, OneOf):
        return dimension.choices.index(value)
    step = dimension.step if isinstance(dimension, Steps) else 1
    return round((float(value) - dimension.low) / step)


def unit_of(dimension: Discrete, place: int) -> float:
    """Return the centre of the part of the unit interval that belongs to the value at a place."""
    if isinstance(dimension, LogInteger):
        return dimension.encode(dimension.low + place)
    return (place + 0.5) / count_values(dimension)
