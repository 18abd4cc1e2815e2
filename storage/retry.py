"""Retry database calls: connection errors until a timeout, conflicts between transactions at once.

Every function of this package that talks to the database passes its work to `retry`.
"""

import time
from collections.abc import Callable
from random import SystemRandom
from typing import Protocol, TypeVar

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError

T = TypeVar("T")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 5.0
"""Pauses between two attempts, in seconds: the first one, and the limit of the doubled ones."""

MAX_CONFLICTS = 50
"""Maximum number of retries of a transaction that conflicts with others."""

NO_WAIT_S = 1.0
"""An SQLITE_BUSY within this many seconds is a conflict: SQLite did not wait for the other writer.

It does not when the transaction has read before it writes; else it waits for the busy timeout.
"""

JITTER = SystemRandom()
"""Random numbers for pauses, from the operating system: Python's global generator is seeded for a
run, whose model may draw from it."""

_PERMANENT = ("FULL", "IOERR", "READONLY", "CORRUPT", "NOTADB", "CANTOPEN", "ERROR", "PERM", "AUTH")
"""SQLite's error names, without SQLITE_, of errors that a retry cannot solve."""

_NOT_WRITABLE = ("42501", "25006", 1142, 1290, "SQLITE_READONLY")
"""Codes of writes by a user who may only read, and to a server that is read-only."""

_CONFLICT = ("40001", "40P01", 1205, 1213, "SQLITE_BUSY_SNAPSHOT")
"""Codes of deadlocks and serialization failures: PostgreSQL's, MySQL's and SQLite's."""


class StorageUnavailableError(ConnectionError):
    """The database did not answer within the retry timeout, or cannot be written."""


class ReadOnlyError(StorageUnavailableError):
    """This user may only read the database, or nobody may write to it."""


def never_cancelled() -> bool:
    """Return False: keep retrying until the timeout."""
    return False


class Retryable(Protocol):
    """A database whose calls can be retried."""

    @property
    def url(self) -> str:
        """URL for messages, without the password."""

    @property
    def retry_timeout_s(self) -> float:
        """Seconds to retry after a connection was lost; 0 gives up at the first error."""

    @property
    def is_cancelled(self) -> Callable[[], bool]:
        """Function that returns whether to stop retrying before the timeout."""

    def close(self) -> None:
        """Close all connections."""


def retry(database: Retryable, attempt: Callable[[bool], T]) -> T:
    """Call `attempt(is_retry)` until it succeeds, and return its result.

    is_retry: False in the first call. If True, an earlier call may have been committed although
    its answer was lost, so `attempt` has to check for that or be idempotent.

    Raises ReadOnlyError when the database may only be read, StorageUnavailableError when it cannot
    be written for another reason, or does not answer for longer than its retry timeout. All other
    errors are raised as they are.
    """
    lost_since: float | None = None
    pause, conflicts = FIRST_PAUSE_S, 0
    while True:
        began = time.monotonic()
        try:
            return attempt(lost_since is not None or conflicts > 0)
        except (DBAPIError, PendingRollbackError, StorageInternalError) as error:
            cause = _cause(error)
            is_conflict = _is_conflict(cause, time.monotonic() - began)
            if is_conflict and conflicts < MAX_CONFLICTS:
                conflicts += 1
                time.sleep(JITTER.uniform(0, FIRST_PAUSE_S))
                continue
            if _code(cause) in _NOT_WRITABLE:
                raise ReadOnlyError(
                    f"database {database.url} cannot be written: {first_line(error)}"
                ) from error
            if not is_connection_error(error):
                raise
            now = time.monotonic()
            lost_since = lost_since or now
            is_permanent = _is_permanent(cause)
            is_over = now - lost_since >= database.retry_timeout_s or database.is_cancelled()
            if is_permanent or is_over:
                problem = "cannot be used" if is_permanent else "does not answer"
                raise StorageUnavailableError(
                    f"database {database.url} {problem}: {first_line(error)}"
                ) from error
        database.close()
        time.sleep(JITTER.uniform(pause / 2, pause))
        pause = min(2 * pause, LONGEST_PAUSE_S)


def is_connection_error(error: BaseException) -> bool:
    """Return whether an error means that the database cannot be reached or cannot be written."""
    cause = _cause(error)
    if isinstance(cause, PendingRollbackError):
        return True
    if isinstance(cause, DBAPIError) and cause.connection_invalidated:
        return True
    return isinstance(cause, OperationalError | InterfaceError)


def is_full_or_busy(error: StorageUnavailableError) -> bool:
    """Return whether SQLite's disk is full or failing, or another program holds the file."""
    code = _code(_cause(error.__cause__ or error))
    return isinstance(code, str) and code.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY"))


def first_line(error: BaseException) -> str:
    """Return the first line of the database driver's message."""
    cause = _cause(error)
    original = getattr(cause, "orig", None) or cause
    message = original.args[-1] if original.args else str(original)
    lines = [line.strip() for line in str(message).splitlines() if line.strip()]
    return lines[0] if lines else type(original).__name__


def _cause(error: BaseException) -> BaseException:
    """Return the SQLAlchemy error inside Optuna's StorageInternalError."""
    if isinstance(error, StorageInternalError) and error.__cause__ is not None:
        return error.__cause__
    return error


def _code(error: BaseException) -> object:
    """Return the database's error code: a SQLSTATE, SQLite's error name, or MySQL's number."""
    original = getattr(error, "orig", None)
    code = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None)
    if code is None and original is not None and original.args:
        return original.args[0]
    return code


def _is_conflict(error: BaseException, elapsed_s: float) -> bool:
    """Return whether a transaction conflicts with another one, so that it can be retried at once.

    elapsed_s: seconds that the failed attempt took.
    """
    code = _code(error)
    return code in _CONFLICT or (code == "SQLITE_BUSY" and elapsed_s < NO_WAIT_S)


def _is_permanent(error: BaseException) -> bool:
    code = _code(error)
    if not isinstance(code, str) or not code.startswith("SQLITE_"):
        return False
    return code.removeprefix("SQLITE_").split("_")[0] in _PERMANENT
