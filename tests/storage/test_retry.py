import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from training_factors.storage.database import Database, open_database
from training_factors.storage.retry import StorageUnavailableError, never_cancelled, retry


class FakeDatabase(NamedTuple):
    """A database that records how often its connections were closed."""

    retry_timeout_s: float
    closed: list[bool]
    url: str = "somewhere"
    is_cancelled: Callable[[], bool] = never_cancelled

    def close(self) -> None:
        self.closed.append(True)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace the clock by one that only `sleep` moves."""
    now = [100.0]
    monkeypatch.setattr("training_factors.storage.retry.time.monotonic", lambda: now[0])
    monkeypatch.setattr(
        "training_factors.storage.retry.time.sleep", lambda s: now.__setitem__(0, now[0] + s)
    )
    return now


def lost(message: str = "server closed the connection unexpectedly\n\tThis probably") -> DBAPIError:
    return OperationalError("SELECT", None, ConnectionError(message))


def wrapped(cause: Exception) -> StorageInternalError:
    """Wrap a database error as Optuna does."""
    error = StorageInternalError("e.g. exceeding max length")
    error.__cause__ = cause
    return error


def sqlite_error(name: str) -> DBAPIError:
    error = sqlite3.OperationalError("words of SQLite")
    error.sqlite_errorname = name
    return OperationalError("INSERT", None, error)


def failing(times: int, error: Exception) -> tuple[Callable[[bool], str], list[bool]]:
    calls: list[bool] = []

    def attempt(is_retry: bool) -> str:
        calls.append(is_retry)
        if len(calls) <= times:
            raise error
        return "done"

    return attempt, calls


@pytest.mark.parametrize("error", [lost(), wrapped(lost())])
def test_a_lost_connection_is_retried(time: list[float], error: Exception) -> None:
    attempt, calls = failing(4, error)
    database = FakeDatabase(60, [])
    assert retry(database, attempt) == "done"
    assert calls == [False, True, True, True, True]
    assert len(database.closed) == 4, "broken connections are closed"
    assert time[0] < 105


def test_the_retry_timeout_ends_the_retries(time: list[float]) -> None:
    attempt, _ = failing(10**6, lost())
    with pytest.raises(
        StorageUnavailableError, match="somewhere does not answer: server closed"
    ) as raised:
        retry(FakeDatabase(60, []), attempt)
    assert "\n" not in str(raised.value)
    assert 160 <= time[0] <= 166


def test_cancelling_ends_the_retries(time: list[float]) -> None:
    attempt, calls = failing(10**6, lost())
    with pytest.raises(StorageUnavailableError):
        retry(FakeDatabase(600, [], is_cancelled=lambda: time[0] > 101), attempt)
    assert 1 < len(calls) < 10


def test_without_a_timeout_nothing_is_retried(time: list[float]) -> None:
    attempt, calls = failing(10**6, lost())
    with pytest.raises(StorageUnavailableError):
        retry(FakeDatabase(0, []), attempt)
    assert calls == [False]


@pytest.mark.parametrize("name", ["SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_READONLY_DBMOVED"])
def test_permanent_errors_are_not_retried(time: list[float], name: str) -> None:
    attempt, calls = failing(10**6, sqlite_error(name))
    with pytest.raises(StorageUnavailableError, match="words of SQLite"):
        retry(FakeDatabase(600, []), attempt)
    assert len(calls) == 1


def test_a_conflict_is_retried_even_without_a_timeout(time: list[float]) -> None:
    class DeadlockError(Exception):
        sqlstate = "40P01"

    attempt, calls = failing(3, OperationalError("UPDATE", None, DeadlockError()))
    assert retry(FakeDatabase(0, []), attempt) == "done"
    assert calls == [False, True, True, True]


def test_other_errors_are_raised_at_once(time: list[float]) -> None:
    attempt, calls = failing(1, ProgrammingError("SELEC", None, ValueError("syntax")))
    with pytest.raises(ProgrammingError):
        retry(FakeDatabase(600, []), attempt)
    assert len(calls) == 1


def test_a_missing_server_is_retried_if_there_is_a_timeout() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"postgresql://me@127.0.0.1:{free.getsockname()[1]}/none"
    with pytest.raises(ValueError, match=r"cannot be opened.*refused"):
        open_database(url)
    with pytest.raises(StorageUnavailableError, match="refused"):
        open_database(url, retry_timeout_s=0.2)


def test_a_deleted_database_is_not_created_again(database: Database) -> None:
    path = Path(str(database.engine.url.database))
    database.close()
    path.unlink()

    def attempt(is_retry: bool) -> None:
        with database.engine.connect() as connection:
            connection.execute(text("SELECT * FROM studies"))

    with pytest.raises(StorageUnavailableError, match="unable to open"):
        retry(database, attempt)
    assert not path.exists()
