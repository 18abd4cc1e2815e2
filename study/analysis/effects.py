"""List the levels of all factors and hyperparameters, whose effect on the objective is estimated.

A level is an option of a factor, or a value of a hyperparameter. Its effect is the mean objective
there, averaged over all other factors, less the mean at the factor's baseline.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from training_factors.search_spaces.description import (
    DescribedOption,
    SpaceDescription,
    parse_parameter,
)
from training_factors.search_spaces.dimension import Integer, OneOf, Value, Varied
from training_factors.study.analysis.features import LatentAxis, Layout
from training_factors.study.analysis.intervals import Interval

VALUES_PER_HYPERPARAMETER = 7
"""Number of values, evenly spaced on its unit scale, at which a numeric hyperparameter is read."""


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


class Effect(NamedTuple):
    """The effect of a level.

    mean: mean objective at the level, in its own unit. points: mean less that of the baseline, in
    percentage points of the objective, with its 95 % interval.
    """

    factor: str
    option: str
    hyperparameter: str | None
    value: Value
    mean: float
    points: float
    interval: Interval


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
            option = parse_parameter(axis.name).option or ""
            parent = _parent_pin(layout, axis)
            levels += [
                Level(axis.factor, option, axis.name, value, {**parent, i: unit})
                for unit, value in _values_along(dimension)
            ]
    return levels


def baseline_levels(levels: Sequence[Level], space: SpaceDescription) -> list[int]:
    """Return for every level the number of the level that is its factor's baseline.

    The baseline is the first option. Where a factor has only one option, it is the level of that
    option's first varied hyperparameter that is nearest to the default. For a factor without
    options, such as the placebo, it is the middle level.
    """
    options = {factor.name: factor.options for factor in space.factors}
    baselines: dict[str, int] = {}
    for name in dict.fromkeys(level.factor for level in levels):
        numbers = [i for i, level in enumerate(levels) if level.factor == name]
        if options.get(name):
            baselines[name] = _baseline_level(levels, numbers, options[name][0])
        else:
            baselines[name] = numbers[len(numbers) // 2]
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


def _parent_pin(layout: Layout, axis: LatentAxis) -> dict[int, float]:
    """Return the pin that chooses the option under which the axis is active; empty for none."""
    if axis.parent is None:
        return {}
    parent = layout.axes[axis.parent].dimension
    assert isinstance(parent, OneOf)
    return {axis.parent: _choice_units(parent)[axis.option][0]}


def _values_along(dimension: Varied) -> list[tuple[float, Value]]:
    """Return coordinates in the unit interval with the values that they stand for."""
    if isinstance(dimension, OneOf):
        return _choice_units(dimension)
    count = VALUES_PER_HYPERPARAMETER
    if isinstance(dimension, Integer) and dimension.high - dimension.low < count:
        count = dimension.high - dimension.low + 1
        return [((k + 0.5) / count, dimension.low + k) for k in range(count)]
    units = np.linspace(0, 1, count) * (1 - 1e-9)
    return [(float(unit), dimension.decode(float(unit))) for unit in units]


def _choice_units(dimension: OneOf) -> list[tuple[float, Value]]:
    """Return the coordinate in the middle of each choice's slot, with the choice."""
    count = len(dimension.choices)
    return [((k + 0.5) / count, choice) for k, choice in enumerate(dimension.choices)]
