"""Encode configurations as rows of numbers that a surrogate can be fitted on.

A numeric hyperparameter is one column on its unit scale (its logarithm is taken already), and −1
where it is inactive. A choice is one column per option, or a single column for two options, and 0
where it is inactive. Hyperparameters of one name share their column over the options of a factor:
what is common to all learning rates is then seen by all rows, not by those of one optimizer. Where
an option has a learning rate and a momentum, one more column is the step size that follows from
both, lr / (1 − momentum) (Goodfellow, Bengio & Courville, 2016, section 8.3.2). The columns are
computed from stored parameters (`Layout.encode`) or from points of the latent unit cube
(`Layout.decode`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training_factors.search_spaces.description import Coordinate, parse_parameter
from training_factors.search_spaces.dimension import (
    Integer,
    LogUniform,
    OneOf,
    Uniform,
    Value,
    Varied,
)
from training_factors.search_spaces.distribution import (
    AnyDimension,
    Discrete,
    LogInteger,
    Steps,
    count_values,
)

Array = NDArray[np.float64]

Features = NDArray[np.float32]
"""Encoded configurations, (rows, columns), in the precision that scikit-learn's trees read."""

Groups = Mapping[str, tuple[int, ...]]
"""Name -> numbers of the latent axes that it owns. A group acts as one: its axes are always drawn
together."""

Blocks = Sequence[tuple[int, ...]]
"""The numbers of the feature columns of every group."""

MAX_MOMENTUM = 0.999
"""Momentum above which the step size is not taken to grow: it would be infinite at 1."""

INACTIVE = -1.0
"""The column of a numeric hyperparameter whose option is not chosen; active ones lie in [0, 1]."""


class Condition(NamedTuple):
    """A condition for an axis to be active: another axis is active and has one of some values.

    parent: the number of the other axis, which comes before. slots: the places of the values among
    those of its dimension, counted from 0.
    """

    parent: int
    slots: tuple[int, ...]


@dataclass(frozen=True)
class LatentAxis:
    """One axis of the latent unit cube.

    conditions: all must hold for the axis to be active; without any it always is. shared: the name
    under which it shares columns with axes of the same factor and parent, at most one of which is
    active; None when it shares none.
    """

    name: str
    factor: str
    dimension: AnyDimension
    conditions: tuple[Condition, ...] = ()
    shared: str | None = None


class _Rates(NamedTuple):
    """The axes of an option's learning rate and momentum; None without a momentum."""

    lr: int
    momentum: int | None = None


@dataclass(frozen=True)
class Layout:
    """The latent axes of a space, in order, and the columns that encode them."""

    axes: tuple[LatentAxis, ...]

    def encode(self, configurations: Iterable[Mapping[str, Value]]) -> Array:
        """Encode stored parameters, which are the active ones only: (configurations, columns)."""
        rows = [
            np.concatenate(
                [
                    *(self._encode_pool(pool, parameters) for pool in self._pools),
                    *(self._encode_step(step, parameters) for step in self._steps),
                ]
            )
            for parameters in configurations
        ]
        return np.array(rows, dtype=np.float64)

    def decode(self, units: Array) -> Array:
        """Encode points of the latent unit cube: (points, axes) -> (points, columns)."""
        chosen: dict[int, NDArray[np.int64]] = {}
        encoded: list[Array] = []
        active: list[NDArray[np.bool_]] = []
        for i, (axis, unit) in enumerate(zip(self.axes, units.T, strict=True)):
            is_active = np.ones(unit.shape, dtype=np.bool_)
            for parent, slots in axis.conditions:
                is_active &= active[parent][:, 0] & np.isin(chosen[parent], slots)
            active.append(is_active[:, None])
            if not isinstance(axis.dimension, Uniform | LogUniform):
                chosen[i] = _slot(axis.dimension, unit)
            if isinstance(axis.dimension, OneOf):
                encoded.append(one_hot(chosen[i], len(axis.dimension.choices)))
            else:
                encoded.append(_round_trip(axis.dimension, unit)[:, None])
        columns = []
        for pool in self._pools:
            inactive = _inactive(self.axes[pool[0]].dimension)
            # At most one axis of a pool is active: they belong to different options.
            columns.append(
                np.select([active[i] for i in pool], [encoded[i] for i in pool], inactive)
            )
        for step in self._steps:
            sizes = [self._step_size(rates, encoded) for rates in step]
            columns.append(np.select([active[rates.lr] for rates in step], sizes, INACTIVE))
        return np.concatenate(columns, axis=1)

    def columns(self, groups: Groups) -> dict[str, tuple[int, ...]]:
        """Return the numbers of the feature columns that belong to each group."""
        owners = [*self._pools, *(tuple(rates.lr for rates in step) for step in self._steps)]
        widths = [_width(self.axes[axes[0]].dimension) for axes in owners]
        ends = np.cumsum(widths)
        spans = [range(end - width, end) for width, end in zip(widths, ends, strict=True)]
        return {
            name: tuple(
                column
                for pool, span in zip(owners, spans, strict=True)
                if not set(pool).isdisjoint(axes)
                for column in span
            )
            for name, axes in groups.items()
        }

    def blocks(self, groups: Groups) -> Blocks:
        """Return the numbers of the feature columns of each group, without its name."""
        return tuple(self.columns(groups).values())

    @cached_property
    def _pools(self) -> tuple[tuple[int, ...], ...]:
        """The axes that share columns: hyperparameters of one name and kind, of one factor."""
        pools: dict[object, list[int]] = {}
        for i, axis in enumerate(self.axes):
            choices = axis.dimension.choices if isinstance(axis.dimension, OneOf) else None
            parents = tuple(condition.parent for condition in axis.conditions)
            own = (axis.factor, parents, axis.shared, choices)
            pools.setdefault(axis.name if axis.shared is None else own, []).append(i)
        return tuple(tuple(pool) for pool in pools.values())

    @cached_property
    def _steps(self) -> tuple[tuple["_Rates", ...], ...]:
        """The learning rates of each factor that has an option with a momentum as well."""
        by_factor: dict[str, dict[object, dict[str, int]]] = {}
        for i, axis in enumerate(self.axes):
            is_rate = axis.shared == "lr" and isinstance(axis.dimension, LogUniform)
            is_momentum = axis.shared == "momentum" and isinstance(axis.dimension, Uniform)
            if is_rate or is_momentum:
                options = by_factor.setdefault(axis.factor, {})
                options.setdefault(axis.conditions, {})[str(axis.shared)] = i
        return tuple(
            tuple(_Rates(**found) for found in options.values() if "lr" in found)
            for options in by_factor.values()
            if any(len(found) == 2 for found in options.values())
        )

    def _encode_step(self, step: Sequence["_Rates"], parameters: Mapping[str, Value]) -> Array:
        """Return the column of a step size for one configuration: (1,)."""
        for rates in step:
            if self.axes[rates.lr].name in parameters:
                encoded = {
                    i: _encode(self.axes[i].dimension, parameters[self.axes[i].name])
                    for i in (rates.lr, rates.momentum)
                    if i is not None
                }
                return self._step_size(rates, encoded)
        return np.array([INACTIVE])

    def _step_size(self, rates: "_Rates", encoded: Mapping[int, Array] | Sequence[Array]) -> Array:
        """Return log(lr / (1 − momentum)), stretched from the option's range to [0, 1].

        encoded: the columns of each axis.
        """
        if rates.momentum is None:
            return encoded[rates.lr]
        rate, momentum = self.axes[rates.lr].dimension, self.axes[rates.momentum].dimension
        assert isinstance(rate, LogUniform) and isinstance(momentum, Uniform)
        value = momentum.low + encoded[rates.momentum] * (momentum.high - momentum.low)
        low, gain, high = (
            -np.log1p(-np.minimum(one, MAX_MOMENTUM))
            for one in (momentum.low, value, momentum.high)
        )
        width = np.log(rate.high / rate.low)
        size: Array = (encoded[rates.lr] * width + gain - low) / (width + high - low)
        return size

    def _encode_pool(self, pool: Sequence[int], parameters: Mapping[str, Value]) -> Array:
        """Return the columns of a pool for one configuration: (width,)."""
        dimension = self.axes[pool[0]].dimension
        for i in pool:
            if self.axes[i].name in parameters:
                return _encode(self.axes[i].dimension, parameters[self.axes[i].name])
        return np.full(_width(dimension), _inactive(dimension))

    def factors(self) -> Groups:
        """Return every factor with the axes that it owns, in order."""
        return self.groups({axis.factor: axis.factor for axis in self.axes})

    def groups(self, names: Mapping[str, str]) -> Groups:
        """Return groups of factors, such as topics. names: factor -> group that it belongs to."""
        groups: dict[str, list[int]] = {}
        for i, axis in enumerate(self.axes):
            groups.setdefault(names[axis.factor], []).append(i)
        return {name: tuple(axes) for name, axes in groups.items()}


def read_layout(coordinates: Sequence[Coordinate]) -> Layout:
    """Return the layout of a described space's coordinates.

    Raises ValueError for a coordinate that does not vary.
    """
    axes: list[LatentAxis] = []
    choices: dict[str, int] = {}
    for i, (name, factor, option, dimension) in enumerate(coordinates):
        if not isinstance(dimension, Varied):
            raise ValueError(f"{name} does not vary: {dimension}")
        if name == factor:
            choices[factor] = i
        if option is None:
            axes.append(LatentAxis(name, factor, dimension))
            continue
        parent = axes[choices[factor]].dimension
        assert isinstance(parent, OneOf), f"{factor} has options, so it is a choice"
        chosen = Condition(choices[factor], (parent.choices.index(option),))
        shared = parse_parameter(name).hyperparameter
        axes.append(LatentAxis(name, factor, dimension, (chosen,), shared))
    return Layout(tuple(axes))


def one_hot(chosen: NDArray[np.int64], count: int) -> Array:
    """Return one indicator column per choice: a single one for two choices, none for one."""
    encoded_choices = np.arange(count) if count > 2 else np.arange(1, count)
    columns: Array = (chosen[:, None] == encoded_choices).astype(np.float64)
    return columns


def _width(dimension: AnyDimension) -> int:
    """Return the number of columns that encode a dimension."""
    if not isinstance(dimension, OneOf):
        return 1
    count = len(dimension.choices)
    return count if count > 2 else count - 1


def _inactive(dimension: AnyDimension) -> float:
    """Return the value of a dimension's columns where its option is not chosen."""
    return 0.0 if isinstance(dimension, OneOf) else INACTIVE


def _encode(dimension: AnyDimension, value: Value) -> Array:
    """Return the columns of a dimension for one value: (width,)."""
    if not isinstance(dimension, OneOf):
        return np.array([dimension.encode(value)])
    chosen = np.array([dimension.choices.index(value)])
    encoded: Array = one_hot(chosen, len(dimension.choices))[0]
    return encoded


def _round_trip(dimension: AnyDimension, unit: Array) -> Array:
    """Return `encode(decode(unit))`: a whole number lies in the middle of its slot."""
    if isinstance(dimension, LogInteger):
        values = dimension.low + _slot(dimension, unit)
        middles: Array = (np.log(values - 0.5) + np.log(values + 0.5)) / 2 - dimension.start
        return middles / dimension.width
    if not isinstance(dimension, Integer | Steps):
        return unit
    return (_slot(dimension, unit) + 0.5) / count_values(dimension)


def _slot(dimension: Discrete, unit: Array) -> NDArray[np.int64]:
    """Return the place, among the values of a dimension, of the value at each unit."""
    last = count_values(dimension) - 1
    if isinstance(dimension, LogInteger):
        values = np.rint(np.exp(dimension.start + unit * dimension.width))
        values = np.clip(values - dimension.low, 0, last)
    else:
        values = np.minimum(unit * (last + 1), last)
    slots: NDArray[np.int64] = values.astype(np.int64)
    return slots
