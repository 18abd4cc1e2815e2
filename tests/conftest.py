"""Fixtures and marks for all tests: databases, and nothing of the user's."""

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import torch
from hypothesis import settings
from sqlalchemy import event
from sqlalchemy.pool import Pool

from tests.support import session
from tests.support.servers import (
    MYSQL,
    POSTGRESQL,
    PostgresqlServer,
    fresh_database,
    stop_postgresql,
)
from training_factors.storage.database import Database, open_database
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import Study, create_study

pytest_plugins = ["tests.support.browser", "tests.support.fault_pools"]

# The same examples in every run; a slow machine is no failure.
settings.register_profile("same", deadline=None, derandomize=True)
settings.load_profile("same")

# As a worker has it: two threads of a small network wait for each other most of the time.
torch.set_num_threads(1)

# The tests have a process per core, so each analysis and each study has one of them by default.
# Tests of several workers or processes say so.
os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")

SERVERS = {"postgresql", "mysql", "own_postgresql"}
"""Names of fixtures, and values of parameters, that stand for a database server."""

LONGEST = {"test_outages.py", "test_kills.py"}
"""Modules whose tests take most time; they begin first, so that none is alone at the end."""

FINISHED = {"finished", "finished_twice"}
"""Names of fixtures with a finished study, which takes more than 10 s."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder of the session, which the processes of pytest-xdist inherit."""
    if session.FOLDER not in os.environ:
        os.environ[session.FOLDER] = mkdtemp(prefix="study-tests-")
        config.add_cleanup(end_session)


def end_session() -> None:
    """Stop the server that an interrupted process left running, and delete the folder."""
    folder = Path(os.environ.pop(session.FOLDER))
    stop_postgresql(folder / "data")
    shutil.rmtree(folder)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the fixtures that they use; put long modules and many slow tests first.

    pytest-xdist runs the tests of a module in one process, in this order.
    """
    for item in items:
        used = {*getattr(item, "fixturenames", ())}
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        used |= {value for value in parameters.values() if isinstance(value, str)}
        if used & SERVERS:
            item.add_marker(pytest.mark.server)
        if "browser" in used:
            item.add_marker(pytest.mark.browser)
        if used & FINISHED:
            item.add_marker(pytest.mark.slow)
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: (item.path.name not in LONGEST, -slow[item.path]))


@pytest.fixture(autouse=True)
def own_surroundings(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Give each test a folder of its own as the current one; studies of servers keep files there.

    No test reads or fills the user's cache, or works on the user's study.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("STUDY_STORAGE", raising=False)
    monkeypatch.delenv("OPTUNA_STORAGE", raising=False)


_OPENED: list[Any] = []


@event.listens_for(Pool, "connect")
def _note(connection: Any, record: Any) -> None:
    _OPENED.append(connection)


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    """Verbs leave their connections to the end of the process, which a test does not come to."""
    yield
    while _OPENED:
        connection = _OPENED.pop()
        if type(connection).__module__.startswith("psycopg"):
            connection.close()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_database(f"sqlite:///{tmp_path}/studies.db", create=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Yield the URL of a PostgreSQL server that all processes of the session share."""
    named = os.environ.get(POSTGRESQL)
    if named:
        yield named
        return
    with session.session_lock("postgresql"):
        server = PostgresqlServer(session.session_folder())
    yield server.url
    with session.session_lock("postgresql"):
        server.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mysql"])
def any_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A database of every kind in turn, which the tests of a module share."""
    if request.param == "mysql" and MYSQL not in os.environ:
        pytest.skip(f"no MySQL server: name one in {MYSQL} as mysql://USER:PASSWORD@HOST/NAME")
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('any')}/studies.db"
        elif request.param == "postgresql":
            url = stack.enter_context(fresh_database(request.getfixturevalue("postgresql")))
        else:
            server = os.environ[MYSQL].replace("mysql://", "mysql+pymysql://")
            url = stack.enter_context(fresh_database(server))
        opened = open_database(url, create=True)
        yield opened
        opened.close()


@pytest.fixture
def any_study(any_database: Database, request: pytest.FixtureRequest) -> Study:
    """A study of its own in a database of every kind."""
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    return create_study(any_database, name, Stamp("accuracy", class_names=("Größe",)))
