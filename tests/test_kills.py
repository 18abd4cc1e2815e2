"""Processes are killed: workers, their parent, and many at once; nothing is lost."""

import os
import signal
from pathlib import Path

from tests.support.fault_pools import FAULT_TESTS, assert_nothing_lost, sqlite_in, started
from tests.support.faults import (
    kill_repeatedly,
    start_simultaneously,
)
from tests.support.workers import (
    children_of,
    fake_training,
    kill,
    wait_until,
)
from training_factors.storage.run_queue import PhaseProgress
from training_factors.storage.trials import read_trials
from training_factors.study.training.loop import Outcome

pytestmark = FAULT_TESTS


def test_a_storm_of_kills_loses_nothing(fresh_url: str, tmp_path: Path) -> None:
    assert_nothing_lost(kill_repeatedly(fresh_url, tmp_path, kills=25, workers=4))


def test_kills_of_workers_that_are_started_anew_lose_nothing(tmp_path: Path) -> None:
    found = kill_repeatedly(sqlite_in(tmp_path), tmp_path, kills=2, workers=2, start="spawn")
    assert_nothing_lost(found)


def test_many_start_at_once_on_an_empty_database(fresh_url: str) -> None:
    assert start_simultaneously(fresh_url, workers=8) == 8


def test_killing_whatever_starts_the_workers_leaves_none_of_them(tmp_path: Path) -> None:
    study, pool = started(tmp_path, 400, fake_training(0.1, epochs=4))
    wait_until(lambda: study.queue.progress()["measure"].done > 3)
    orphans = children_of(pool)
    assert len(orphans) == 3
    kill(int(pool.pid or 0))
    pool.join()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans))
    assert study.queue.progress()["measure"].running == 0


def test_a_run_that_ends_its_workers_is_given_up(tmp_path: Path) -> None:
    quick = fake_training(0.01)

    def deadly(*arguments: object, **named: object) -> Outcome:
        if arguments[5].__self__._trial.claim.run.row in (1, 4):  # type: ignore[attr-defined]
            os.kill(os.getpid(), signal.SIGKILL)
        return quick(*arguments, **named)

    study, pool = started(tmp_path, 30, deadly)
    pool.join()
    assert pool.exitcode == 0
    failed = [trial for trial in read_trials(study) if trial.state == "FAIL"]
    assert sorted(trial.row for trial in failed) == [1, 4]
    assert "its worker died, in attempt 4" in failed[0].attributes["reason"]
    assert study.queue.progress()["measure"].done == 30


def test_workers_that_crash_at_once_are_not_started_for_ever(tmp_path: Path) -> None:
    def crashing(*arguments: object, **named: object) -> Outcome:
        os._exit(11)

    study, pool = started(tmp_path, 100, crashing)
    pool.join()
    assert pool.exitcode == 1
    assert study.queue.progress() == {"measure": PhaseProgress(waiting=100)}
