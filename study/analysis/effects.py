"""What every option and every hyperparameter does to the objective, on the average over all else."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from training_factors.search_spaces.description import (
    DescribedOption,
    SpaceDescription,
    parse_parameter,
)
from training_factors.search_spaces.dimension import Integer, OneOf, Value, Varied
from training_factors.study.analysis.features import LatentAxis, Layout
from training_factors.study.analysis.uncertainty import Interval

STEPS = 7
"""Points along a hyperparameter."""


class Level(NamedTuple):
    """A factor at an option (hyperparameter None), or a hyperparameter of an option at a value.

    pins: latent axis -> where on it, for `marginals`.
    """

    factor: str
    option: str
    hyperparameter: str | None
    value: Value
    pins: Mapping[int, float]


class Effect(NamedTuple):
    """The mean objective at a setting, and how far above the baseline's it lies.

    points: the difference, in hundredths of the objective, with its 95 % interval.
    """

    factor: str
    option: str
    hyperparameter: str | None
    value: Value
    mean: float
    points: float
    interval: Interval


def levels_of(layout: Layout) -> list[Level]:
    """Every option of every factor, and points along every hyperparameter."""
    found = []
    for i, axis in enumerate(layout.axes):
        dimension = axis.dimension
        if axis.name == axis.factor and isinstance(dimension, OneOf):
            count = len(dimension.choices)
            found += [
                Level(axis.factor, str(choice), None, choice, {i: (k + 0.5) / count})
                for k, choice in enumerate(dimension.choices)
            ]
        else:
            option = parse_parameter(axis.name).option or ""
            pins = _parent(layout, axis)
            found += [
                Level(axis.factor, option, axis.name, value, {**pins, i: unit})
                for unit, value in _along(dimension)
            ]
    return found


def baseline_levels(settings: list[Level], space: SpaceDescription) -> list[int]:
    """For every setting the number of the one that stands for its factor's baseline.

    That is the first option; where there is only one, its first hyperparameter nearest to its default; the
    middle of a factor without options, such as the placebo.
    """
    described = {factor.name: factor.options for factor in space.factors}
    found: dict[str, int] = {}
    for name in dict.fromkeys(one.factor for one in settings):
        own = [i for i, one in enumerate(settings) if one.factor == name]
        options = described.get(name, ())
        found[name] = _baseline(settings, own, options[0]) if options else own[len(own) // 2]
    return [found[one.factor] for one in settings]


def _baseline(settings: list[Level], own: list[int], first: DescribedOption) -> int:
    for i in own:
        if settings[i].hyperparameter is None and settings[i].option == first.name:
            return i
    return _nearest(settings, own, first)


def _nearest(settings: list[Level], own: list[int], option: DescribedOption) -> int:
    """The setting of the first hyperparameter that varies, nearest to its default."""
    path = settings[own[0]].hyperparameter or ""
    name = parse_parameter(path).hyperparameter
    (default,) = (one.default for one in option.hyperparameters if one.name == name)
    along = [i for i in own if settings[i].hyperparameter == path]

    def distance(i: int) -> float:
        value = settings[i].value
        if isinstance(value, int | float) and isinstance(default, int | float):
            return abs(value - default)
        return float(value != default)

    return min(along, key=distance)


def _parent(layout: Layout, axis: LatentAxis) -> dict[int, float]:
    if axis.parent is None:
        return {}
    chosen = layout.axes[axis.parent].dimension
    assert isinstance(chosen, OneOf)
    return {axis.parent: (axis.option + 0.5) / len(chosen.choices)}


def _along(dimension: Varied) -> list[tuple[float, Value]]:
    """Points of the unit interval with the values that they stand for."""
    if isinstance(dimension, OneOf):
        count = len(dimension.choices)
        return [((k + 0.5) / count, choice) for k, choice in enumerate(dimension.choices)]
    if isinstance(dimension, Integer) and dimension.high - dimension.low < STEPS:
        count = dimension.high - dimension.low + 1
        return [((k + 0.5) / count, dimension.low + k) for k in range(count)]
    units = np.linspace(0, 1, STEPS) * (1 - 1e-9)
    return [(float(unit), dimension.decode(float(unit))) for unit in units]
