"""Read configurations of the user's own from TOML, such as the file that `recommend` writes.

    [factors.optimizer]
    option = "adamw"
    adamw.lr = 0.003

Such a file is a study file in which every factor that it names is fixed; factors that it does not
name are at their baseline. What else it says (`data`, `model`, …) tells where the configuration
comes from and is not read. Several configurations of one file are tables `[[configuration]]` with
flat names: `optimizer = "adamw"`, `"optimizer.adamw.lr" = 0.003`. Files of earlier versions have
one such table, `[settings]`.

Every mistake raises ValueError with one line that names the file, the key and the value, and says
what would be right. Reading needs neither torch nor the code of any factor.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from training_factors.search_spaces.description import (
    PLACEBO,
    PLACEBO_BASELINE,
    Coordinate,
    DescribedFactor,
    DescribedOption,
    ParameterName,
    SpaceDescription,
    parse_parameter,
)
from training_factors.search_spaces.dimension import (
    Dimension,
    Fixed,
    Integer,
    LogUniform,
    OneOf,
    Uniform,
    Value,
)
from training_factors.search_spaces.factor_tables import (
    Interval,
    as_toml,
    nearest,
    read_factor_tables,
)
from training_factors.search_spaces.toml_files import read_toml

MAX_INTEGER = 2**63 - 1
"""Largest integer that TOML has; Python reads larger ones."""

_FACTORS, _SETTINGS, _SEVERAL = "factors", "settings", "configuration"
"""Keys of the configurations: of a study file, of an earlier version's file, and of several."""

_NO_PLACE_FOR_VALUES = ("fix",)
"""Keys of a study file that would set a factor outside of the tables."""


class NamedSettings(NamedTuple):
    """The settings of one configuration as its file has them.

    place: the file and, where it has several, the number of the configuration; for messages.
    name: of the configuration, after the file.
    """

    place: str
    name: str
    settings: Mapping[str, object]


def read_settings(path: str, other_keys: Collection[str]) -> list[NamedSettings]:
    """Read the settings of every configuration in a TOML file; they are checked for form alone.

    other_keys: of a study file, which say where the settings come from.

    Raises ValueError when the file cannot be read, is no TOML, or holds no settings.
    """
    document = read_toml(path, "--also")
    known = (_FACTORS, _SETTINGS, _SEVERAL)
    for key in document:
        if key.replace("-", "_") in _NO_PLACE_FOR_VALUES:
            raise ValueError(f"{path}: {key} is not read from a configuration; put its settings "
                             "into tables, [factors.NAME]")  # fmt: skip
        if key not in (*known, *other_keys) and key.replace("-", "_") not in other_keys:
            hint = nearest(key, known, "put factors into tables, [factors.NAME]")
            raise ValueError(f"{path}: the key {key!r} is unknown; {hint}")
    tables = [document[key] for key in (_SETTINGS, _SEVERAL) if key in document]
    tables = [table for one in tables for table in (one if isinstance(one, list) else [one])]
    if _FACTORS in document:
        tables.insert(0, _fixed_settings(document[_FACTORS], path))
    if not tables:
        raise ValueError(f"{path} has no settings; put them into tables, [factors.NAME]")
    stem = Path(path).stem
    found = []
    for number, table in enumerate(tables, start=1):
        is_only = len(tables) == 1
        place, name = (path, stem) if is_only else (f"{path}, no. {number}", f"{stem}-{number}")
        if not isinstance(table, dict):
            raise ValueError(f"{place}: settings must be a table, [{_SETTINGS}], got {table!r}")
        found.append(NamedSettings(place, name, table))
    return found


def _fixed_settings(tables: object, path: str) -> dict[str, object]:
    """Return the settings of a study file's tables, by name."""
    settings: dict[str, object] = {}
    for change in read_factor_tables(tables, path):
        if isinstance(change.value, tuple | Interval):
            raise ValueError(
                f"{path}: factors.{change.path} varies, but a configuration of your own fixes what "
                "it names; give it one value"
            )
        settings[change.path] = change.value
    return settings


def open_configuration(
    named: NamedSettings, space: SpaceDescription, left_out: Mapping[str, str]
) -> dict[str, Value]:
    """Return the active parameters of the configuration with these settings, else the baseline's.

    left_out: name -> reason, of factors and options that are not part of the space.

    Raises ValueError for a name that the space does not have, for a value outside of its range, and
    for a hyperparameter of an option that is not chosen.
    """
    place = named.place
    settings = {_full_name(space, key, value): value for key, value in named.settings.items()}
    chosen: dict[str, DescribedOption] = {factor.name: factor.baseline for factor in space.factors}
    for key, value in settings.items():
        factor = _factor(place, key, value, space, left_out)
        if "." not in key:
            chosen[key] = _option(place, factor, value, left_out, _line(key, value))
    values: dict[str, Value] = {}
    for key, value in settings.items():
        if "." in key:
            factor = space.factor(parse_parameter(key).factor)
            values[key] = _hyperparameter(place, key, value, factor, chosen[factor.name])
    return dict(_parameters(space.coordinates, chosen, values))


def _full_name(space: SpaceDescription, key: str, value: object) -> str:
    """Return the hyperparameter's name where a factor with nothing else stands for it.

    `batch_size = 32` is short for `"batch_size.minibatch.samples" = 32`.
    """
    for factor in space.factors:
        option = factor.baseline
        is_short = len(factor.options) == 1 and len(option.hyperparameters) == 1
        if key == factor.name and is_short and value != option.name:
            return str(ParameterName(key, option.name, option.hyperparameters[0].name))
    return key


def _factor(
    place: str, key: str, value: object, space: SpaceDescription, left_out: Mapping[str, str]
) -> DescribedFactor:
    """Return the factor that a key belongs to."""
    if isinstance(value, dict):
        raise ValueError(f'{place}: {key} is a table; quote names with dots, "{key}.…" = …')
    name = parse_parameter(key).factor
    names = [factor.name for factor in space.factors]
    if name in names:
        return space.factor(name)
    if name in left_out:
        raise ValueError(
            f"{place}: {_line(key, value)}: this study leaves {name} out ({left_out[name]}); "
            "remove the line"
        )
    hint = nearest(name, names, f"choose from {', '.join(names[:12])}, …")
    raise ValueError(f"{place}: {_line(key, value)}: factor {name!r} is unknown; {hint}")


def _option(
    place: str, factor: DescribedFactor, value: object, left_out: Mapping[str, str], line: str
) -> DescribedOption:
    """Return the option of a factor that a value names. line: of the file, for messages."""
    names = [option.name for option in factor.options]
    if isinstance(value, str) and value in names:
        return factor.option(value)
    path = str(ParameterName(factor.name, str(value)))
    if path in left_out:
        raise ValueError(f"{place}: {line}: this study leaves {path} out ({left_out[path]})")
    if len(names) == 1:
        raise ValueError(
            f"{place}: {line}: this study holds {factor.name} at {names[0]!r}; remove the line, or "
            f"begin a study with --choices {factor.name}={names[0]},{value}"
        )
    hint = nearest(str(value), names, f"choose from {', '.join(names)}")
    raise ValueError(f"{place}: {line}: {factor.name} has no option {value!r}; {hint}")


def _hyperparameter(
    place: str, key: str, value: object, factor: DescribedFactor, chosen: DescribedOption
) -> Value:
    """Return the value of a hyperparameter of the chosen option, as its dimension stores it."""
    _, option, name = parse_parameter(key)
    line = _line(key, value)
    if name is None:
        raise ValueError(f"{place}: {line}: name it as FACTOR.OPTION.HYPERPARAMETER")
    if option != chosen.name:
        _option(place, factor, option, {}, line)
        raise ValueError(
            f"{place}: {line}: {factor.name} is {chosen.name!r} here; remove the line, or set "
            f'{factor.name} = "{option}"'
        )
    dimensions = {one.name: one.dimension for one in chosen.hyperparameters}
    if name not in dimensions:
        known = f"choose from {', '.join(dimensions)}" if dimensions else "it has none"
        hint = nearest(name, list(dimensions), known)
        raise ValueError(
            f"{place}: {line}: {factor.name}.{option} has no hyperparameter {name!r}; {hint}"
        )
    dimension = dimensions[name]
    typed = _as_value(value, dimension)
    if typed is None:
        kind = _choices(dimension) if isinstance(dimension, OneOf) else f"a number, {dimension}"
        raise ValueError(f"{place}: {line} must be {kind}")
    if not dimension.contains(typed):
        raise ValueError(f"{place}: {line} {_remedy(key, typed, dimension)}")
    return _stored(typed, dimension)


def _as_value(value: object, dimension: Dimension) -> Value | None:
    """Return a value of the kind that a dimension holds, a number or a choice; None for another."""
    if not isinstance(value, float | int | str | bool):
        return None
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return None
    examples: tuple[Value, ...] = (0.0,)
    if isinstance(dimension, OneOf):
        examples = dimension.choices
    elif isinstance(dimension, Fixed):
        examples = (dimension.value,)
    return value if any(_kind(value) is _kind(each) for each in examples) else None


def _kind(value: Value) -> type:
    return float if type(value) is int else type(value)


def _remedy(key: str, value: Value, dimension: Dimension) -> str:
    """Return what is wrong with a value of the right kind, and what to do."""
    if isinstance(dimension, Fixed):
        return f"is {dimension} in this study; set that, or remove the line"
    if isinstance(dimension, OneOf):
        return f"must be {_choices(dimension)}"
    if isinstance(dimension, Integer) and not float(value).is_integer():
        return f"must be a whole number, {dimension}"
    assert isinstance(value, int | float)
    low, high = min(dimension.low, value), max(dimension.high, value)
    wider = f", or begin a study with --range {key}={low:g}:{high:g}"
    if isinstance(dimension, LogUniform):
        wider += ":log"
    if not math.isfinite(value) or (isinstance(dimension, LogUniform) and low <= 0):
        wider = ""
    return f"is outside its range {dimension}; choose a value inside it{wider}"


def _stored(value: Value, dimension: Dimension) -> Value:
    """Return a value as the space decodes it, so that equal configurations are equal records."""
    if isinstance(dimension, Integer):
        return int(value)
    if isinstance(dimension, Uniform | LogUniform):
        return float(value)
    if isinstance(dimension, OneOf):
        return next(choice for choice in dimension.choices if choice == value)
    return dimension.value


def _parameters(
    coordinates: tuple[Coordinate, ...],
    chosen: Mapping[str, DescribedOption],
    values: Mapping[str, Value],
) -> Iterator[tuple[str, Value]]:
    """Yield all active parameters: the values, and the defaults of what they do not name."""
    for coordinate in coordinates:
        if coordinate.name == PLACEBO:
            yield PLACEBO, PLACEBO_BASELINE
        elif coordinate.is_choice:
            yield coordinate.name, chosen[coordinate.factor].name
        elif coordinate.option in (None, chosen[coordinate.factor].name):
            name = parse_parameter(coordinate.name).hyperparameter
            defaults = {one.name: one.default for one in chosen[coordinate.factor].hyperparameters}
            yield coordinate.name, values.get(coordinate.name, defaults[str(name)])


def _line(key: str, value: object) -> str:
    return f"{key} = {as_toml(value)}"


def _choices(dimension: OneOf) -> str:
    return f"one of {', '.join(map(as_toml, dimension.choices))}"
