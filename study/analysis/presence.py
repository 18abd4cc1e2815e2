"""Find out from trials under which condition each parameter is present.

An Optuna program suggests a parameter where it needs it: `momentum` when `optimizer` is `sgd`. The
study stores no such condition, but its trials show it: a parameter whose presence follows exactly
from the values of one or two others depends on these.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_PARENTS = 2
"""Largest number of parents whose values decide together whether a parameter is present."""

BY_CHANCE = 0.01
"""Largest probability that presence at random would follow as exactly from the parents' values, for
these to be taken as its reason: a parent that is different in every trial explains anything."""

Mask = NDArray[np.bool_]
"""Whether something holds in each trial: (trials,)."""


class Column(NamedTuple):
    """One parameter in every trial.

    present: whether the trial has it. places: the place of its value among all values that it can
    take, counted from 0; -1 where it is absent. None for real numbers, which decide nothing here.
    values: how many it can take. ordered: whether these are numbers.
    """

    present: Mask
    places: NDArray[np.int64] | None
    values: int
    ordered: bool


class Requirement(NamedTuple):
    """A parameter that must be present and have a value at one of some places."""

    parent: str
    places: tuple[int, ...]


class _Candidate(NamedTuple):
    """A parameter that may be the reason, or a part of it, for another one's presence.

    holds: in which trials it is present with a value that allows the other. seen: number of values
    that it takes. tail: whether those that allow the other are the largest or the smallest numbers.
    """

    requirement: Requirement
    holds: Mask
    present: Mask
    seen: int
    tail: bool

    @property
    def patterns(self) -> int:
        """The number of sets of values that could have been those which allow the other."""
        return 2 * self.seen if self.tail else 2**self.seen


def find_requirements(columns: Mapping[str, Column]) -> dict[str, tuple[Requirement, ...] | None]:
    """Return for every parameter what must hold for it to be present, all of it at once.

    Empty for parameters that every trial has; None where one or two others do not explain the
    presence. Requirements of a parent are not repeated: a parent must be present itself.
    """
    return {name: _requirements_of(name, columns) for name in columns}


def _requirements_of(name: str, columns: Mapping[str, Column]) -> tuple[Requirement, ...] | None:
    present = columns[name].present
    if present.all():
        return ()
    candidates = [
        candidate
        for parent, column in columns.items()
        if parent != name and (candidate := _candidate(parent, column, present)) is not None
    ]
    for size in range(1, MAX_PARENTS + 1):
        reasons = [
            (chance, reason)
            for reason in combinations(candidates, size)
            if (chance := _chance(reason, present)) <= BY_CHANCE
        ]
        if reasons:
            _, reason = min(reasons, key=lambda found: found[0])
            return tuple(candidate.requirement for candidate in reason)
    return None


def _candidate(parent: str, column: Column, present: Mask) -> _Candidate | None:
    """Return a parent whose values narrow down where another parameter is present, else None."""
    if column.places is None or (present & ~column.present).any():
        return None
    seen = np.unique(column.places[column.present])
    allowing = np.unique(column.places[present])
    if len(allowing) == len(seen):
        return None
    holds = np.isin(column.places, allowing) & column.present
    forbidding = np.setdiff1d(seen, allowing)
    tail = column.ordered and (
        bool(forbidding.max() < allowing.min()) or bool(allowing.max() < forbidding.min())
    )
    places = _whole_tail(allowing, forbidding, column.values) if tail else allowing
    requirement = Requirement(parent, tuple(places.tolist()))
    return _Candidate(requirement, holds, column.present, len(seen), tail)


def _whole_tail(
    allowing: NDArray[np.int64], forbidding: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Return all places on the allowing side, also those that no trial has."""
    if allowing.max() < forbidding.min():
        return np.arange(allowing.max() + 1)
    return np.arange(allowing.min(), count)


def _chance(reason: Sequence[_Candidate], present: Mask) -> float:
    """Return a bound of the probability that random presence would follow exactly from the reason.

    It is the number of patterns that the values can draw, over the number of ways to choose as many
    trials among those that have the parents. 1 where presence does not follow exactly.
    """
    holds = np.logical_and.reduce([candidate.holds for candidate in reason])
    if not np.array_equal(holds, present):
        return 1.0
    possible = np.logical_and.reduce([candidate.present for candidate in reason])
    patterns = prod(candidate.patterns for candidate in reason)
    ways = comb(int(possible.sum()), int(present.sum()))
    return patterns / ways if patterns < ways else 1.0
