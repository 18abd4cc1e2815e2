"""Pools of workers that meet faults, and what tests of faults share: fixtures and checks."""

import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkProcess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.faults import Faults
from tests.support.servers import PostgresqlServer, fresh_database
from tests.support.workers import (
    children_of,
    create_short_study,
    kill,
    prepare_short_runs,
    replace_training,
    start_pool,
)
from training_factors.storage.studies import Study
from training_factors.study.running import trial_runner
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.training.loop import Outcome

QUICK = WorkerTiming(heartbeat_s=0.25, grace_s=0.75, checkpoint_s=0, retry_timeout_s=20)

FAULT_TESTS = [pytest.mark.slow, pytest.mark.usefixtures("no_processes_left", "restored_training")]
"""Marks of modules whose tests let processes fail."""


@pytest.fixture
def no_processes_left() -> Iterator[None]:
    """End the processes that a failed test has left."""
    yield
    for pool in multiprocessing.active_children():
        for pid in (*children_of(pool), int(pool.pid or 0)):
            kill(pid)
        pool.join()


@pytest.fixture
def restored_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove what stands in for training, once the test has ended."""
    monkeypatch.setattr("training_factors.study.running.trial_runner.train", trial_runner.train)  # type: ignore[attr-defined]
    monkeypatch.setattr("training_factors.study.running.worker.run_claim", trial_runner.run_claim)


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the URL of a new database of each kind that workers share."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/studies.db"
        return
    with fresh_database(request.getfixturevalue("postgresql")) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def server_to_stop() -> Iterator[PostgresqlServer]:
    """Yield a PostgreSQL server for the tests of a module alone."""
    with TemporaryDirectory(prefix="pg") as folder:
        opened = PostgresqlServer(Path(folder))
        yield opened
        opened.close()


@pytest.fixture
def own_postgresql(server_to_stop: PostgresqlServer) -> PostgresqlServer:
    """Return a running PostgreSQL server that a test may stop."""
    server_to_stop.start()
    return server_to_stop


def sqlite_in(folder: Path) -> str:
    return f"sqlite:///{folder}/studies.db"


def started(
    folder: Path, runs: int, train: Callable[..., Outcome] | None = None, workers: int = 2
) -> tuple[Study, ForkProcess]:
    """Return a study of this number of runs on SQLite, and a pool that works on it."""
    prepared = prepare_short_runs()
    study = create_short_study(sqlite_in(folder), prepared, runs)
    if train is not None:
        replace_training(train)
    study.database.close()
    return study, start_pool(sqlite_in(folder), prepared, folder, workers, QUICK)


def goes_on(study: Study, folder: Path) -> ForkProcess:
    """Return another pool that works on the same study."""
    study.database.close()
    return start_pool(sqlite_in(folder), prepare_short_runs(), folder, 2, QUICK)


def assert_nothing_lost(found: Faults) -> None:
    assert (found.lost, found.twice, found.running, found.waiting) == (0, 0, 0, 0)
    assert found.damaged == "ok"
    assert found.total >= found.logged > 0.9 * found.total
