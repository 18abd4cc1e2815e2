"""Dimensions: the values that a hyperparameter may take.

Every dimension that varies maps a number u in [0, 1) to a value (`decode`) and a value back to the
unit interval (`encode`), so that an experiment can be designed in the unit cube and its points can
be recovered from stored values.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeGuard

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

Value = float | int | str | bool
"""The value of a parameter, as Optuna stores it."""

_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,100}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,5})?", re.ASCII | re.IGNORECASE)
"""A number in the decimal system, as the command line and TOML have it."""


@dataclass(frozen=True)
class Uniform:
    """Real numbers between low and high, uniformly distributed."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"

    def decode(self, unit: float) -> float:
        """Return low + unit · (high − low)."""
        # Rounding may exceed the upper bound by one unit in the last place.
        return min(self.low + unit * (self.high - self.low), self.high)

    def encode(self, value: Value) -> float:
        """Return the number in [0, 1] that `decode` maps to `value`."""
        return (float(value) - self.low) / (self.high - self.low)

    def contains(self, value: Value) -> bool:
        """Return whether `value` is a number between low and high, both included."""
        return is_number(value) and self.low <= float(value) <= self.high

    def parse(self, text: str) -> float:
        """Return `text` as a number. Raises ValueError when it is not a number."""
        return _parse_number(text)

    def distribution(self) -> BaseDistribution:
        """Return the Optuna distribution of this dimension."""
        return FloatDistribution(self.low, self.high)


@dataclass(frozen=True)
class LogUniform:
    """Positive real numbers between low and high, uniformly distributed in their logarithm."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high)
        if self.low <= 0:
            raise ValueError(
                f"the lower bound of a logarithmic range must be above 0, got {self.low:g}"
            )

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}, log"

    def decode(self, unit: float) -> float:
        """Return low · (high / low)^unit."""
        value = math.exp(math.log(self.low) + unit * math.log(self.high / self.low))
        return min(max(value, self.low), self.high)

    def encode(self, value: Value) -> float:
        """Return the number in [0, 1] that `decode` maps to `value`."""
        return math.log(float(value) / self.low) / math.log(self.high / self.low)

    def contains(self, value: Value) -> bool:
        """Return whether `value` is a number between low and high, both included."""
        return is_number(value) and self.low <= float(value) <= self.high

    def parse(self, text: str) -> float:
        """Return `text` as a number. Raises ValueError when it is not a number."""
        return _parse_number(text)

    def distribution(self) -> BaseDistribution:
        """Return the Optuna distribution of this dimension."""
        return FloatDistribution(self.low, self.high, log=True)


@dataclass(frozen=True)
class Integer:
    """Whole numbers from low to high, both included, uniformly distributed."""

    low: int
    high: int

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high)

    def __str__(self) -> str:
        return f"{self.low} to {self.high}"

    @property
    def _count(self) -> int:
        """The number of whole numbers in the range."""
        return self.high - self.low + 1

    def decode(self, unit: float) -> int:
        """Return the whole number whose subinterval contains `unit`.

        The unit interval is divided into equal subintervals, one for each number in the range.
        """
        return self.low + min(int(unit * self._count), self._count - 1)

    def encode(self, value: Value) -> float:
        """Return the centre of the value's subinterval of the unit interval."""
        return (float(value) - self.low + 0.5) / self._count

    def contains(self, value: Value) -> bool:
        """Return whether `value` is a whole number between low and high, both included."""
        if not is_number(value):
            return False
        return float(value).is_integer() and self.low <= float(value) <= self.high

    def parse(self, text: str) -> int:
        """Return `text` as a whole number. Raises ValueError when it is not a whole number."""
        number = _parse_number(text)
        if not number.is_integer():
            raise ValueError(f"expected a whole number, got {text!r}")
        return int(number)

    def distribution(self) -> BaseDistribution:
        """Return the Optuna distribution of this dimension."""
        return IntDistribution(self.low, self.high)


@dataclass(frozen=True, init=False)
class OneOf:
    """Several values without an order, with equal probabilities: `OneOf("a", "b")`."""

    choices: tuple[Value, ...]

    def __init__(self, *choices: Value) -> None:
        if not choices or len(set(choices)) < len(choices):
            raise ValueError(f"expected at least one choice and no duplicates, got {choices}")
        object.__setattr__(self, "choices", choices)

    def __str__(self) -> str:
        return ", ".join(str(choice) for choice in self.choices)

    def decode(self, unit: float) -> Value:
        """Return the choice whose subinterval contains `unit`.

        The unit interval is divided into equal subintervals, one for each choice.
        """
        return self.choices[min(int(unit * len(self.choices)), len(self.choices) - 1)]

    def encode(self, value: Value) -> float:
        """Return the centre of the choice's subinterval of the unit interval."""
        return (self.choices.index(value) + 0.5) / len(self.choices)

    def contains(self, value: Value) -> bool:
        """Return whether `value` is one of the choices."""
        return value in self.choices

    def parse(self, text: str) -> Value:
        """Return the choice that `text` names. Raises ValueError when it names none."""
        for form in (str, normal_text):
            for choice in self.choices:
                if form(str(choice)) == form(text):
                    return choice
        raise ValueError(f"expected one of {self}, got {text!r}")

    def distribution(self) -> BaseDistribution:
        """Return the Optuna distribution of this dimension."""
        return CategoricalDistribution(self.choices)


@dataclass(frozen=True)
class Fixed:
    """The only value of a hyperparameter that does not vary and has no coordinate."""

    value: Value

    def __str__(self) -> str:
        return f"fixed at {self.value}"

    def contains(self, value: Value) -> bool:
        """Return whether `value` is the fixed value."""
        return value == self.value


Varied = Uniform | LogUniform | Integer | OneOf
"""A dimension of a hyperparameter that varies; it has a coordinate in the unit cube."""

Dimension = Varied | Fixed

_RANGES: dict[str, type[Uniform | LogUniform | Integer]] = {
    "uniform": Uniform,
    "log_uniform": LogUniform,
    "integer": Integer,
}
"""The classes with a lower and an upper bound, by the `kind` of their JSON document."""

_KIND_OF_RANGE = {range_class: kind for kind, range_class in _RANGES.items()}


def normal_text(text: str) -> str:
    """Return the text of a value in one form: `0.0001` for `1e-4`, `32` for `32.0`, `True`."""
    text = text.strip()
    if text.lower() in ("true", "false"):
        return text.capitalize()
    if _WHOLE_NUMBER.fullmatch(text):
        return str(int(text))
    if not _NUMBER.fullmatch(text):
        return text
    number = float(text)
    is_whole = number.is_integer() and abs(number) < 2**53
    return str(int(number)) if is_whole else repr(number)


def dimension_document(dimension: Dimension) -> dict[str, Any]:
    """Return the dimension as a JSON document: `{"kind": "uniform", "low": 0, "high": 1}`."""
    if isinstance(dimension, OneOf):
        return {"kind": "one_of", "choices": list(dimension.choices)}
    if isinstance(dimension, Fixed):
        return {"kind": "fixed", "value": dimension.value}
    return {"kind": _KIND_OF_RANGE[type(dimension)], **asdict(dimension)}


def read_dimension(document: Mapping[str, Any]) -> Dimension:
    """Read a dimension from the document that `dimension_document` returned."""
    kind = document["kind"]
    if kind == "one_of":
        return OneOf(*document["choices"])
    if kind == "fixed":
        return Fixed(document["value"])
    return _RANGES[kind](document["low"], document["high"])


def _check_bounds(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"bounds must be finite, got {low:g} to {high:g}")
    if not low < high:
        raise ValueError(f"the lower bound must be below the upper bound, got {low:g} to {high:g}")


def _parse_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"expected a number, got {text!r}") from None


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether a value is a number, which True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)
