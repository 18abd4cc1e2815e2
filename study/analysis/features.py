"""How a configuration becomes a row of numbers that a surrogate can be fitted on.

A numeric hyperparameter is one column on its unit scale (its logarithm already taken), −1 where it is
inactive. A choice is one column per option, or a single one for two options; 0 where inactive.
Columns come from stored parameters (`encode`) or from points of the latent unit cube (`decode`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training_factors.search_spaces.description import Coordinate
from training_factors.search_spaces.dimension import Integer, OneOf, Varied

Array = NDArray[np.float64]
Groups = Mapping[str, tuple[int, ...]]
"""Name -> the latent axes that it owns. A group acts as one: its axes are drawn together."""


@dataclass(frozen=True)
class LatentAxis:
    """One latent coordinate. Where `parent` is given it acts under that axis' `option` only."""

    name: str
    factor: str
    dimension: Varied
    parent: int | None = None
    option: int = -1


@dataclass(frozen=True)
class Layout:
    """The latent axes of a space, in order."""

    axes: tuple[LatentAxis, ...]

    def encode(self, configurations: Iterable[Mapping[str, Any]]) -> Array:
        """Features of stored parameters, the active ones only: (configurations, columns)."""
        rows = [
            np.concatenate([_encoded(axis, parameters) for axis in self.axes])
            for parameters in configurations
        ]
        return np.array(rows, dtype=np.float64)

    def decode(self, units: Array) -> Array:
        """Features of points of the unit cube: (points, axes) -> (points, columns)."""
        chosen: dict[int, NDArray[np.int64]] = {}
        columns = []
        for i, (axis, unit) in enumerate(zip(self.axes, units.T, strict=True)):
            active = axis.parent is None or chosen[axis.parent] == axis.option
            if isinstance(axis.dimension, OneOf):
                chosen[i] = _slot(unit, len(axis.dimension.choices))
                shown = one_hot(chosen[i], len(axis.dimension.choices))
                columns.append(np.where(np.reshape(active, (-1, 1)), shown, 0.0))
            else:
                columns.append(np.where(active, _settled(axis.dimension, unit), -1.0)[:, None])
        return np.concatenate(columns, axis=1)

    def columns(self, groups: Groups) -> dict[str, tuple[int, ...]]:
        """The columns of features that belong to each group."""
        ends = np.cumsum([_width(axis.dimension) for axis in self.axes])
        spans = [range(end - _width(axis.dimension), end) for axis, end in
                 zip(self.axes, ends, strict=True)]  # fmt: skip
        return {
            name: tuple(column for i in owned for column in spans[i])
            for name, owned in groups.items()
        }

    def factors(self) -> Groups:
        """Every factor with the axes that it owns, in order."""
        return self.groups({axis.factor: axis.factor for axis in self.axes})

    def groups(self, names: Mapping[str, str]) -> Groups:
        """Groups of factors, such as topics: `names` maps a factor to the group it belongs to."""
        owned: dict[str, list[int]] = {}
        for i, axis in enumerate(self.axes):
            owned.setdefault(names[axis.factor], []).append(i)
        return {name: tuple(axes) for name, axes in owned.items()}


def read_layout(coordinates: Sequence[Coordinate]) -> Layout:
    """The layout of a described space's coordinates. Raises ValueError for one that is fixed."""
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
        index = parent.choices.index(option)
        axes.append(LatentAxis(name, factor, dimension, choices[factor], index))
    return Layout(tuple(axes))


def one_hot(chosen: NDArray[np.int64], count: int) -> Array:
    """A column per choice; a single one for two choices, none for one."""
    shown = np.arange(count) if count > 2 else np.arange(1, count)
    columns: Array = (chosen[:, None] == shown).astype(np.float64)
    return columns


def _width(dimension: Varied) -> int:
    """How many columns a dimension takes."""
    if not isinstance(dimension, OneOf):
        return 1
    count = len(dimension.choices)
    return count if count > 2 else count - 1


def _encoded(axis: LatentAxis, parameters: Mapping[str, Any]) -> Array:
    dimension, active = axis.dimension, axis.name in parameters
    if not isinstance(dimension, OneOf):
        return np.array([dimension.encode(parameters[axis.name]) if active else -1.0])
    index = dimension.choices.index(parameters[axis.name]) if active else -1
    shown = one_hot(np.array([index]), len(dimension.choices))[0]
    return shown if active else np.zeros_like(shown)


def _settled(dimension: Varied, unit: Array) -> Array:
    """What `encode(decode(unit))` gives: a whole number stands in the middle of its share."""
    if not isinstance(dimension, Integer):
        return unit
    count = dimension.high - dimension.low + 1
    return (_slot(unit, count) + 0.5) / count


def _slot(unit: Array, count: int) -> NDArray[np.int64]:
    return np.minimum((unit * count).astype(np.int64), count - 1)
