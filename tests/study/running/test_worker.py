import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import create_study
from training_factors.storage.trials import Trial
from training_factors.study.running import trial_runner
from training_factors.study.running.preparation import PreparedStudy, prepare_study
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.running.signals import StopSignal
from training_factors.study.running.worker import (
    FAILED,
    MAX_EQUAL_FAILURES,
    failure_limit_reached,
    open_context,
    work,
)


def trial(state: str, reason: str = "") -> Trial:
    attributes = {"reason": reason} if reason else {}
    return Trial(0, state, "measure", 0, 0, 0, {}, None, {}, {}, 1.0, attributes)


COMPLETE, WAITING = trial("COMPLETE"), trial("WAITING")
MEMORY, ERROR = trial("FAIL", "out of memory"), trial("FAIL", "ValueError: odd")


@pytest.mark.parametrize(
    ("trials", "words"),
    [
        ([], None),
        ([MEMORY] * 4, None),
        ([COMPLETE, *[MEMORY] * 5], "5 runs in a row failed: out of memory"),
        ([MEMORY] * 2 + [WAITING] + [MEMORY] * 3, "5 runs in a row"),
        ([MEMORY, MEMORY, ERROR, MEMORY, MEMORY], None),
        ([*[MEMORY] * 5, COMPLETE], None),
        (
            [MEMORY, COMPLETE, ERROR] * 6,
            "12 of the last 18 runs failed, most recently: ValueError: odd",
        ),
        ([MEMORY, COMPLETE] * 9, None),
        ([MEMORY, COMPLETE] * 10, "10 of the last 20 runs failed"),
        ([MEMORY, COMPLETE] * 5 + [COMPLETE] * 12, None),
    ],
)
def test_the_failure_limit(trials: list[Trial], words: str | None) -> None:
    reason = failure_limit_reached(trials)
    assert (reason is None) == (words is None)
    assert words is None or words in (reason or "")


@pytest.fixture(params=["UTC", "EAST-9", "WEST+9"])
def time_zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the test in UTC, and in time zones nine hours east and west of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(scope="module")
def prepared() -> PreparedStudy:
    return prepare_study(Definition(source="wine", space="small", epochs=1))


@pytest.mark.usefixtures("time_zone")
def test_failures_count_from_the_worker_s_start_in_every_time_zone(
    tmp_path: Path, prepared: PreparedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **named: object) -> None:
        raise RuntimeError("no cuBLAS")

    monkeypatch.setattr(trial_runner, "train", broken)
    database = open_database(f"sqlite:///{tmp_path}/studies.db", create=True)
    study = create_study(database, "mine", prepared.stamp())
    study.queue.add([Run("measure", row) for row in range(3 * MAX_EQUAL_FAILURES)])
    context = open_context(study, prepared, "cpu", 0, WorkerTiming())
    for start in (1, 2):
        assert work(study, context, StopSignal(None)) == FAILED
        # Failures before the second start do not count.
        assert study.queue.progress()["measure"].done == start * MAX_EQUAL_FAILURES
