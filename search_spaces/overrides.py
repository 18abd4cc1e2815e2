"""Edits of a space as people write them: `optimizer=adamw`, `optimizer.sgd.lr=1e-3:1:log`.

Every mistake raises ValueError with one line that names the value, the nearest thing that exists
and what would be right.
"""

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import NamedTuple

from training_factors.search_spaces.description import ParameterName, parse_parameter
from training_factors.search_spaces.dimension import (
    Dimension,
    Fixed,
    Integer,
    LogUniform,
    OneOf,
    Uniform,
    Value,
    Varied,
)
from training_factors.search_spaces.factor import Factor, Hyperparameter, Option
from training_factors.search_spaces.factors import FACTORS
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import plain_recipe
from training_factors.search_spaces.space import SPACES, Space, named_space


class Overrides(NamedTuple):
    """What a user changes of a space, each in the words of the command line.

    fix: `factor=option` or `factor.option.hyperparameter=value`; drop: factors to hold at their baseline;
    range: `factor.option.hyperparameter=low:high` or `low:high:log`; choices: `factor=option,option`.
    """

    fix: Sequence[str] = ()
    drop: Sequence[str] = ()
    range: Sequence[str] = ()
    choices: Sequence[str] = ()


def open_space(name: str) -> Space:
    """The space of this name. Raises ValueError when there is none."""
    if name not in SPACES:
        raise ValueError(_unknown("space", name, SPACES))
    return named_space(name)


def override(space: Space, changes: Overrides, problem: Problem) -> Space:
    """The space with all changes.

    A factor that the space holds can be fixed at another option, or brought in with choices.
    """
    _refuse_twice(changes)
    for text in changes.choices:
        space = _choose(space, *_split(text, "--choices", "FACTOR=OPTION,OPTION"))
    for text in changes.range:
        space = _narrow(space, *_split(text, "--range", "FACTOR.OPTION.KNOB=LOW:HIGH"), problem)
    for text in changes.fix:
        space = _fix(space, *_split(text, "--fix", "FACTOR=OPTION"))
    for name in changes.drop:
        space = space.replace_factor(_factor(space, name).held())
    return space


def _refuse_twice(changes: Overrides) -> None:
    """The same thing said twice, or a factor both fixed and dropped: one of them is a mistake."""
    for flag, texts in (("--fix", changes.fix), ("--range", changes.range),
                        ("--choices", changes.choices), ("--drop", changes.drop)):  # fmt: skip
        paths = [text.partition("=")[0].strip() for text in texts]
        for path in paths:
            if paths.count(path) > 1:
                raise ValueError(f"{flag} {path} is given twice; keep one of them")
    fixed = {parse_parameter(text.partition("=")[0].strip()).factor for text in changes.fix}
    for name in changes.drop:
        if name in fixed:
            raise ValueError(f"{name} is both fixed and dropped; keep one of --fix and --drop")


def _choose(space: Space, path: str, text: str) -> Space:
    factor = _factor(space, path)
    names = [name.strip() for name in text.split(",")]
    options = [_option(factor, name) for name in names]
    if len(set(names)) < len(names):
        raise ValueError(f"--choices {path}={text} names an option twice; name each once")
    return space.replace_factor(factor.replace_options(options))


def _narrow(space: Space, path: str, text: str, problem: Problem) -> Space:
    factor, option, hyperparameter = _hyperparameter(space, path)
    dimension = _range(path, hyperparameter.dimension, text)
    for bound in (dimension.low, dimension.high):
        try:
            option.function(plain_recipe(problem), **{hyperparameter.name: bound})
        except ValueError as error:
            raise ValueError(f"--range {path}={text}: {error}") from None
    default = _nearest(hyperparameter.default, dimension)
    return _replace_knob(
        space, factor, option, replace(hyperparameter, dimension=dimension, default=default)
    )


def _fix(space: Space, path: str, text: str) -> Space:
    if "." not in path:
        factor = _factor(space, path)
        option = _option(factor, text)
        varies = bool(space.factor(path).coordinates())
        return space.replace_factor(factor.replace_options([option if varies else option.held()]))
    factor, option, hyperparameter = _hyperparameter(space, path)
    value = _value(path, hyperparameter.dimension, text)
    return _replace_knob(
        space, factor, option, replace(hyperparameter, dimension=Fixed(value), default=value)
    )


def _replace_knob(space: Space, factor: Factor, option: Option, changed: Hyperparameter) -> Space:
    edited = option.replace_hyperparameter(changed)
    return space.replace_factor(
        factor.replace_options([edited if o.name == option.name else o for o in factor.options])
    )


def _value(path: str, dimension: Dimension, text: str) -> Value:
    if isinstance(dimension, Fixed):
        raise ValueError(f"{path} does not vary in this study; it is {dimension}")
    try:
        value = dimension.parse(text)
    except ValueError as error:
        raise ValueError(f"--fix {path}={text}: {error}") from None
    if not dimension.contains(value):
        raise ValueError(
            f"--fix {path}={text} is outside its range {dimension}; "
            f"choose a value inside it or widen it with --range"
        )
    return value


def _range(path: str, dimension: Dimension, text: str) -> Uniform | LogUniform | Integer:
    if isinstance(dimension, OneOf | Fixed):
        raise ValueError(f"--range {path}: this is no range but {dimension}; use --fix")
    low, high, scale = _bounds(path, text)
    kind: type[Uniform | LogUniform | Integer] = type(dimension)
    if isinstance(dimension, Integer):
        if scale or not (low.is_integer() and high.is_integer()):
            raise ValueError(f"--range {path}={text}: bounds must be whole numbers, as LOW:HIGH")
        low, high = int(low), int(high)
    elif scale:
        kind = LogUniform if scale == "log" else Uniform
    try:
        return kind(low, high)  # type: ignore[arg-type]
    except ValueError as error:
        raise ValueError(f"--range {path}={text}: {error}") from None


def _bounds(path: str, text: str) -> tuple[float, float, str]:
    low, _, rest = text.partition(":")
    high, _, scale = rest.partition(":")
    try:
        numbers = float(low), float(high)
    except ValueError:
        raise ValueError(f"--range {path}={text}: expected LOW:HIGH or LOW:HIGH:log") from None
    if scale not in ("", "log", "linear"):
        raise ValueError(f"--range {path}={text}: the scale is log or linear, got {scale!r}")
    return *numbers, scale


def _nearest(value: Value, dimension: Varied) -> Value:
    if dimension.contains(value) or isinstance(dimension, OneOf):
        return value
    return dimension.low if float(value) < dimension.low else dimension.high


def _factor(space: Space, name: str) -> Factor:
    known = {factor.name: factor for factor in space.factors}
    if name not in known:
        raise ValueError(_unknown("factor", name, list(known)))
    if known[name].coordinates():
        return known[name]
    return next(factor for factor in FACTORS if factor.name == name)


def _option(factor: Factor, name: str) -> Option:
    try:
        return factor.option(name)
    except KeyError:
        known = [option.name for option in factor.options]
        raise ValueError(_unknown(f"option of {factor.name}", name, known)) from None


def _hyperparameter(space: Space, path: str) -> tuple[Factor, Option, Hyperparameter]:
    name = parse_parameter(path)
    factor = _factor(space, name.factor)
    if name.option is None or name.hyperparameter is None:
        paths = [
            str(ParameterName(factor.name, option.name, one.name))
            for option in factor.options
            for one in option.hyperparameters
        ]
        raise ValueError(_unknown("hyperparameter", path, paths))
    option = _option(factor, name.option)
    for hyperparameter in option.hyperparameters:
        if hyperparameter.name == name.hyperparameter:
            return factor, option, hyperparameter
    known = [hyperparameter.name for hyperparameter in option.hyperparameters]
    raise ValueError(
        _unknown(f"hyperparameter of {factor.name}.{option.name}", name.hyperparameter, known)
    )


def _split(text: str, flag: str, form: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals or not path.strip() or not value.strip():
        raise ValueError(f"{flag} {text!r} is not of the form {form}")
    return path.strip(), value.strip()


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"{what} {name!r} is unknown; did you mean {near[0]!r}?"
    if not known:
        return f"{what} {name!r} is unknown; there is none"
    listed = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return f"{what} {name!r} is unknown; there is {listed}"
