"""Find hyperparameters whose best values crowd at an end of their range: it may be too narrow."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import irwinhall

from training_factors.search_spaces.description import SpaceDescription
from training_factors.search_spaces.dimension import Integer, LogUniform, Uniform, Value
from training_factors.storage.trials import Trial
from training_factors.study.analysis.features import Array
from training_factors.study.analysis.verdict import SIGNIFICANT

BEST_PART = 0.1
"""Part of the rows with a hyperparameter that count as the best ones."""

MIN_BEST = 8
"""Minimum number of best rows; a hyperparameter that fewer than twice as many have is not tested,
since most of its rows would be best ones."""

EDGE = 0.1
"""Part of a range, on its unit scale, that counts as its end."""

CROWDED = 2.5
"""Number of best rows at an end, per best row that would lie there by chance, from which on they
crowd there rather than lie in that half of the range."""

NEAR = 0.5
"""Part of a range, on its unit scale, next to an end, in which the value of the best run lies: one
in the other half contradicts that there is too little room."""

LOG_STEP = 10.0
"""Factor by which a logarithmic range is extended."""

LOG_LIMIT = 0.9
"""Highest bound to which a logarithmic range below it is extended, as it may be of a fraction."""

AnyRange = Uniform | LogUniform | Integer
"""A dimension whose range `--range` sets."""

_Row = tuple[Mapping[str, Value], float]


class RangeEdge(NamedTuple):
    """A hyperparameter whose best values crowd at an end of its range.

    is_high: whether it is the upper end. best: number of best rows. at_edge: how many of them lie
    in the outermost part of the range. p_value: corrected for the number of ends that were tested.
    extended: the range with more room beyond that end.
    """

    name: str
    dimension: AnyRange
    is_high: bool
    best: int
    at_edge: int
    p_value: float
    extended: AnyRange


def find_edges(trials: Sequence[Trial], space: SpaceDescription) -> tuple[RangeEdge, ...]:
    """Return the hyperparameters whose best values crowd at an end, the clearest first.

    Of the measured rows that have the hyperparameter the best tenth are looked at, at least
    `MIN_BEST`. Three conditions hold at an end that is reported:

    1. Their mean distance to it, on the unit scale, is significantly small. If the hyperparameter
       has no effect the distances are as good as independent and uniform, since the rows are
       designed, so that their sum has an Irwin-Hall distribution. (The rows of a Sobol sequence are
       more even than that, and so are the few values of a whole number: the test is conservative.)
       Bonferroni's correction is over all ends that are tested, so that at most 5 % of studies have
       a false alarm.
    2. The outermost tenth has at least 2.5 times as many of them as by chance: an optimum well
       inside the range draws the best values away from the middle as well.
    3. The best run that has the hyperparameter, searched ones included, has it in the half of the
       range next to the end. Searched values are not tested, as the search chose them by results.
    """
    rows = _measured_rows(trials)
    ends = [
        end
        for axis in space.coordinates
        if isinstance(axis.dimension, AnyRange) and axis.name != axis.factor
        for end in _ends_of(axis.name, axis.dimension, rows, trials)
    ]
    edges = [
        edge
        for end in ends
        if (edge := _crowded_edge(end, len(ends))) is not None and edge.p_value < SIGNIFICANT
    ]
    return tuple(sorted(edges, key=lambda edge: edge.p_value))


class _End(NamedTuple):
    """An end of a range that can be tested.

    distances: of the best rows to it, on the unit scale. best_run: distance of the best of all
    runs. extended: the range with more room there.
    """

    name: str
    dimension: AnyRange
    is_high: bool
    distances: Array
    best_run: float
    extended: AnyRange


def _ends_of(
    name: str, dimension: AnyRange, rows: Sequence[_Row], trials: Sequence[Trial]
) -> Iterator[_End]:
    """Yield those ends of a range that enough rows can test, and that are no natural limits."""
    with_it = [(value, parameters[name]) for parameters, value in rows if name in parameters]
    if len(with_it) < 2 * MIN_BEST:
        return
    units, best = _best_units(with_it, dimension), _best_unit(trials, name, dimension)
    for is_high in (False, True):
        extended = extended_range(dimension, is_high=is_high)
        if extended is not None:
            distances, best_run = (1 - units, 1 - best) if is_high else (units, best)
            yield _End(name, dimension, is_high, distances, best_run, extended)


def _crowded_edge(end: _End, tested: int) -> RangeEdge | None:
    """Return the edge if conditions 2 and 3 hold, with the p-value of condition 1.

    tested: number of ends that are tested.
    """
    edge, count = _edge_of(end.dimension), len(end.distances)
    at_edge = int((end.distances <= edge).sum())
    if end.best_run > max(NEAR, edge) or at_edge < min(1.0, CROWDED * edge) * count:
        return None
    p_value = min(1.0, tested * float(irwinhall(count).cdf(end.distances.sum())))
    return RangeEdge(end.name, end.dimension, end.is_high, count, at_edge, p_value, end.extended)


def extended_range(dimension: AnyRange, *, is_high: bool) -> AnyRange | None:
    """Return a range with more room beyond one end; None where that end is a natural limit.

    A logarithmic range gets a power of ten, another one half of its width. What lies between 0 and
    1 may be a fraction or a probability, so it stays there: 0 and 1 themselves are limits, and a
    bound below 1 moves halfway to 1 at most. A positive lower bound stays positive.
    """
    low, high = dimension.low, dimension.high
    if isinstance(dimension, LogUniform):
        if not is_high:
            return LogUniform(low / LOG_STEP, high)
        limit = LOG_LIMIT if high < LOG_LIMIT else math.inf
        return LogUniform(low, min(high * LOG_STEP, limit))
    if isinstance(dimension, Integer):
        step = math.ceil((high - low) / 2)
        lowest = min(low, 1) if low >= 0 else low - step
        extended = (low, high + step) if is_high else (max(low - step, lowest), high)
        return None if extended == (low, high) else Integer(*map(int, extended))
    if is_high:
        if low >= 0 and high == 1:
            return None
        limit = (high + 1) / 2 if low >= 0 and high < 1 else math.inf
        return Uniform(low, min(high + (high - low) / 2, limit))
    if low == 0:
        return None
    return Uniform(max(low - (high - low) / 2, low / 10 if low > 0 else -math.inf), high)


def _measured_rows(trials: Sequence[Trial]) -> list[_Row]:
    """Return parameters and mean objective of every measured row, as far as they are complete."""
    runs: dict[int, list[Trial]] = defaultdict(list)
    for trial in trials:
        if trial.phase == "measure" and trial.complete and trial.value is not None:
            runs[trial.row].append(trial)
    return [
        (of_row[0].parameters, float(np.mean([trial.value for trial in of_row])))
        for _, of_row in sorted(runs.items())
    ]


def _best_units(rows: Sequence[tuple[float, Value]], dimension: AnyRange) -> Array:
    """Return where the best rows lie on the unit scale. rows: objective and value of each."""
    count = max(MIN_BEST, math.ceil(BEST_PART * len(rows)))
    best = sorted(rows, key=lambda row: -row[0])[:count]
    return np.array([dimension.encode(value) for _, value in best])


def _best_unit(trials: Sequence[Trial], name: str, dimension: AnyRange) -> float:
    """Return where the best of all runs with a hyperparameter lies on its unit scale."""
    ended = ((t.value, t) for t in trials if t.complete and t.value is not None and t.is_comparable)
    chosen = ((v, t) for v, t in ended if name in t.parameters and t.phase != "baseline")
    _, best = max(chosen, key=lambda one: (one[0], -one[1].number))
    return dimension.encode(best.parameters[name])


def _edge_of(dimension: AnyRange) -> float:
    """Return the part of a range that counts as its end: a tenth, or one of few whole numbers."""
    if isinstance(dimension, Integer):
        return max(EDGE, 1 / (dimension.high - dimension.low + 1))
    return EDGE
