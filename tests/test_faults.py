"""Faults, for real: processes killed and stopped, databases locked, full, and gone."""

import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkProcess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.faults import (
    Faults,
    find_faults,
    kill_repeatedly,
    start_simultaneously,
    stop_server_repeatedly,
)
from tests.support.servers import PostgresqlServer, fresh_database
from tests.support.workers import (
    FORK,
    NAME,
    children_of,
    create_short_study,
    fake_training,
    kill,
    prepare_short_runs,
    replace_training,
    start_pool,
    wait_until,
)
from training_factors.storage.database import open_database
from training_factors.storage.owner import ProcessStatus, read_owner, status_of
from training_factors.storage.run_queue import PhaseProgress
from training_factors.storage.studies import Study, load_study
from training_factors.storage.trials import read_trials
from training_factors.study.running import trial_runner
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.training.loop import Outcome

QUICK = WorkerTiming(heartbeat_s=0.25, grace_s=0.75, checkpoint_s=0, retry_timeout_s=20)

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_processes_left() -> Iterator[None]:
    """No process outlives its test, should that fail."""
    yield
    for pool in multiprocessing.active_children():
        for pid in (*children_of(pool), int(pool.pid or 0)):
            kill(pid)
        pool.join()


@pytest.fixture(autouse=True)
def restored_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in for training here is gone afterwards."""
    monkeypatch.setattr("training_factors.study.running.trial_runner.train", trial_runner.train)  # type: ignore[attr-defined]
    monkeypatch.setattr("training_factors.study.running.worker.run_claim", trial_runner.run_claim)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/studies.db"
        return
    with fresh_database(request.getfixturevalue("postgresql")) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    with TemporaryDirectory(prefix="pg") as folder:
        opened = PostgresqlServer(Path(folder))
        yield opened
        opened.close()


@pytest.fixture
def own_postgresql(server: PostgresqlServer) -> PostgresqlServer:
    """A PostgreSQL server that tests stop; it is running."""
    server.start()
    return server


def sqlite_in(folder: Path) -> str:
    return f"sqlite:///{folder}/studies.db"


def started(
    folder: Path, runs: int, train: Callable[..., Outcome] | None = None, workers: int = 2
) -> tuple[Study, ForkProcess]:
    """A study of so many runs on SQLite, and a pool at work on it."""
    prepared = prepare_short_runs()
    study = create_short_study(sqlite_in(folder), prepared, runs)
    if train is not None:
        replace_training(train)
    study.database.close()
    return study, start_pool(sqlite_in(folder), prepared, folder, workers, QUICK)


def goes_on(study: Study, folder: Path) -> ForkProcess:
    """Another pool on the same study."""
    study.database.close()
    return start_pool(sqlite_in(folder), prepare_short_runs(), folder, 2, QUICK)


def assert_nothing_lost(found: Faults) -> None:
    assert (found.lost, found.twice, found.running, found.waiting) == (0, 0, 0, 0)
    assert found.damaged == "ok"
    assert found.total >= found.logged > 0.9 * found.total


def test_a_storm_of_kills_loses_nothing(url: str, tmp_path: Path) -> None:
    assert_nothing_lost(kill_repeatedly(url, tmp_path, kills=25, workers=4))


def test_kills_of_workers_that_are_started_anew_lose_nothing(tmp_path: Path) -> None:
    found = kill_repeatedly(sqlite_in(tmp_path), tmp_path, kills=2, workers=2, start="spawn")
    assert_nothing_lost(found)


def test_many_start_at_once_on_an_empty_database(url: str) -> None:
    assert start_simultaneously(url, workers=8) == 8


def test_a_server_that_crashes_is_waited_for(
    own_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    code, found = stop_server_repeatedly(own_postgresql, tmp_path, [0.5], "immediate")
    assert code == 0
    assert_nothing_lost(found)


def test_workers_that_are_started_anew_wait_for_a_server(
    own_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    code, found = stop_server_repeatedly(
        own_postgresql, tmp_path, [0.5], "fast", workers=2, start="spawn"
    )
    assert code == 0
    assert_nothing_lost(found)


def test_a_server_that_stays_away_ends_the_pool_resumable(
    own_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    with fresh_database(own_postgresql.url) as url:
        prepared = prepare_short_runs()
        create_short_study(url, prepared, 200).database.close()
        replace_training(fake_training(0.1))
        pool = start_pool(
            url, prepared, tmp_path, 2, QUICK.model_copy(update={"retry_timeout_s": 1})
        )
        study = load_study(open_database(url), NAME)
        wait_until(lambda: study.queue.progress()["measure"].done > 3)
        study.database.close()
        own_postgresql.stop("immediate")
        pool.join()
        assert pool.exitcode == 3
        own_postgresql.start()
        done = study.queue.progress()["measure"].done
        again = start_pool(url, prepared, tmp_path, 2, QUICK)
        wait_until(lambda: study.queue.progress()["measure"].done > done + 5)
        kill(int(again.pid or 0), signal.SIGTERM)
        again.join()
        assert again.exitcode == 143
        study.database.close()


def test_asked_to_stop_nobody_waits_for_a_database_that_is_away(
    own_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    with fresh_database(own_postgresql.url) as url:
        prepared = prepare_short_runs()
        study = create_short_study(url, prepared, 200)
        replace_training(fake_training(0.2, epochs=4))
        study.database.close()
        pool = start_pool(
            url, prepared, tmp_path, 2, QUICK.model_copy(update={"retry_timeout_s": 600})
        )
        wait_until(lambda: study.queue.progress()["measure"].done > 3)
        study.database.close()
        own_postgresql.stop("immediate")
        log = tmp_path / "logs"
        wait_until(
            lambda: any(
                "no heartbeats for now" in p.read_text(encoding="utf-8") for p in log.iterdir()
            )
        )
        kill(int(pool.pid or 0), signal.SIGINT)
        pool.join(20)
        assert pool.exitcode == 130
        own_postgresql.start()
        study.database.close()


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


def test_workers_that_crash_at_once_are_not_started_for_ever(tmp_path: Path) -> None:
    def crashing(*arguments: object, **named: object) -> Outcome:
        os._exit(11)

    study, pool = started(tmp_path, 100, crashing)
    pool.join()
    assert pool.exitcode == 1
    assert study.queue.progress() == {"measure": PhaseProgress(waiting=100)}


def test_a_locked_database_is_waited_for(tmp_path: Path) -> None:
    study, pool = started(tmp_path, 100)
    wait_until(lambda: study.queue.progress()["measure"].done > 3)
    study.database.close()
    other = sqlite3.connect(tmp_path / "studies.db", isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    time.sleep(3 * QUICK.grace_s)  # longer than the silence that counts as an end
    other.execute("ROLLBACK")
    other.close()
    pool.join()
    assert pool.exitcode == 0
    assert_nothing_lost(find_faults(sqlite_in(tmp_path), tmp_path / "none")._replace(logged=100))
    assert not any(log.read_text(encoding="utf-8") for log in (tmp_path / "logs").iterdir())


def test_a_full_disk_ends_the_pool_resumable(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk's end: SQLite is told the same."""
    import resource

    url = f"sqlite:///{tmp_path}/studies.db"
    prepared = prepare_short_runs()
    study = create_short_study(url, prepared, 160)
    study.database.close()

    def pool() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
        process = start_pool(url, prepared, tmp_path, 2, QUICK)
        process.join()
        os._exit(process.exitcode or 0)

    limited = FORK.Process(target=pool)
    limited.start()
    limited.join()
    assert limited.exitcode == 3
    found = find_faults(url, tmp_path / "none")
    assert (found.damaged, found.twice) == ("ok", 0)
    done = study.queue.progress()["measure"].done
    assert 0 < done < 160
    again = goes_on(study, tmp_path)
    again.join()
    assert again.exitcode == 0
    assert_nothing_lost(find_faults(url, tmp_path / "none")._replace(logged=160))


def test_killing_whatever_starts_the_workers_leaves_none_of_them(tmp_path: Path) -> None:
    study, pool = started(tmp_path, 400, fake_training(0.1, epochs=4))
    wait_until(lambda: study.queue.progress()["measure"].done > 3)
    orphans = children_of(pool)
    assert len(orphans) == 3
    kill(int(pool.pid or 0))
    pool.join()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans))
    assert study.queue.progress()["measure"].running == 0
