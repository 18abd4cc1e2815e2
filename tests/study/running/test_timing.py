import pytest
from pydantic import ValidationError

from training_factors.study.running.settings import WorkerTiming


def test_grace_spans_some_heartbeats() -> None:
    WorkerTiming(heartbeat_s=10, grace_s=30)
    with pytest.raises(ValidationError, match="--grace 29 must be at least 3 times --heartbeat 10"):
        WorkerTiming(heartbeat_s=10, grace_s=29)


@pytest.mark.parametrize("field", ["heartbeat_s", "grace_s", "checkpoint_s", "retry_timeout_s"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_seconds_are_finite_and_not_negative(field: str, value: float) -> None:
    with pytest.raises(ValidationError):
        WorkerTiming(**{field: value})
