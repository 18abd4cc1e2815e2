from itertools import pairwise

import pytest
from pydantic import ValidationError

from training_factors.study.running.settings import PRESETS, WorkerTiming, open_preset


def test_a_larger_preset_has_all_runs_of_a_smaller_one() -> None:
    sizes = [set(preset.runs()) for preset in PRESETS.values()]
    for smaller, larger in pairwise(sizes):
        assert smaller < larger


@pytest.mark.parametrize(("name", "runs"), [("smoke", 49), ("quick", 177), ("standard", 353)])
def test_runs_of_a_preset(name: str, runs: int) -> None:
    planned = list(open_preset(name).runs())
    assert len(planned) == len(set(planned)) == runs


def test_rows_take_the_place_of_those_of_the_preset() -> None:
    standard, larger = open_preset("standard"), open_preset("standard", rows=300)
    assert larger == standard._replace(measure=300)


def test_an_unknown_preset_is_refused_with_the_closest_name() -> None:
    with pytest.raises(ValueError, match="did you mean 'quick'"):
        open_preset("qick")


def test_the_grace_period_spans_several_heartbeats() -> None:
    WorkerTiming(heartbeat_s=10, grace_s=30)
    with pytest.raises(ValidationError, match="--grace 29 must be at least 3 times --heartbeat 10"):
        WorkerTiming(heartbeat_s=10, grace_s=29)


@pytest.mark.parametrize("field", ["heartbeat_s", "grace_s", "checkpoint_s", "retry_timeout_s"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_seconds_are_finite_and_not_negative(field: str, value: float) -> None:
    with pytest.raises(ValidationError):
        WorkerTiming(**{field: value})
