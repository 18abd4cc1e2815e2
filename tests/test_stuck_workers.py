"""Workers that stand still, are busy, fail or are asked to stop hold up nobody."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.support.fault_pools import FAULT_TESTS, goes_on, started
from tests.support.workers import (
    fake_training,
    kill,
    wait_until,
)
from training_factors.storage.owner import ProcessStatus, read_owner, status_of
from training_factors.storage.trials import read_trials
from training_factors.study.training.loop import Outcome

pytestmark = FAULT_TESTS


def slow_first(seconds: float) -> Callable[..., Outcome]:
    """Runs of which the study's first takes its time; all others are short."""
    quick, slow = fake_training(0.02), fake_training(seconds, epochs=int(seconds / 0.05))

    def train(*arguments: object, **named: object) -> Outcome:
        course = arguments[5].__self__  # type: ignore[attr-defined]
        is_first = course._trial.claim.run.row == 0 and course._trial.claim.attempt == 1
        return (slow if is_first else quick)(*arguments, **named)

    return train


def test_a_worker_that_stood_still_drops_its_run_and_lives(tmp_path: Path) -> None:
    study, pool = started(tmp_path, 200, slow_first(60))

    def slow() -> list[str]:
        return [h.claim.owner for h in study.queue.active_claims() if h.claim.run.row == 0]

    wait_until(lambda: bool(slow()))
    (owner,) = slow()
    pid = read_owner(owner).pid
    kill(pid, signal.SIGSTOP)
    wait_until(lambda: owner not in slow())
    assert status_of(read_owner(owner)) is ProcessStatus.STOPPED
    assert study.queue.progress()["measure"].waiting > 0
    kill(pid, signal.SIGCONT)
    pool.join()
    assert pool.exitcode == 0
    logs = [
        line
        for log in (tmp_path / "logs").iterdir()
        for line in log.read_text(encoding="utf-8").splitlines()
    ]
    assert len(logs) == 1 and "measure 0 was given to another worker" in logs[0]
    trials = [trial for trial in read_trials(study) if trial.row == 0]
    assert [trial.state for trial in trials] == ["COMPLETE"]


def test_a_worker_that_stands_still_for_ever_holds_up_nobody(tmp_path: Path) -> None:
    study, pool = started(tmp_path, 20, slow_first(60))
    wait_until(lambda: any(h.claim.run.row == 0 for h in study.queue.active_claims()))
    (owner,) = (h.claim.owner for h in study.queue.active_claims() if h.claim.run.row == 0)
    kill(read_owner(owner).pid, signal.SIGSTOP)
    pool.join(60)
    assert pool.exitcode == 0
    assert study.queue.progress()["measure"].done == 20
    assert status_of(read_owner(owner)) is ProcessStatus.ENDED


def test_a_worker_that_stands_still_in_a_transaction_holds_up_nobody(tmp_path: Path) -> None:
    """SQLite has one write lock for the whole file, and a stopped process keeps it."""
    quick = fake_training(0.02)

    def stops(*arguments: object, **named: object) -> Outcome:
        trial = arguments[5].__self__._trial  # type: ignore[attr-defined]
        if trial.claim.run.row == 3 and trial.claim.attempt == 1:
            with trial.study.database.engine.begin():
                os.kill(os.getpid(), signal.SIGSTOP)
        return quick(*arguments, **named)

    study, pool = started(tmp_path, 20, stops)
    pool.join(60)
    assert pool.exitcode == 0
    assert study.queue.progress()["measure"].done == 20


def test_whatever_a_model_raises_is_one_failed_run(tmp_path: Path) -> None:
    quick = fake_training(0.01)

    def picky(*arguments: object, **named: object) -> Outcome:
        if arguments[5].__self__._trial.claim.run.row % 3 == 0:  # type: ignore[attr-defined]
            raise KeyError("oops")
        return quick(*arguments, **named)

    study, pool = started(tmp_path, 15, picky, workers=1)
    pool.join()
    assert pool.exitcode == 0
    reasons = [t.attributes.get("reason") for t in read_trials(study) if t.state == "FAIL"]
    assert reasons == ["KeyError: 'oops'"] * 5


def test_a_busy_worker_keeps_its_run(tmp_path: Path) -> None:
    """Computing without a word, for many grace periods: the interpreter never gets its turn."""

    def busy(*arguments: object, **named: object) -> Outcome:
        sum(range(10**8))  # one call into C, about three seconds, all the while holding the lock
        return Outcome(0.5, {}, diverged=False, stopped=False, epochs=1)

    study, pool = started(tmp_path, 2, busy)
    pool.join()
    assert pool.exitcode == 0
    assert not any(log.read_text(encoding="utf-8") for log in (tmp_path / "logs").iterdir())
    assert len(read_trials(study)) == 2


def test_workers_are_asked_to_stop_from_elsewhere(tmp_path: Path) -> None:
    from training_factors.storage.stop_requests import request_stop

    study, pool = started(tmp_path, 400, fake_training(0.1, epochs=4))
    wait_until(lambda: study.queue.progress()["measure"].done > 3)
    request_stop(study)
    pool.join()
    assert pool.exitcode == 143
    progress = study.queue.progress()["measure"]
    assert progress.running == 0 and progress.waiting > 0
    again = goes_on(study, tmp_path)
    wait_until(lambda: study.queue.progress()["measure"].done > progress.done)
    kill(int(again.pid or 0), signal.SIGTERM)
    again.join()


def test_equal_failures_stop_the_study_with_the_reason(tmp_path: Path) -> None:
    def broken(*arguments: object, **named: object) -> Outcome:
        raise RuntimeError("cuBLAS is not there")

    study, pool = started(tmp_path, 100, broken)
    pool.join()
    assert pool.exitcode == 1
    words = "".join(log.read_text(encoding="utf-8") for log in (tmp_path / "logs").iterdir())
    assert "5 runs in a row failed: RuntimeError: cuBLAS is not there" in words
    progress = study.queue.progress()["measure"]
    assert 5 <= progress.done < 12 and progress.running == 0
