"""Waiting for a database that does not answer: what failed is tried again, up to a limit."""

import random
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError

T = TypeVar("T")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 5.0

CONFLICTS = 50
"""Attempts at a transaction that others keep getting in the way of."""

_PERMANENT = ("FULL", "IOERR", "READONLY", "CORRUPT", "NOTADB", "CANTOPEN", "ERROR", "PERM", "AUTH")
"""What SQLite says when trying again cannot help: SQLITE_FULL and its like."""

_CONFLICT = ("40001", "40P01", 1205, 1213, "SQLITE_BUSY_SNAPSHOT")
"""Deadlocks and their like: PostgreSQL's states, MySQL's numbers, SQLite's name."""


class StorageUnavailableError(ConnectionError):
    """What has to be written cannot be: no answer for longer than the limit, or a full disk."""


def never_cancelled() -> bool:
    """Go on waiting."""
    return False


class Retryable(Protocol):
    """A database that is waited for; retry_timeout_s: seconds, 0 to give up at once."""

    @property
    def url(self) -> str:
        """As it may be shown."""

    @property
    def retry_timeout_s(self) -> float:
        """How long to wait for an answer."""

    @property
    def is_cancelled(self) -> Callable[[], bool]:
        """Whether to wait no longer, whatever is left of the time."""

    def close(self) -> None:
        """Let go of all connections."""


def retry(database: Retryable, attempt: Callable[[bool], T]) -> T:
    """What `attempt(again)` gives; it is called again when the database was lost meanwhile.

    again: an earlier call may have been carried out without its answer arriving.

    Raises StorageLostError when the database stays lost for longer than its patience.
    """
    lost_since: float | None = None
    pause, conflicts = FIRST_PAUSE_S, 0
    while True:
        try:
            return attempt(lost_since is not None or conflicts > 0)
        except (DBAPIError, PendingRollbackError, StorageInternalError) as error:
            cause = _cause(error)
            if _is_conflict(cause) and conflicts < CONFLICTS:
                conflicts += 1
                time.sleep(random.uniform(0, FIRST_PAUSE_S))
                continue
            if not is_connection_error(error):
                raise
            now = time.monotonic()
            lost_since = lost_since or now
            is_permanent = _is_permanent(cause)
            is_over = now - lost_since >= database.retry_timeout_s or database.is_cancelled()
            if is_permanent or is_over:
                what = "cannot be used" if is_permanent else "does not answer"
                raise StorageUnavailableError(
                    f"storage {database.url} {what}: {first_line(error)}"
                ) from error
        database.close()
        time.sleep(random.uniform(pause / 2, pause))
        pause = min(2 * pause, LONGEST_PAUSE_S)


def is_connection_error(error: BaseException) -> bool:
    """Whether an error means that the database cannot be reached or cannot be written."""
    cause = _cause(error)
    if isinstance(cause, PendingRollbackError):
        return True
    if isinstance(cause, DBAPIError) and cause.connection_invalidated:
        return True
    return isinstance(cause, OperationalError | InterfaceError)


def is_out_of_space(error: StorageUnavailableError) -> bool:
    """Whether the database is the right one, but its disk is full or somebody else holds it."""
    code = _code(_cause(error.__cause__ or error))
    return isinstance(code, str) and code.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY"))


def first_line(error: BaseException) -> str:
    """The driver's own words, in one line."""
    cause = _cause(error)
    original = getattr(cause, "orig", None) or cause
    words = original.args[-1] if original.args else str(original)
    lines = [line.strip() for line in str(words).splitlines() if line.strip()]
    return lines[0] if lines else type(original).__name__


def _cause(error: BaseException) -> BaseException:
    """Optuna wraps what SQLAlchemy raised."""
    if isinstance(error, StorageInternalError) and error.__cause__ is not None:
        return error.__cause__
    return error


def _code(error: BaseException) -> object:
    original = getattr(error, "orig", None)
    state = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None)
    if state is None and original is not None and original.args:
        return original.args[0]
    return state


def _is_conflict(error: BaseException) -> bool:
    return _code(error) in _CONFLICT


def _is_permanent(error: BaseException) -> bool:
    code = _code(error)
    if not isinstance(code, str) or not code.startswith("SQLITE_"):
        return False
    return code.removeprefix("SQLITE_").split("_")[0] in _PERMANENT
