"""The values that a hyperparameter may take, and how a point of the unit interval becomes one of them.

Every dimension maps u in [0, 1) to a value (`decode`) and back (`encode`), so that a designed
experiment can be laid out in a unit cube and read again from stored values.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

Value = float | int | str | bool


def _check_bounds(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"bounds must be finite, got {low:g} to {high:g}")
    if not low < high:
        raise ValueError(f"the lower bound must be below the upper one, got {low:g} to {high:g}")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"expected a number, got {text!r}") from None


@dataclass(frozen=True)
class Uniform:
    """Every number from low to high, equally likely."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"

    def decode(self, unit: float) -> float:
        """The value at `unit` of the way from low to high."""
        # Rounding may step over the upper bound by the last digit.
        return min(self.low + unit * (self.high - self.low), self.high)

    def encode(self, value: Value) -> float:
        """The inverse of `decode`."""
        return (float(value) - self.low) / (self.high - self.low)

    def contains(self, value: Value) -> bool:
        """Whether `value` is a number within the bounds."""
        return _is_number(value) and self.low <= float(value) <= self.high

    def parse(self, text: str) -> float:
        """The number that `text` spells. Raises ValueError when it spells none."""
        return _number(text)

    def distribution(self) -> BaseDistribution:
        """The same dimension as Optuna knows it."""
        return FloatDistribution(self.low, self.high)


@dataclass(frozen=True)
class LogUniform:
    """Every positive number from low to high, its logarithm equally likely."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high)
        if self.low <= 0:
            raise ValueError(f"a logarithmic range must start above 0, got {self.low:g}")

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}, log"

    def decode(self, unit: float) -> float:
        """The value at `unit` of the way from low to high on the logarithmic scale."""
        value = math.exp(math.log(self.low) + unit * math.log(self.high / self.low))
        return min(max(value, self.low), self.high)

    def encode(self, value: Value) -> float:
        """The inverse of `decode`."""
        return math.log(float(value) / self.low) / math.log(self.high / self.low)

    def contains(self, value: Value) -> bool:
        """Whether `value` is a number within the bounds."""
        return _is_number(value) and self.low <= float(value) <= self.high

    def parse(self, text: str) -> float:
        """The number that `text` spells. Raises ValueError when it spells none."""
        return _number(text)

    def distribution(self) -> BaseDistribution:
        """The same dimension as Optuna knows it."""
        return FloatDistribution(self.low, self.high, log=True)


@dataclass(frozen=True)
class Integer:
    """Every whole number from low to high, both included, equally likely."""

    low: int
    high: int

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high)

    def __str__(self) -> str:
        return f"{self.low} to {self.high}"

    @property
    def _count(self) -> int:
        return self.high - self.low + 1

    def decode(self, unit: float) -> int:
        """The whole number whose share of the unit interval holds `unit`."""
        return self.low + min(int(unit * self._count), self._count - 1)

    def encode(self, value: Value) -> float:
        """The middle of the value's share of the unit interval."""
        return (float(value) - self.low + 0.5) / self._count

    def contains(self, value: Value) -> bool:
        """Whether `value` is a whole number within the bounds."""
        return _is_number(value) and float(value).is_integer() and self.low <= value <= self.high  # type: ignore[operator]

    def parse(self, text: str) -> int:
        """The whole number that `text` spells. Raises ValueError when it spells none."""
        number = _number(text)
        if not number.is_integer():
            raise ValueError(f"expected a whole number, got {text!r}")
        return int(number)

    def distribution(self) -> BaseDistribution:
        """The same dimension as Optuna knows it."""
        return IntDistribution(self.low, self.high)


@dataclass(frozen=True, init=False)
class OneOf:
    """One of several values without an order, equally likely: `OneOf("a", "b")`."""

    choices: tuple[Value, ...]

    def __init__(self, *choices: Value) -> None:
        if not choices or len(set(choices)) < len(choices):
            raise ValueError(f"choices must be different and at least one, got {choices}")
        object.__setattr__(self, "choices", choices)

    def __str__(self) -> str:
        return ", ".join(str(choice) for choice in self.choices)

    def decode(self, unit: float) -> Value:
        """The choice whose share of the unit interval holds `unit`."""
        return self.choices[min(int(unit * len(self.choices)), len(self.choices) - 1)]

    def encode(self, value: Value) -> float:
        """The middle of the choice's share of the unit interval."""
        return (self.choices.index(value) + 0.5) / len(self.choices)

    def contains(self, value: Value) -> bool:
        """Whether `value` is one of the choices."""
        return value in self.choices

    def parse(self, text: str) -> Value:
        """The choice that reads as `text`. Raises ValueError when there is none."""
        for choice in self.choices:
            if str(choice) == text or (_is_number(choice) and _spells(text, choice)):
                return choice
        raise ValueError(f"expected one of {self}, got {text!r}")

    def distribution(self) -> BaseDistribution:
        """The same dimension as Optuna knows it."""
        return CategoricalDistribution(self.choices)


@dataclass(frozen=True)
class Fixed:
    """One value only: a hyperparameter that does not vary and owns no coordinate."""

    value: Value

    def __str__(self) -> str:
        return f"fixed at {self.value}"

    def contains(self, value: Value) -> bool:
        """Whether `value` is the one value."""
        return value == self.value


Varied = Uniform | LogUniform | Integer | OneOf
Dimension = Varied | Fixed

_KINDS: dict[str, type[Uniform | LogUniform | Integer]] = {
    "uniform": Uniform,
    "log_uniform": LogUniform,
    "integer": Integer,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def describe(dimension: Dimension) -> dict[str, Any]:
    """The dimension as plain data: `{"kind": "uniform", "low": 0, "high": 1}`."""
    if isinstance(dimension, OneOf):
        return {"kind": "one_of", "choices": list(dimension.choices)}
    if isinstance(dimension, Fixed):
        return {"kind": "fixed", "value": dimension.value}
    return {"kind": _NAMES[type(dimension)], **asdict(dimension)}


def restore(description: Mapping[str, Any]) -> Dimension:
    """The dimension that `describe` described."""
    kind = description["kind"]
    if kind == "one_of":
        return OneOf(*description["choices"])
    if kind == "fixed":
        return Fixed(description["value"])
    return _KINDS[kind](description["low"], description["high"])


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _spells(text: str, number: Value) -> bool:
    try:
        return float(text) == number
    except ValueError:
        return False
