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

from benchmarks import crews
from benchmarks.cold_start import cold_start
from benchmarks.crews import FORK, NAME, Faults, begin, children_of, examine, kill, start_crew
from benchmarks.kill_storm import storm
from benchmarks.outages import outage
from benchmarks.servers import OwnPostgresql, fresh_database
from storage.database import open_database
from storage.ledger import Progress
from storage.owner import Standing, read_owner, standing
from storage.studies import Study, load_study
from storage.tables import read_trials
from study.running import objective
from study.running.timing import Timing
from study.training.loop import Outcome

QUICK = Timing(heartbeat_s=0.25, grace_s=0.75, checkpoint_s=0, patience_s=20)


@pytest.fixture(autouse=True)
def own_crews() -> Iterator[None]:
    """No process outlives its test, should that fail."""
    yield
    for crew in multiprocessing.active_children():
        for pid in (*children_of(crew), int(crew.pid or 0)):
            kill(pid)
        crew.join()


@pytest.fixture(autouse=True)
def own_stubs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in for training here is gone afterwards."""
    monkeypatch.setattr("study.running.objective.train", objective.train)  # type: ignore[attr-defined]
    monkeypatch.setattr("study.running.worker.run", objective.run)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/studies.db"
        return
    with fresh_database(request.getfixturevalue("postgresql")) as fresh:
        yield fresh


def sqlite_in(folder: Path) -> str:
    return f"sqlite:///{folder}/studies.db"


def started(
    folder: Path, runs: int, train: Callable[..., Outcome] | None = None, workers: int = 2
) -> tuple[Study, ForkProcess]:
    """A study of so many runs on SQLite, and a crew at work on it."""
    prepared = crews.short_runs()
    study = begin(sqlite_in(folder), prepared, runs)
    if train is not None:
        crews.instead_of_training(train)
    study.database.close()
    return study, start_crew(sqlite_in(folder), prepared, folder, workers, QUICK)


def goes_on(study: Study, folder: Path) -> ForkProcess:
    """Another crew on the same study."""
    study.database.close()
    return start_crew(sqlite_in(folder), crews.short_runs(), folder, 2, QUICK)


def harmless(found: Faults) -> None:
    assert (found.lost, found.twice, found.running, found.waiting) == (0, 0, 0, 0)
    assert found.damaged == "ok"
    assert found.total >= found.logged > 0.9 * found.total


def test_a_storm_of_kills_loses_nothing(url: str, tmp_path: Path) -> None:
    harmless(storm(url, tmp_path, kills=40, workers=4))


def test_many_start_at_once_on_an_empty_database(url: str) -> None:
    assert cold_start(url, workers=8) == 8


def test_a_server_that_crashes_is_waited_for(tmp_path: Path) -> None:
    with TemporaryDirectory(prefix="pg") as folder:
        server = OwnPostgresql(Path(folder))
        code, found = outage(server, tmp_path, [0.5], "immediate")
        server.end()
    assert code == 0
    harmless(found)


def test_a_server_that_stays_away_ends_the_crew_resumable(tmp_path: Path) -> None:
    with TemporaryDirectory(prefix="pg") as folder:
        server = OwnPostgresql(Path(folder))
        with fresh_database(server.url) as url:
            prepared = crews.short_runs()
            begin(url, prepared, 200).database.close()
            crews.instead_of_training(crews.stub(0.1))
            crew = start_crew(
                url, prepared, tmp_path, 2, QUICK.model_copy(update={"patience_s": 1})
            )
            study = load_study(open_database(url), NAME)
            crews.wait_until(lambda: study.ledger.progress()["measure"].done > 3)
            study.database.close()
            server.stop("immediate")
            crew.join()
            assert crew.exitcode == 3
            server.start()
            done = study.ledger.progress()["measure"].done
            again = start_crew(url, prepared, tmp_path, 2, QUICK)
            crews.wait_until(lambda: study.ledger.progress()["measure"].done > done + 5)
            kill(int(again.pid or 0), signal.SIGTERM)
            again.join()
            assert again.exitcode == 143
            study.database.close()
        server.end()


def test_asked_to_stop_nobody_waits_for_a_database_that_is_away(tmp_path: Path) -> None:
    with TemporaryDirectory(prefix="pg") as folder:
        server = OwnPostgresql(Path(folder))
        with fresh_database(server.url) as url:
            prepared = crews.short_runs()
            study = begin(url, prepared, 200)
            crews.instead_of_training(crews.stub(0.2, epochs=4))
            study.database.close()
            crew = start_crew(
                url, prepared, tmp_path, 2, QUICK.model_copy(update={"patience_s": 600})
            )
            crews.wait_until(lambda: study.ledger.progress()["measure"].done > 3)
            study.database.close()
            server.stop("immediate")
            log = tmp_path / "logs"
            crews.wait_until(
                lambda: any("no heartbeats for now" in p.read_text() for p in log.iterdir())
            )
            kill(int(crew.pid or 0), signal.SIGINT)
            crew.join(20)
            assert crew.exitcode == 130
            server.start()
            study.database.close()
        server.end()


def slow_first(seconds: float) -> Callable[..., Outcome]:
    """Runs of which the study's first takes its time; all others are short."""
    quick, slow = crews.stub(0.02), crews.stub(seconds, epochs=int(seconds / 0.05))

    def train(*arguments: object, **named: object) -> Outcome:
        course = arguments[5].__self__  # type: ignore[attr-defined]
        is_first = course._trial.claim.run.row == 0 and course._trial.claim.attempt == 1
        return (slow if is_first else quick)(*arguments, **named)

    return train


def test_a_worker_that_stood_still_drops_its_run_and_lives(tmp_path: Path) -> None:
    study, crew = started(tmp_path, 200, slow_first(60))

    def slow() -> list[str]:
        return [h.claim.owner for h in study.ledger.running() if h.claim.run.row == 0]

    crews.wait_until(lambda: bool(slow()))
    (owner,) = slow()
    pid = read_owner(owner).pid
    kill(pid, signal.SIGSTOP)
    crews.wait_until(lambda: owner not in slow())
    assert standing(read_owner(owner)) is Standing.STOPPED
    assert study.ledger.progress()["measure"].waiting > 0
    kill(pid, signal.SIGCONT)
    crew.join()
    assert crew.exitcode == 0
    logs = [line for log in (tmp_path / "logs").iterdir() for line in log.read_text().splitlines()]
    assert len(logs) == 1 and "measure 0 was given to another worker" in logs[0]
    trials = [trial for trial in read_trials(study) if trial.row == 0]
    assert [trial.state for trial in trials] == ["COMPLETE"]


def test_a_worker_that_stands_still_for_ever_holds_up_nobody(tmp_path: Path) -> None:
    study, crew = started(tmp_path, 20, slow_first(60))
    crews.wait_until(lambda: any(h.claim.run.row == 0 for h in study.ledger.running()))
    (owner,) = (h.claim.owner for h in study.ledger.running() if h.claim.run.row == 0)
    kill(read_owner(owner).pid, signal.SIGSTOP)
    crew.join(60)
    assert crew.exitcode == 0
    assert study.ledger.progress()["measure"].done == 20
    assert standing(read_owner(owner)) is Standing.ENDED


def test_a_run_that_ends_its_workers_is_given_up(tmp_path: Path) -> None:
    quick = crews.stub(0.01)

    def deadly(*arguments: object, **named: object) -> Outcome:
        if arguments[5].__self__._trial.claim.run.row in (1, 4):  # type: ignore[attr-defined]
            os.kill(os.getpid(), signal.SIGKILL)
        return quick(*arguments, **named)

    study, crew = started(tmp_path, 30, deadly)
    crew.join()
    assert crew.exitcode == 0
    failed = [trial for trial in read_trials(study) if trial.state == "FAIL"]
    assert sorted(trial.row for trial in failed) == [1, 4]
    assert "its worker died, in attempt 4" in failed[0].attributes["reason"]
    assert study.ledger.progress()["measure"].done == 30


def test_whatever_a_model_raises_is_one_failed_run(tmp_path: Path) -> None:
    quick = crews.stub(0.01)

    def picky(*arguments: object, **named: object) -> Outcome:
        if arguments[5].__self__._trial.claim.run.row % 3 == 0:  # type: ignore[attr-defined]
            raise KeyError("oops")
        return quick(*arguments, **named)

    study, crew = started(tmp_path, 15, picky, workers=1)
    crew.join()
    assert crew.exitcode == 0
    reasons = [t.attributes.get("reason") for t in read_trials(study) if t.state == "FAIL"]
    assert reasons == ["KeyError: 'oops'"] * 5


def test_a_busy_worker_keeps_its_run(tmp_path: Path) -> None:
    """Computing without a word, for many grace periods: the interpreter never gets its turn."""

    def busy(*arguments: object, **named: object) -> Outcome:
        sum(range(10**8))  # one call into C, about three seconds, all the while holding the lock
        return Outcome(0.5, {}, diverged=False, stopped=False, epochs=1)

    study, crew = started(tmp_path, 2, busy)
    crew.join()
    assert crew.exitcode == 0
    assert not any(log.read_text() for log in (tmp_path / "logs").iterdir())
    assert len(read_trials(study)) == 2


def test_workers_are_asked_to_stop_from_elsewhere(tmp_path: Path) -> None:
    from storage.stops import ask_to_stop

    study, crew = started(tmp_path, 400, crews.stub(0.1, epochs=4))
    crews.wait_until(lambda: study.ledger.progress()["measure"].done > 3)
    ask_to_stop(study)
    crew.join()
    assert crew.exitcode == 143
    progress = study.ledger.progress()["measure"]
    assert progress.running == 0 and progress.waiting > 0
    again = goes_on(study, tmp_path)
    crews.wait_until(lambda: study.ledger.progress()["measure"].done > progress.done)
    kill(int(again.pid or 0), signal.SIGTERM)
    again.join()


def test_equal_failures_stop_the_study_with_the_reason(tmp_path: Path) -> None:
    def broken(*arguments: object, **named: object) -> Outcome:
        raise RuntimeError("cuBLAS is not there")

    study, crew = started(tmp_path, 100, broken)
    crew.join()
    assert crew.exitcode == 1
    words = "".join(log.read_text() for log in (tmp_path / "logs").iterdir())
    assert "5 runs in a row failed: RuntimeError: cuBLAS is not there" in words
    progress = study.ledger.progress()["measure"]
    assert 5 <= progress.done < 12 and progress.running == 0


def test_workers_that_crash_at_once_are_not_started_for_ever(tmp_path: Path) -> None:
    def crashing(*arguments: object, **named: object) -> Outcome:
        os._exit(11)

    study, crew = started(tmp_path, 100, crashing)
    crew.join()
    assert crew.exitcode == 1
    assert study.ledger.progress() == {"measure": Progress(waiting=100)}


def test_a_locked_database_is_waited_for(tmp_path: Path) -> None:
    study, crew = started(tmp_path, 100)
    crews.wait_until(lambda: study.ledger.progress()["measure"].done > 3)
    study.database.close()
    other = sqlite3.connect(tmp_path / "studies.db", isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    time.sleep(3 * QUICK.grace_s)  # longer than the silence that counts as an end
    other.execute("ROLLBACK")
    other.close()
    crew.join()
    assert crew.exitcode == 0
    harmless(examine(sqlite_in(tmp_path), tmp_path / "none")._replace(logged=100))
    assert not any(log.read_text() for log in (tmp_path / "logs").iterdir())


def test_a_full_disk_ends_the_crew_resumable(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk's end: SQLite is told the same."""
    import resource

    url = f"sqlite:///{tmp_path}/studies.db"
    prepared = crews.short_runs()
    study = begin(url, prepared, 160)
    study.database.close()

    def crew() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
        process = start_crew(url, prepared, tmp_path, 2, QUICK)
        process.join()
        os._exit(process.exitcode or 0)

    limited = FORK.Process(target=crew)
    limited.start()
    limited.join()
    assert limited.exitcode == 3
    found = examine(url, tmp_path / "none")
    assert (found.damaged, found.twice) == ("ok", 0)
    done = study.ledger.progress()["measure"].done
    assert 0 < done < 160
    again = goes_on(study, tmp_path)
    again.join()
    assert again.exitcode == 0
    harmless(examine(url, tmp_path / "none")._replace(logged=160))


def test_killing_whatever_starts_the_workers_leaves_none_of_them(tmp_path: Path) -> None:
    study, crew = started(tmp_path, 400, crews.stub(0.1, epochs=4))
    crews.wait_until(lambda: study.ledger.progress()["measure"].done > 3)
    orphans = children_of(crew)
    assert len(orphans) == 3
    kill(int(crew.pid or 0))
    crew.join()
    crews.wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans))
    assert study.ledger.progress()["measure"].running == 0
