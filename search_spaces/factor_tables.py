"""Read the tables of factors of a study file.

    [factors.optimizer]
    options = ["adamw", "sgd"]                               # vary; the first is the baseline
    adamw.lr = { low = 1e-4, high = 1e-2, scale = "log" }    # a range
    sgd.momentum = 0.9                                       # fixed
    sgd.nesterov = [false, true]                             # choices

    [factors.residual]
    option = "residual"                                      # fixed

    [factors]
    activation = ["relu", "gelu"]                            # short for a table with `options`

Names are checked where the space is known. Every mistake of form raises ValueError with one line
that names the file, the key and the value, and says what would be right. Reading needs neither
torch nor the code of any factor.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from training_factors.search_spaces.description import ParameterName
from training_factors.search_spaces.dimension import Value, is_number, normal_text

OPTION, OPTIONS = "option", "options"
"""Keys of a factor's table: the option that it is fixed at, or those that vary."""

SCALES = ("log", "linear")
"""Scales of a range."""

_RANGE_KEYS = ("low", "high", "scale")


class Interval(NamedTuple):
    """The range of a hyperparameter. scale: `log` or `linear`; empty for the factor's own."""

    low: float
    high: float
    scale: str = ""


class FactorChange(NamedTuple):
    """A line of a factor's table: the value of a factor or of a hyperparameter.

    place: the file with the line, for messages. path: `optimizer` or `optimizer.adamw.lr`. value: a
    single value fixes it; several are choices.
    """

    place: str
    path: str
    value: Value | tuple[Value, ...] | Interval

    def as_text(self) -> tuple[str, str]:
        """Return the field of a definition that holds such changes, and its text there."""
        if isinstance(self.value, Interval):
            bounds = [_text(self.value.low), _text(self.value.high), self.value.scale]
            return "range", f"{self.path}={':'.join(filter(None, bounds))}"
        if isinstance(self.value, tuple):
            return "choices", f"{self.path}={','.join(map(_text, self.value))}"
        return "fix", f"{self.path}={_text(self.value)}"


def read_factor_tables(tables: object, place: str) -> list[FactorChange]:
    """Return what the value of the key `factors` says of every factor and hyperparameter.

    place: the file, for messages.
    """
    if not isinstance(tables, dict):
        raise ValueError(
            f"{place}: factors = {as_toml(tables)} must be tables, [factors.NAME]; the files of "
            "own factors are factor = [...]"
        )
    changes: list[FactorChange] = []
    for factor, table in tables.items():
        if isinstance(table, dict):
            changes += _read_table(place, factor, table)
        else:
            changes.append(FactorChange(place, factor, _value(place, factor, table)))
    paths = [change.path for change in changes]
    for path in paths:
        if paths.count(path) > 1:
            raise ValueError(f"{place}: factors.{path} is given twice; keep one of them")
    return changes


def as_toml(value: object) -> str:
    """Return a value as it stands in a file, for messages."""
    return json.dumps(value, ensure_ascii=False, default=str)


def nearest(name: str, known: Sequence[str], otherwise: str) -> str:
    """Return a question for the most similar known name, else the words for there being none."""
    similar = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {similar[0]!r}?" if similar else otherwise


def _read_table(place: str, factor: str, table: Mapping[str, object]) -> Iterator[FactorChange]:
    """Yield the changes of one factor's table."""
    if OPTION in table and OPTIONS in table and not isinstance(table[OPTION], dict):
        raise ValueError(f"{place}: [factors.{factor}] has both option, which fixes the factor, "
                         "and options, which vary; keep one of them")  # fmt: skip
    for key, value in table.items():
        if isinstance(value, dict) and "." not in key:
            for name, each in value.items():
                path = str(ParameterName(factor, key, name))
                yield FactorChange(place, path, _value(place, path, each))
        elif key in (OPTION, OPTIONS):
            if isinstance(value, list) is not (key == OPTIONS):
                form = 'option = "NAME" or options = ["NAME", "NAME"]'
                raise ValueError(f"{place}: [factors.{factor}] {key} = {as_toml(value)}: write "
                                 f"{form}")  # fmt: skip
            yield FactorChange(place, factor, _value(place, factor, value))
        elif "." in key:
            path = f"{factor}.{key}"
            yield FactorChange(place, path, _value(place, path, value))
        else:
            hint = nearest(key, (OPTION, OPTIONS), "name a hyperparameter as OPTION.HYPERPARAMETER")
            raise ValueError(f"{place}: [factors.{factor}] has the unknown key {key!r}; {hint}")


def _value(place: str, path: str, value: object) -> Value | tuple[Value, ...] | Interval:
    """Return a value of a table as a change holds it."""
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, dict):
        return _interval(place, path, value)
    if isinstance(value, list) and value and all(isinstance(e, str | int | float) for e in value):
        return tuple(value)
    raise ValueError(
        f"{place}: factors.{path} = {as_toml(value)} must be a value, which is fixed, a list of "
        "choices, or a range { low = …, high = … }"
    )


def _interval(place: str, path: str, table: Mapping[str, object]) -> Interval:
    line = f"{place}: factors.{path} = {as_toml(table)}"
    for key in table:
        if key not in _RANGE_KEYS:
            hint = nearest(key, _RANGE_KEYS, f"a range has {', '.join(_RANGE_KEYS)}")
            raise ValueError(f"{line} has the unknown key {key!r}; {hint}")
    low, high, scale = table.get("low"), table.get("high"), table.get("scale", "")
    if not (is_number(low) and is_number(high)):
        raise ValueError(f"{line}: low and high must be numbers")
    if scale not in ("", *SCALES):
        raise ValueError(f"{line}: scale must be {' or '.join(map(repr, SCALES))}")
    return Interval(low, high, str(scale))


def _text(value: Value) -> str:
    return normal_text(str(value))
