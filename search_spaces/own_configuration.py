"""Read configurations of the user's own from TOML, such as the file that `recommend` writes.

    [settings]
    optimizer = "adamw"
    "optimizer.adamw.lr" = 0.003

Factors that are not named are at their baseline. Several configurations of one file are tables
`[[configuration]]` that hold the same. Other keys that `recommend` writes say where the settings
come from (`data`, `model`, …) and are not read.

Every mistake raises ValueError with one line that names the file, the key and the value, and says
what would be right. Reading needs neither torch nor the code of any factor.
"""

import json
import math
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

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

MAX_INTEGER = 2**63 - 1
"""Largest integer that TOML has; Python reads larger ones."""

_ORIGIN_KEYS = ("data", "model", "weights", "factor", "metric", "epochs")
"""Keys beside the settings that `recommend` writes: the study that recommends them."""

_SETTINGS, _SEVERAL = "settings", "configuration"


class NamedSettings(NamedTuple):
    """The settings of one configuration as its file has them.

    place: the file and, where it has several, the number of the configuration; for messages.
    name: of the configuration, after the file.
    """

    place: str
    name: str
    settings: Mapping[str, object]


def read_settings(path: str) -> list[NamedSettings]:
    """Read the settings of every configuration in a TOML file; they are checked for form alone.

    Raises ValueError when the file cannot be read, is no TOML, or holds no settings.
    """
    document = _read_document(path)
    for key in document:
        if key not in (_SETTINGS, _SEVERAL, *_ORIGIN_KEYS):
            hint = _hint(key, (_SETTINGS, _SEVERAL), f"put it below [{_SETTINGS}]")
            raise ValueError(f"{path}: the key {key!r} is unknown; {hint}")
    tables = [document[_SETTINGS]] if _SETTINGS in document else []
    several = document.get(_SEVERAL, [])
    tables += several if isinstance(several, list) else [several]
    if not tables:
        raise ValueError(f"{path} has no settings; put them below a line [{_SETTINGS}]")
    stem = Path(path).stem
    found = []
    for number, table in enumerate(tables, start=1):
        is_only = len(tables) == 1
        place, name = (path, stem) if is_only else (f"{path}, no. {number}", f"{stem}-{number}")
        if not isinstance(table, dict):
            raise ValueError(f"{place}: settings must be a table, [{_SETTINGS}], got {table!r}")
        found.append(NamedSettings(place, name, table))
    return found


def open_configuration(
    named: NamedSettings, space: SpaceDescription, left_out: Mapping[str, str]
) -> dict[str, Value]:
    """Return the active parameters of the configuration with these settings, else the baseline's.

    left_out: name -> reason, of factors and options that are not part of the space.

    Raises ValueError for a name that the space does not have, for a value outside of its range, and
    for a hyperparameter of an option that is not chosen.
    """
    place, settings = named.place, named.settings
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


def _read_document(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"--also {path!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"--also {path!r} is no text in UTF-8; it must be a TOML file") from None
    except tomllib.TOMLDecodeError as error:
        remedy = 'names with dots are quoted, "optimizer.sgd.lr" = 0.1'
        raise ValueError(f"{path} is no TOML: {error}; {remedy}") from None


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
    hint = _hint(name, names, f"choose from {', '.join(names[:12])}, …")
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
    hint = _hint(str(value), names, f"choose from {', '.join(names)}")
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
        hint = _hint(name, list(dimensions), known)
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
    return f"{key} = {_toml(value)}"


def _choices(dimension: OneOf) -> str:
    return f"one of {', '.join(map(_toml, dimension.choices))}"


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _hint(name: str, known: list[str] | tuple[str, ...], otherwise: str) -> str:
    similar = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {similar[0]!r}?" if similar else otherwise
