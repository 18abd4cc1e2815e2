"""The size of a study with a limited time: simulated stages, with runs that take a known time."""

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from training_factors.study.running.settings import PRESETS, REPETITIONS, Preset
from training_factors.study.running.sizing import (
    FIRST,
    MAX_ROWS,
    START_S,
    analysis_s,
    least_s,
    next_stage,
    planned_size,
    size_that_fits,
)

NOTHING = Preset(0, 0, 0)


def simulate(
    total_s: float, run_s: float, *, pruned: float = 1.0, done: Preset = NOTHING
) -> tuple[Preset, float]:
    """Return the size and the seconds of a study whose runs take `run_s`, searched ones a part."""
    pace = 1 / run_s if done.measure else None
    now, may_grow = START_S, True
    while stage := next_stage(done, total_s - now, total_s, pace, may_grow=may_grow):
        size, until = stage.size, now + stage.seconds
        may_grow, began, before = size.search == 0, now, count(done)
        for part, cost in (("measure", 1.0), ("repeats", REPETITIONS), ("search", pruned)):
            wanted = getattr(size, part) - getattr(done, part)
            begun = min(max(wanted, 0), max(math.ceil((until - now) / (cost * run_s)), 0))
            done = done._replace(**{part: getattr(done, part) + begun})
            now += begun * cost * run_s
        assert count(done) > before
        pace = (count(done) - before) / (now - began)
    return done, now + analysis_s(done.measure)


def count(size: Preset) -> int:
    return size.measure + REPETITIONS * size.repeats + size.search


@given(
    total_s=st.floats(70, 40_000), run_s=st.floats(0.02, 2000), pruned=st.floats(0.5, 1.0),
)  # fmt: skip
def test_a_study_ends_within_a_fifth_of_its_time_with_balanced_rows(
    total_s: float, run_s: float, pruned: float
) -> None:
    assume(least_s(1 / run_s) < total_s)
    size, seconds = simulate(total_s, run_s, pruned=pruned)
    assert size.measure.bit_count() == 1 and size.measure >= FIRST.measure
    assert seconds <= 1.2 * total_s
    assert seconds >= 0.8 * total_s or size.search == 2 * MAX_ROWS
    assert size.repeats == max(4, size.measure // 16) and size.search >= 1


def test_too_short_a_time_ends_after_the_run_that_goes_on() -> None:
    size, seconds = simulate(100, 30)
    assert size.measure < FIRST.measure and size.search == 0
    assert seconds <= 100 + 30 + analysis_s(0)


def test_a_stored_study_goes_on_from_what_is_there() -> None:
    quick = PRESETS["quick"]
    size, seconds = simulate(300, 1.0, done=quick)
    assert size.measure == 256 and size.repeats == 16 and size.search > quick.search
    assert 240 <= seconds <= 360
    size, _ = simulate(200, 10, done=Preset(100, 4, 0))  # 128 rows do not fit: a search
    assert (size.measure, size.repeats) == (100, 4) and 10 < size.search < 20


@given(seconds=st.floats(30, 4000), pace=st.floats(0.01, 20))
def test_a_larger_size_would_not_fit(seconds: float, pace: float) -> None:
    size = size_that_fits(seconds, pace, NOTHING)
    larger = FIRST.measure if size is None else 2 * size.measure
    runs = larger + REPETITIONS * max(4, larger // 16) + larger / 8
    assert runs / pace + analysis_s(larger) > seconds or larger > MAX_ROWS


def test_a_plan_has_the_size_that_the_study_will_get() -> None:
    planned = planned_size(600, 2.0)
    assert planned is not None
    assert planned == simulate(600, 0.5)[0]
    assert planned_size(0.9 * least_s(2.0), 2.0) is None
    assert planned_size(least_s(2.0), 2.0) is not None
