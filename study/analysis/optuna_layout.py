"""Make the latent axes of an Optuna study from its parameters: conditions, and factors."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from training_factors.search_spaces.dimension import LogUniform, OneOf, Uniform
from training_factors.search_spaces.distribution import (
    AnyDimension,
    count_values,
    place_of,
    unit_of,
)
from training_factors.study.analysis.features import Condition, LatentAxis, Layout
from training_factors.study.analysis.optuna_trials import Parameter
from training_factors.study.analysis.parameter_groups import NamedGroups, group_parameters
from training_factors.study.analysis.presence import Column, Requirement, find_requirements

ABSENT, PRESENT = "absent", "present"
"""The two choices of an axis that stands for the presence of a parameter."""


class OptunaLayout(NamedTuple):
    """The axes of an Optuna study.

    layout: the placebo is the last axis. parameters: of every axis, the parameter that it stands
    for, or whose presence. placebo: the group of the placebo, or None. notes: sentences about what
    was assumed.
    """

    layout: Layout
    parameters: Mapping[str, str]
    placebo: str | None
    notes: tuple[str, ...]


def lay_out(
    parameters: Sequence[Parameter],
    constant: Sequence[str],
    groups: NamedGroups | None,
    placebo: str | None,
) -> OptunaLayout:
    """Return the axes of parameters, parents before those that depend on them.

    constant: names of further parameters, which groups may name. groups: see `group_parameters`.
    placebo: name of a parameter that is known to have no effect.

    A parameter whose presence no other one explains gets an axis for its presence, a choice of two
    with equal probabilities. Raises ValueError for groups that do not fit the parameters.
    """
    by_name = {parameter.name: parameter for parameter in parameters}
    requirements = find_requirements(
        {name: _column(one, one.name == placebo) for name, one in by_name.items()}
    )
    order = sorted(by_name, key=lambda name: (name == placebo, -by_name[name].occurrences, name))
    parents = {name: found[0].parent for name, found in requirements.items() if found}
    named = group_parameters([*order, *constant], parents, groups)
    axes: list[LatentAxis] = []
    owners: dict[str, str] = {}
    for name in order:
        for axis in _axes_of(by_name[name], named[name], requirements[name], axes):
            axes.append(axis)
            owners[axis.name] = name
    notes = [_presence_note(by_name[name]) for name in order if requirements[name] is None]
    return OptunaLayout(Layout(tuple(axes)), owners, _alone(placebo, named), tuple(notes))


def presence_axis(name: str) -> str:
    """Return the name of the axis that stands for the presence of a parameter."""
    return f"{name} ({PRESENT})"


def describe_conditions(layout: Layout, axis: LatentAxis) -> str:
    """Return in words when an axis is active; empty where it always is."""
    return " and ".join(
        f"{layout.axes[parent].name} is {_describe_places(layout.axes[parent].dimension, slots)}"
        for parent, slots in axis.conditions
    )


def _column(parameter: Parameter, is_placebo: bool) -> Column:
    """Return what decides, or depends on, the presence of parameters; a placebo decides nothing."""
    present = np.array([value is not None for value in parameter.values])
    dimension = parameter.dimension
    if is_placebo or isinstance(dimension, Uniform | LogUniform):
        return Column(present, None, 0, True)
    places = [-1 if v is None else place_of(dimension, v) for v in parameter.values]
    count = count_values(dimension)
    return Column(present, np.array(places), count, not isinstance(dimension, OneOf))


def _axes_of(
    parameter: Parameter,
    group: str,
    requirements: tuple[Requirement, ...] | None,
    before: Sequence[LatentAxis],
) -> list[LatentAxis]:
    """Return the axis of a parameter, after that of its presence where nothing explains it."""
    numbers = {axis.name: i for i, axis in enumerate(before)}
    if requirements is not None:
        conditions = tuple(Condition(numbers[r.parent], r.places) for r in requirements)
        return [LatentAxis(parameter.name, group, parameter.dimension, conditions)]
    presence = LatentAxis(presence_axis(parameter.name), group, OneOf(ABSENT, PRESENT))
    condition = Condition(len(before), (1,))
    return [presence, LatentAxis(parameter.name, group, parameter.dimension, (condition,))]


def _alone(placebo: str | None, named: Mapping[str, str]) -> str | None:
    """Return the group of the placebo. Raises ValueError when others are in it."""
    if placebo is None:
        return None
    others = [name for name, group in named.items() if group == named[placebo] and name != placebo]
    if others:
        raise ValueError(
            f"the placebo {placebo!r} shares the group {named[placebo]!r} with {others[0]!r}; it "
            "must be the only parameter of its group"
        )
    return named[placebo]


def _presence_note(parameter: Parameter) -> str:
    trials = f"{parameter.occurrences} of {len(parameter.values)} trials"
    return (
        f"{parameter.name} is present in {trials}, and no choice or whole number explains in which"
        "; its presence counts as a choice of its own, either way with probability one half"
    )


def _describe_places(dimension: AnyDimension, places: Sequence[int]) -> str:
    assert not isinstance(dimension, Uniform | LogUniform), "parents have a few values"
    *others, last = [str(dimension.decode(unit_of(dimension, place))) for place in places]
    is_range = places[-1] - places[0] == len(places) - 1 and not isinstance(dimension, OneOf)
    if is_range and len(others) > 1:
        return f"from {others[0]} to {last}"
    return f"{', '.join(others)} or {last}" if others else last
