"""List the levels of all factors and hyperparameters, whose effect on the objective is estimated.

A level is an option of a factor, or a value of a hyperparameter. Its effect is the mean objective
there, averaged over all other factors, less the mean at the factor's baseline. Beside the mean
stands the best that a modest search with an option would reach (`expected_best`).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from training_factors.search_spaces.description import (
    DescribedOption,
    SpaceDescription,
    parse_parameter,
)
from training_factors.search_spaces.dimension import Integer, LogUniform, OneOf, Uniform, Value
from training_factors.search_spaces.distribution import (
    AnyDimension,
    Discrete,
    Steps,
    count_values,
    unit_of,
)
from training_factors.study.analysis.features import LatentAxis, Layout
from training_factors.study.analysis.intervals import Interval

VALUES_PER_HYPERPARAMETER = 7
"""Number of values, evenly spaced on its unit scale, at which a numeric hyperparameter is read."""


CONFIGURATIONS = 16
"""Number of an option's configurations of which the best counts; see `expected_best`."""

BEST_OF = f"best of {CONFIGURATIONS}"
"""What their expected best is called on every screen."""


class Level(NamedTuple):
    """An option of a factor (hyperparameter is None), or a value of an option's hyperparameter.

    hyperparameter: its full name, such as `optimizer.sgd.lr`. pins: latent axis -> coordinate in
    the unit interval that stands for the level.
    """

    factor: str
    option: str
    hyperparameter: str | None
    value: Value
    pins: Mapping[int, float]


class ExpectedBest(NamedTuple):
    """The expected best objective of 16 configurations with an option, beside the baseline's.

    value: in the unit of the objective, with its 95 % interval. rows: number of measured rows with
    the option. points: value less that of the baseline option, in percentage points of the
    objective, with its 95 % interval; None where too few rows have the baseline option.
    """

    value: float
    interval: Interval
    rows: int
    points: float | None
    points_interval: Interval | None


class Effect(NamedTuple):
    """The effect of a level.

    mean: mean objective at the level, in its own unit. points: mean less that of the baseline, in
    percentage points of the objective, with its 95 % interval. expected_best: of configurations
    with the option; None for a hyperparameter, and where too few rows have the option.
    """

    factor: str
    option: str
    hyperparameter: str | None
    value: Value
    mean: float
    points: float
    interval: Interval
    expected_best: ExpectedBest | None


def levels_of(layout: Layout) -> list[Level]:
    """Return every option of every factor, and values along every hyperparameter."""
    levels = []
    for i, axis in enumerate(layout.axes):
        dimension = axis.dimension
        if axis.name == axis.factor and isinstance(dimension, OneOf):
            levels += [
                Level(axis.factor, str(choice), None, choice, {i: unit})
                for unit, choice in _choice_units(dimension)
            ]
        else:
            option = _option_of(layout, axis)
            parents = _parent_pins(layout, axis)
            levels += [
                Level(axis.factor, option, axis.name, value, {**parents, i: unit})
                for unit, value in _values_along(dimension)
            ]
    return levels


def baseline_levels(levels: Sequence[Level], space: SpaceDescription) -> list[int]:
    """Return for every level the number of the level that is its factor's baseline.

    The baseline is the first option. Where a factor has only one option, it is the level of that
    option's first varied hyperparameter that is nearest to the default. For a factor that the space
    does not describe, such as the placebo and those of other programs' studies, it is a level of
    its first axis: the first choice, or the middle level of a number.
    """
    options = {factor.name: factor.options for factor in space.factors}
    baselines: dict[str, int] = {}
    for name in dict.fromkeys(level.factor for level in levels):
        numbers = [i for i, level in enumerate(levels) if level.factor == name]
        if options.get(name):
            baselines[name] = _baseline_level(levels, numbers, options[name][0])
        else:
            baselines[name] = _first_or_middle(levels, numbers)
    return [baselines[level.factor] for level in levels]


def _baseline_level(levels: Sequence[Level], numbers: list[int], first: DescribedOption) -> int:
    """Return the number of the baseline among one factor's levels, which have these numbers."""
    for i in numbers:
        if levels[i].hyperparameter is None and levels[i].option == first.name:
            return i
    return _nearest_to_default(levels, numbers, first)


def _nearest_to_default(
    levels: Sequence[Level], numbers: list[int], option: DescribedOption
) -> int:
    """Return the level of the first varied hyperparameter that is nearest to its default."""
    path = levels[numbers[0]].hyperparameter or ""
    name = parse_parameter(path).hyperparameter
    (default,) = (one.default for one in option.hyperparameters if one.name == name)

    def distance(i: int) -> float:
        value = levels[i].value
        if isinstance(value, int | float) and isinstance(default, int | float):
            return abs(value - default)
        return float(value != default)

    return min((i for i in numbers if levels[i].hyperparameter == path), key=distance)


def _first_or_middle(levels: Sequence[Level], numbers: list[int]) -> int:
    """Return the first choice, or the middle level of a number, of one factor's first axis."""
    first = levels[numbers[0]]
    along = [i for i in numbers if levels[i].hyperparameter == first.hyperparameter]
    is_number = isinstance(first.value, int | float) and not isinstance(first.value, bool)
    return along[len(along) // 2] if is_number else along[0]


def _option_of(layout: Layout, axis: LatentAxis) -> str:
    """Return the option that the axis belongs to; empty when it belongs to none."""
    name = parse_parameter(axis.name)
    if name.option is not None and name.hyperparameter is not None:
        return name.option
    if not axis.conditions:
        return ""
    parent, slots = axis.conditions[0]
    dimension = _discrete(layout.axes[parent])
    return ", ".join(str(dimension.decode(unit_of(dimension, slot))) for slot in slots)


def _parent_pins(layout: Layout, axis: LatentAxis) -> dict[int, float]:
    """Return pins that make the axis active: the first value that each condition allows."""
    pins: dict[int, float] = {}
    for parent, slots in axis.conditions:
        pins |= _parent_pins(layout, layout.axes[parent])
        pins[parent] = unit_of(_discrete(layout.axes[parent]), slots[0])
    return pins


def _discrete(parent: LatentAxis) -> Discrete:
    """Return the dimension of an axis that others depend on."""
    assert not isinstance(parent.dimension, Uniform | LogUniform), "parents have a few values"
    return parent.dimension


def _values_along(dimension: AnyDimension) -> list[tuple[float, Value]]:
    """Return coordinates in the unit interval with the values that they stand for."""
    if isinstance(dimension, OneOf):
        return _choice_units(dimension)
    count = VALUES_PER_HYPERPARAMETER
    if isinstance(dimension, Integer | Steps) and count_values(dimension) <= count:
        middles = [unit_of(dimension, k) for k in range(count_values(dimension))]
        return [(unit, dimension.decode(unit)) for unit in middles]
    units = np.linspace(0, 1, count) * (1 - 1e-9)
    return [(float(unit), dimension.decode(float(unit))) for unit in units]


def _choice_units(dimension: OneOf) -> list[tuple[float, Value]]:
    """Return the coordinate in the middle of each choice's slot, with the choice."""
    count = len(dimension.choices)
    return [((k + 0.5) / count, choice) for k, choice in enumerate(dimension.choices)]
