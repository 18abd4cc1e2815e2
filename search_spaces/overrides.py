"""Overrides of a search space from the command line, such as `optimizer.sgd.lr=1e-3:1:log`.

Every mistake raises ValueError with one line that names the wrong value and says what would be
right; for a misspelt name, the line suggests the most similar name that exists.
"""

import math
from collections.abc import Mapping, Sequence
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
    is_number,
    normal_text,
)
from training_factors.search_spaces.factor import Factor, Hyperparameter, Option
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import default_recipe
from training_factors.search_spaces.registry import known_factors
from training_factors.search_spaces.space import SPACES, Space, named_space


class Overrides(NamedTuple):
    """The changes that a user makes to a space, as texts in the syntax of the command line.

    fix: `factor=option` or `factor.option.hyperparameter=value`.
    drop: names of factors to fix at their baselines.
    range: `factor.option.hyperparameter=low:high`, optionally followed by `:log` or `:linear`.
    choices: `factor=option,option`; the first option becomes the baseline. Or
        `factor.option.hyperparameter=value,value`; the default stays if it is one of the values,
        else it is the first.
    only: names of the factors that vary; all others are fixed at their baselines, or as `fix` says.

    A factor that has one option with one hyperparameter stands for it: `batch_size=16,32`.
    """

    fix: Sequence[str] = ()
    drop: Sequence[str] = ()
    range: Sequence[str] = ()
    choices: Sequence[str] = ()
    only: Sequence[str] = ()


def open_space(name: str, files: Sequence[str] = ()) -> Space:
    """Return the space of this name, with the factors of the user's files.

    Raises ValueError when there is none, or a file cannot be used; see `known_factors`.
    """
    if name not in SPACES:
        raise ValueError(_unknown("space", name, SPACES))
    return named_space(name, known_factors(files))


def override(space: Space, changes: Overrides, problem: Problem) -> Space:
    """Return the space with all changes.

    A factor that does not vary in the space may be fixed at another option. It starts to vary if
    `choices` names several of its options, if `range` or `choices` names one of its
    hyperparameters, or if `only` names it.

    problem: the problem whose default recipe is used to try out the bounds of a new range.
    """
    changes = _with_full_names(space, changes)
    _refuse_repetitions(changes)
    _refuse_held_ranges(changes)
    choices = [_split(text, "--choices", "FACTOR=OPTION,OPTION") for text in changes.choices]
    # Options come first: a value may be that of a hyperparameter of a chosen option.
    for path, names in sorted(choices, key=lambda choice: "." in choice[0]):
        if "." in path:
            space = _set_choices(space, path, names, problem)
        else:
            space = _choose_options(space, path, names)
    for text in changes.range:
        path, bounds = _split(text, "--range", "FACTOR.OPTION.HYPERPARAMETER=LOW:HIGH")
        space = _set_range(space, path, bounds, problem)
    fixes = [_split(text, "--fix", "FACTOR=OPTION") for text in changes.fix]
    # Hyperparameters come first: once a factor is fixed at an option, all of that option's
    # hyperparameters may be fixed at their defaults.
    for path, value in sorted(fixes, key=lambda fix: "." not in fix[0]):
        space = _fix(space, path, value)
    _refuse_unused_values(space, dict(fixes))
    for name in changes.drop:
        space = space.replace_factor(_factor(space, name).hold())
    return _vary_only(space, changes.only) if changes.only else space


def _refuse_held_ranges(changes: Overrides) -> None:
    """Raise ValueError when a factor that `only` holds is given values to vary over."""
    several = [text for text in changes.choices if "," in text]
    for flag, texts in (("--range", changes.range), ("--choices", several)):
        for text in texts if changes.only else ():
            name = parse_parameter(_path(text)).factor
            if name not in changes.only:
                raise ValueError(
                    f"{flag} {text}: {name} does not vary, since it is not in --only; add it "
                    "there, or set it with --fix"
                )


def _vary_only(space: Space, names: Sequence[str]) -> Space:
    """Return the space with all factors held but those of these names, which vary."""
    varied = [_factor(space, name) for name in names]
    for factor in varied:
        space = space.replace_factor(factor)
    for factor in space.factors:
        if factor.name not in names:
            space = space.replace_factor(factor.hold())
    return space


def _with_full_names(space: Space, changes: Overrides) -> Overrides:
    """Return the changes with the names of hyperparameters for which their factors stand."""
    only_parameters = {
        factor.name: ParameterName(factor.name, option.name, option.hyperparameters[0].name)
        for factor in space.factors
        for option in factor.options
        if len((*factor.options, *factor.further)) == 1 and len(option.hyperparameters) == 1
    }

    def with_full_name(text: str) -> str:
        path, equals, value = text.partition("=")
        name = only_parameters.get(path.strip())
        is_option = name is None or value.strip() == name.option
        return text if is_option or not equals else f"{name}={value}"

    return changes._replace(
        fix=tuple(map(with_full_name, changes.fix)),
        range=tuple(map(with_full_name, changes.range)),
        choices=tuple(map(with_full_name, changes.choices)),
    )


def _refuse_repetitions(changes: Overrides) -> None:
    """Raise ValueError when one thing is changed twice, or two changes contradict each other."""
    for flag, texts in (
        ("--fix", changes.fix),
        ("--range", changes.range),
        ("--choices", changes.choices),
        ("--drop", changes.drop),
        ("--only", changes.only),
    ):
        paths = [_path(text) for text in texts]
        for path in paths:
            if paths.count(path) > 1:
                raise ValueError(f"{flag} {path} is given twice; keep one of them")
    fixed = {parse_parameter(_path(text)).factor for text in changes.fix}
    for name in changes.drop:
        if name in fixed:
            raise ValueError(f"{name} is both fixed and dropped; keep one of --fix and --drop")
        if name in changes.only:
            raise ValueError(f"{name} is in both --only and --drop; keep one of them")


def _refuse_unused_values(space: Space, fixes: Mapping[str, str]) -> None:
    """Raise ValueError when `--fix` sets a hyperparameter of an option that is never chosen."""
    for path in fixes:
        name = parse_parameter(path)
        factor = space.factor(name.factor)
        chosen = factor.used[0].name if len(factor.used) == 1 else name.option
        if name.option not in (None, chosen):
            raise ValueError(
                f"--fix {path} has no effect, since {name.factor} is fixed at {chosen}; remove it"
            )


def _path(text: str) -> str:
    return text.partition("=")[0].strip()


def _choose_options(space: Space, path: str, text: str) -> Space:
    factor = _factor(space, path)
    names = [name.strip() for name in text.split(",")]
    options = [_option(factor, name) for name in names]
    if len(set(names)) < len(names):
        raise ValueError(f"--choices {path}={text} names an option twice; name each option once")
    return space.replace_factor(factor.replace_options(options))


def _set_choices(space: Space, path: str, text: str, problem: Problem) -> Space:
    """Return the space in which a hyperparameter varies over values of the user's own."""
    factor, option, hyperparameter = _hyperparameter(space, path)
    line = f"--choices {path}={text}"
    values = [_own_value(line, hyperparameter.dimension, one.strip()) for one in text.split(",")]
    if len(set(values)) < len(values):
        raise ValueError(f"{line} names a value twice; name each value once")
    for value in values:
        _try_value(line, option, hyperparameter.name, value, problem)
    default = values[0]
    if hyperparameter.default in values:
        default = values[values.index(hyperparameter.default)]
    dimension = OneOf(*values) if len(values) > 1 else Fixed(default)
    changed = replace(hyperparameter, dimension=_same(dimension, hyperparameter), default=default)
    return _replace_hyperparameter(space, factor, option, changed)


def _same(dimension: Dimension, hyperparameter: Hyperparameter) -> Dimension:
    """Return the hyperparameter's own dimension if it is equal, so that 0 does not become 0.0.

    The fingerprint of a space tells the two from each other.
    """
    return hyperparameter.dimension if dimension == hyperparameter.dimension else dimension


def _own_value(line: str, dimension: Dimension, text: str) -> Value:
    """Return a value of the type that a dimension has. line: for messages."""
    if isinstance(dimension, Fixed):
        raise ValueError(
            f"{line}: the hyperparameter is {dimension} in this space and has no choices; leave it "
            "out"
        )
    try:
        if not isinstance(dimension, OneOf) or not all(map(is_number, dimension.choices)):
            return dimension.parse(text)
        if all(isinstance(choice, int) for choice in dimension.choices):
            return Integer(0, 1).parse(text)
        return Uniform(0, 1).parse(text)
    except ValueError as error:
        raise ValueError(f"{line}: {error}") from None


def _try_value(line: str, option: Option, name: str, value: Value, problem: Problem) -> None:
    """Raise ValueError for a value that the option refuses. line: for messages."""
    try:
        if is_number(value) and not math.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value:g}")
        option.function(default_recipe(problem), **{name: value})
    except ValueError as error:
        raise ValueError(f"{line}: {error}") from None


def _set_range(space: Space, path: str, text: str, problem: Problem) -> Space:
    factor, option, hyperparameter = _hyperparameter(space, path)
    dimension = _parse_range(path, hyperparameter.dimension, text)
    for bound in (dimension.low, dimension.high):
        _try_value(f"--range {path}={text}", option, hyperparameter.name, bound, problem)
    changed = replace(
        hyperparameter,
        dimension=_same(dimension, hyperparameter),
        default=_clip_to_range(hyperparameter.default, dimension),
    )
    return _replace_hyperparameter(space, factor, option, changed)


def _fix(space: Space, path: str, text: str) -> Space:
    if "." not in path:
        factor = _factor(space, path)
        option = _option(factor, text)
        is_held = not space.factor(path).coordinates()
        return space.replace_factor(replace(factor.replace_options([option]), held=is_held))
    factor, option, hyperparameter = _hyperparameter(space, path)
    value = _parse_value(path, hyperparameter.dimension, text)
    if value == hyperparameter.default:
        value = hyperparameter.default
    changed = replace(hyperparameter, dimension=Fixed(value), default=value)
    held = replace(factor, held=space.factor(factor.name).held)
    return _replace_hyperparameter(space, held, option, changed)


def _replace_hyperparameter(
    space: Space, factor: Factor, option: Option, changed: Hyperparameter
) -> Space:
    edited = option.replace_hyperparameter(changed)

    def replaced(options: Sequence[Option]) -> tuple[Option, ...]:
        return tuple(edited if each.name == option.name else each for each in options)

    return space.replace_factor(
        replace(factor, options=replaced(factor.options), further=replaced(factor.further))
    )


def _parse_value(path: str, dimension: Dimension, text: str) -> Value:
    if isinstance(dimension, Fixed):
        if normal_text(text) == normal_text(str(dimension.value)):
            return dimension.value
        raise ValueError(
            f"--fix {path}={text}: the hyperparameter is {dimension} in this space and cannot be "
            "changed; leave it out"
        )
    try:
        value = dimension.parse(text)
    except ValueError as error:
        raise ValueError(
            f"--fix {path}={text}: {error}{_allowing(path, dimension, text)}"
        ) from None
    if not dimension.contains(value):
        raise ValueError(
            f"--fix {path}={text} is outside its range {dimension}; "
            f"choose a value inside it or widen it with --range"
        )
    return value


def _allowing(path: str, dimension: Dimension, text: str) -> str:
    """Return how a number that is not among the choices of a dimension may be allowed, or nothing.

    dimension: that the hyperparameter `path` has.
    """
    is_numeric = isinstance(dimension, OneOf) and all(map(is_number, dimension.choices))
    try:
        float(text)
    except ValueError:
        return ""
    return f"; other values: --choices {path}={text}" if is_numeric else ""


def _parse_range(path: str, dimension: Dimension, text: str) -> Uniform | LogUniform | Integer:
    if isinstance(dimension, Fixed):
        raise ValueError(
            f"--range {path}: the hyperparameter is {dimension} in this space and has no range; "
            "leave it out"
        )
    if isinstance(dimension, OneOf):
        raise ValueError(
            f"--range {path}: the hyperparameter has no range but choices ({dimension}); use "
            "--fix, or --choices for others"
        )
    low, high, scale = _parse_bounds(path, text)
    range_class: type[Uniform | LogUniform | Integer] = type(dimension)
    if isinstance(dimension, Integer):
        if scale or not (low.is_integer() and high.is_integer()):
            raise ValueError(f"--range {path}={text}: give whole numbers without a scale, LOW:HIGH")
        low, high = int(low), int(high)
    elif scale:
        range_class = LogUniform if scale == "log" else Uniform
    try:
        return range_class(low, high)  # type: ignore[arg-type]
    except ValueError as error:
        raise ValueError(f"--range {path}={text}: {error}") from None


def _parse_bounds(path: str, text: str) -> tuple[float, float, str]:
    low, _, rest = text.partition(":")
    high, _, scale = rest.partition(":")
    try:
        numbers = float(low), float(high)
    except ValueError:
        raise ValueError(f"--range {path}={text}: expected LOW:HIGH or LOW:HIGH:log") from None
    if scale not in ("", "log", "linear"):
        raise ValueError(f"--range {path}={text}: the scale must be log or linear, got {scale!r}")
    return *numbers, scale


def _clip_to_range(value: Value, dimension: Varied) -> Value:
    if dimension.contains(value) or isinstance(dimension, OneOf):
        return value
    return dimension.low if float(value) < dimension.low else dimension.high


def _factor(space: Space, name: str) -> Factor:
    """Return the factor to edit: with all its options, not held."""
    factors = {factor.name: factor for factor in space.factors}
    if name not in factors:
        raise ValueError(_unknown("factor", name, list(factors)))
    return replace(factors[name], held=False)


def _option(factor: Factor, name: str) -> Option:
    try:
        return factor.option(name)
    except KeyError:
        names = [option.name for option in (*factor.options, *factor.further)]
        raise ValueError(_unknown(f"option of {factor.name}", name, names)) from None


def _hyperparameter(space: Space, path: str) -> tuple[Factor, Option, Hyperparameter]:
    name = parse_parameter(path)
    factor = _factor(space, name.factor)
    if name.option is None or name.hyperparameter is None:
        paths = [
            str(ParameterName(factor.name, option.name, hyperparameter.name))
            for option in (*factor.options, *factor.further)
            for hyperparameter in option.hyperparameters
        ]
        raise ValueError(_unknown("hyperparameter", path, paths))
    option = _option(factor, name.option)
    for hyperparameter in option.hyperparameters:
        if hyperparameter.name == name.hyperparameter:
            return factor, option, hyperparameter
    names = [hyperparameter.name for hyperparameter in option.hyperparameters]
    raise ValueError(
        _unknown(f"hyperparameter of {factor.name}.{option.name}", name.hyperparameter, names)
    )


def _split(text: str, flag: str, form: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals or not path.strip() or not value.strip():
        raise ValueError(f"{flag} {text!r} is not of the form {form}")
    return path.strip(), value.strip()


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
    """Return the message for an unknown name, with the most similar known name or a list."""
    similar = get_close_matches(name, known, n=1, cutoff=0.5)
    if similar:
        return f"{kind} {name!r} is unknown; did you mean {similar[0]!r}?"
    if not known:
        return f"{kind} {name!r} is unknown; there are none"
    names = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return f"{kind} {name!r} is unknown; choose from {names}"
