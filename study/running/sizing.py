"""Pick the size of a study that fits into a time, from how many runs end in a second."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from training_factors.storage.trials import Trial
from training_factors.study.running.settings import REPETITIONS, Preset

FIRST = Preset(measure=16, repeats=0, search=0)
"""The runs that every study begins with: the fewest rows that give an answer; they are timed."""

MAX_ROWS = 4096
"""Maximum number of rows; the page of a report has 0.7 KB of each."""

LEAST_REPEATS, ROWS_PER_REPEAT = 4, 16
"""Minimum number of repeated rows, and the number of rows for each of them, as in the presets."""

LEAST_SEARCH, MOST_SEARCH = 1 / 8, 2
"""Minimum and maximum number of searched runs, as a part of the rows; it is 1/4 in the presets.

Rows are powers of two, so they alone may leave more than half of the time; the search takes it.
"""

OVERTIME = 0.1
"""Part of the time by which rows may exceed it, so that a small delay does not unbalance them."""

START_S = 8.0
"""Seconds from the start of the program until its workers train: mostly imports."""

_ENDING_S = 9.0
_ROW_S, _FURTHER_ROW_S = 0.04, 0.01
_GAUSSIAN_PROCESS_ROWS = 512


class Stage(NamedTuple):
    """The next runs of a study with a limited time.

    size: of the study with them. seconds: time after which those that have not begun are left out.
    """

    size: Preset
    seconds: float


def analysis_s(rows: int) -> float:
    """Return about how many seconds the answer and its page take for this number of rows.

    Measured on two cores (benchmarks/results.md): 14 s for 128 rows, 29 for 512, 70 for 5,000; up
    to 512 rows a Gaussian process is fitted as well.
    """
    further = max(rows - _GAUSSIAN_PROCESS_ROWS, 0)
    return _ENDING_S + _ROW_S * (rows - further) + _FURTHER_ROW_S * further


def size_of(trials: Iterable[Trial]) -> Preset:
    """Return the size of what was begun so far: rows, rows with all repetitions, searched runs."""
    runs = {(trial.phase, trial.row, trial.repeat) for trial in trials}
    return Preset(
        measure=sum(phase == "measure" and repeat == 0 for phase, _, repeat in runs),
        repeats=sum(phase == "measure" and repeat == REPETITIONS for phase, _, repeat in runs),
        search=sum(phase == "search" for phase, _, _ in runs),
    )


def size_that_fits(seconds: float, pace: float, done: Preset) -> Preset | None:
    """Return the most rows, a power of two, that can be measured, repeated and analysed in time.

    The time for a search of an eighth of the rows is left. seconds: that are left. pace: runs per
    second of all workers. done: what was begun before. None when not even 16 rows fit.
    """
    for exponent in range(int(math.log2(MAX_ROWS)), int(math.log2(FIRST.measure)) - 1, -1):
        rows = 2**exponent
        size = Preset(rows, max(LEAST_REPEATS, rows // ROWS_PER_REPEAT), 0)
        searched = max(LEAST_SEARCH * rows - done.search, 0)
        needed = (_missing_runs(size, done) + searched) / pace
        if needed + analysis_s(max(rows, done.measure)) <= seconds:
            return size
    return None


def least_s(pace: float) -> float:
    """Return the seconds from the start of the program to the answer of the smallest study."""
    smallest = FIRST._replace(repeats=LEAST_REPEATS)
    runs = _missing_runs(smallest, Preset(0, 0, 0)) + LEAST_SEARCH * FIRST.measure
    return START_S + runs / pace + analysis_s(FIRST.measure)


def planned_size(seconds: float, pace: float) -> Preset | None:
    """Return the size of a new study that fits, with its search; None when not even 16 rows fit.

    seconds: from the start of the program to the answer. pace: runs per second of all workers.
    """
    left_s = seconds - START_S
    size = size_that_fits(left_s, pace, Preset(0, 0, 0))
    if size is None:
        return None
    left_s -= _missing_runs(size, Preset(0, 0, 0)) / pace
    return size._replace(search=_searched(left_s, pace, size))


def next_stage(
    done: Preset, left_s: float, total_s: float, pace: float | None, *, may_grow: bool
) -> Stage | None:
    """Return the next runs of a study with a limited time; None when it is over.

    First come 16 rows, then as many more as fit, then the search until the time is over.

    done: what was begun so far. left_s: seconds left of total_s. pace: runs per second of all
    workers; None before any were timed. may_grow: whether rows may be added; not once the search
    has begun, since its runs are pruned and say nothing about the time of others.
    """
    if left_s <= 0:
        return None
    if done.measure < FIRST.measure or pace is None:
        return Stage(FIRST, left_s)
    grown = size_that_fits(left_s, pace, done) if may_grow else None
    ending_s = analysis_s(done.measure)
    if grown is not None and _missing_runs(grown, done):
        ending_s = analysis_s(max(grown.measure, done.measure))
        return Stage(grown, left_s - ending_s + OVERTIME * total_s)
    searched = _searched(left_s, pace, done)
    if searched <= 0:
        return None
    return Stage(Preset(0, 0, done.search + searched), left_s - ending_s)


def describe_size(size: Preset) -> str:
    """Return a size in words: `64 configurations, 4 of them repeated, 31 searched`."""
    repeated = f", {size.repeats} of them repeated" if size.repeats else ""
    searched = f", {size.search} searched" if size.search else ""
    rows = "1 configuration" if size.measure == 1 else f"{size.measure} configurations"
    return f"{rows}{repeated}{searched}"


def describe_hours(hours: float) -> str:
    """Return a time in words: `0.5 hours`."""
    return f"{hours:g} hour{'' if hours == 1 else 's'}"


def _missing_runs(size: Preset, done: Preset) -> int:
    """Return the number of measured runs that a size has beyond what is done."""
    rows, repeats = size.measure - done.measure, size.repeats - done.repeats
    return max(rows, 0) + REPETITIONS * max(repeats, 0)


def _searched(left_s: float, pace: float, done: Preset) -> int:
    """Return the number of further searched runs for which there is time."""
    fitting = math.floor((left_s - analysis_s(done.measure)) * pace)
    return min(fitting, MOST_SEARCH * done.measure - done.search)
