"""Open a database of studies: check its URL, create its tables, and set up its connections.

SQLite's pragmas and SQLAlchemy's engines are known here and in `urls` alone.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from sqlalchemy import Connection, Engine, Index, Table, create_engine, event, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DatabaseError, NoSuchModuleError

from training_factors.storage.bulk_reads import BulkReadStorage
from training_factors.storage.files import check_parent, network_filesystem
from training_factors.storage.retry import (
    ReadOnlyError,
    StorageUnavailableError,
    first_line,
    is_connection_error,
    is_full_or_busy,
    never_cancelled,
    retry,
)
from training_factors.storage.urls import (
    DEFAULT_URL,
    engine_options,
    hide_password,
    missing_driver,
    read_url,
    remedy,
)

RETRY_TIMEOUT_S = 600.0
"""Default retry timeout of workers, in seconds, when the database does not answer."""

_STUDIES, _VERSION_INFO = "studies", "version_info"
"""Tables that tell Optuna's databases from those of other programs that have `studies` as well."""

_MAX_CREATIONS = 40
"""Maximum number of attempts to create Optuna's tables while other workers create them too."""

_CREATION_PAUSE_S = 0.05
"""Seconds between two attempts to create Optuna's tables."""


class Database(NamedTuple):
    """An open database.

    url: for messages, without the password. engine: of SQLAlchemy, for tables of this package.
    storage: Optuna's. retry_timeout_s: seconds to retry when the database does not answer.
    is_cancelled: called between retries; returns whether to give up before the timeout.
    is_read_only: whether it is an SQLite file that cannot be written, on a read-only mount for
    instance.
    """

    url: str
    engine: Engine
    storage: RDBStorage
    retry_timeout_s: float = 0.0
    is_cancelled: Callable[[], bool] = never_cancelled
    is_read_only: bool = False

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self.storage.scoped_session.remove()
        self.engine.dispose()


class NoDatabaseError(FileNotFoundError):
    """There is no database at this URL yet, or it holds no study."""


class _UnopenedDatabase(NamedTuple):
    """A database that is being opened, with the settings of its retries."""

    url: str
    retry_timeout_s: float
    is_cancelled: Callable[[], bool]

    def close(self) -> None:
        """Do nothing, since there are no connections yet."""


def open_database(
    url: str,
    *,
    create: bool = False,
    reading: bool = False,
    retry_timeout_s: float = 0.0,
    is_cancelled: Callable[[], bool] = never_cancelled,
) -> Database:
    """Open the database at an SQLAlchemy URL. Optuna logs warnings and errors alone from then on.

    create: create the database if missing, and the folder of the default one. reading: do not lock
    SQLite's file for writing at the start of each transaction. retry_timeout_s, is_cancelled: see
    `Database`.

    Raises ValueError for a URL that cannot be used, NoDatabaseError if there is no database and
    create is False, StorageUnavailableError if it does not answer within the retry timeout.
    """
    parsed = read_url(url)
    # Only workers have a retry timeout, and workers do not fork.
    is_sqlite = parsed.get_backend_name() == "sqlite"
    if is_sqlite:
        _check_file(parsed, create)
    is_read_only = is_sqlite and _is_read_only(Path(parsed.database or ""), reading)
    options = engine_options(parsed, may_fork=retry_timeout_s == 0, is_read_only=is_read_only)
    unopened = _UnopenedDatabase(hide_password(url), retry_timeout_s, is_cancelled)

    def attempt(is_retry: bool) -> RDBStorage:
        try:
            return _connect(parsed, options, create)
        except (ImportError, NoSuchModuleError):
            raise ValueError(missing_driver(parsed)) from None

    try:
        storage = retry(unopened, attempt)
    except StorageUnavailableError as error:
        if retry_timeout_s or is_full_or_busy(error):
            raise
        # Without a retry timeout this is a user's mistake in the URL, not an outage.
        cause = error.__cause__ or error
        raise ValueError(
            f"database {unopened.url} cannot be opened: {first_line(cause)}; {remedy(parsed)}"
        ) from error
    except DatabaseError as error:
        raise ValueError(
            f"database {unopened.url} cannot be used: {first_line(error)}; {remedy(parsed)}"
        ) from error
    database = Database(
        unopened.url, storage.engine, storage, retry_timeout_s, is_cancelled, is_read_only
    )
    if is_sqlite and not is_read_only:
        _configure_sqlite(database, reading)
    return database


def open_other_storage(url: str) -> RDBStorage:
    """Open the database of another program's Optuna studies to read them; nothing is changed.

    Raises ValueError for a URL that cannot be used and for tables of another version of Optuna,
    NoDatabaseError if there is no database.
    """
    parsed = read_url(url)
    if parsed.get_backend_name() == "sqlite":
        _check_file(parsed, create=False)
    try:
        return _connect(parsed, engine_options(parsed, may_fork=True), create=False)
    except (ImportError, NoSuchModuleError):
        raise ValueError(missing_driver(parsed)) from None
    except (DatabaseError, StorageInternalError) as error:
        raise ValueError(
            f"database {hide_password(url)} cannot be opened: {first_line(error)}; "
            "check the URL, and that its server runs"
        ) from error


def folder_of(database: Database) -> Path:
    """Return the folder for files of the database's studies.

    It is that of an SQLite file, if it can be written, else `runs` in the current folder.
    """
    url = database.engine.url
    if database.is_read_only:
        return Path("runs")
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(url.database).parent
    return Path("runs")


def lock_study(connection: Connection, study_id: int) -> None:
    """Lock a study's row until the transaction ends; SQLite's transactions are exclusive anyway."""
    studies = models.StudyModel.__table__
    connection.execute(
        select(studies.c.study_id).where(studies.c.study_id == study_id).with_for_update()
    )


def create_table(database: Database, table: Table) -> bool:
    """Create a table of this package and its indexes if missing; other processes may do so too.

    Returns whether the table is there, which it may not be in a read-only database.
    """
    if database.is_read_only:
        return inspect(database.engine).has_table(table.name)
    try:
        _create_table(database, table)
    except ReadOnlyError:
        return False
    return True


def _create_table(database: Database, table: Table) -> None:
    tables_and_indexes: list[Table | Index] = [table, *table.indexes]

    def attempt(is_retry: bool) -> None:
        for item in tables_and_indexes:
            try:
                item.create(database.engine, checkfirst=True)
            except DatabaseError:
                if item.name not in _existing_names(database.engine, table):
                    raise

    retry(database, attempt)


def _existing_names(engine: Engine, table: Table) -> set[str | None]:
    """Return the names of the table and of its indexes, of those that exist in the database."""
    inspector = inspect(engine)
    if not inspector.has_table(table.name):
        return set()
    return {table.name, *(index["name"] for index in inspector.get_indexes(table.name))}


def _check_file(url: URL, create: bool) -> None:
    """Check the file of an SQLite URL, and create it if missing and asked for.

    The folder of the default database is created with it; any other folder must exist.

    Raises ValueError for a path that cannot be used, NoDatabaseError for one without a database.
    """
    if not url.database or url.database == ":memory:":
        raise ValueError(
            "an in-memory database is lost when the process ends; use sqlite:///FILE.db"
        )
    path = Path(url.database)
    if path.is_dir():
        raise ValueError(f"database {str(path)!r} is a folder; name a file in it")
    filesystem = network_filesystem(path)
    if filesystem:
        raise ValueError(
            f"database {str(path)!r} is on {filesystem}, where SQLite's locks do not hold; "
            "use a local disk, or postgresql://USER@HOST/NAME"
        )
    # The file is not opened here: closing it would drop the locks that SQLite holds on it for this
    # process, and two processes could write at once.
    if path.is_file() and (create or path.stat().st_size > 0):
        return
    is_default = path == Path(str(make_url(DEFAULT_URL).database))
    if not is_default:
        check_parent(path)
    if not create:
        raise NoDatabaseError(
            f"there is no study yet in {str(path)!r}; start one with run, or name another --storage"
        )
    try:
        if is_default:
            path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise ValueError(
            f"database {str(path)!r} cannot be written ({error.strerror}); "
            "use --storage sqlite:///FOLDER/studies.db with a folder that can be written"
        ) from None


def _is_read_only(path: Path, reading: bool) -> bool:
    """Return whether an SQLite file, or the folder for its log, cannot be written.

    Raises ValueError if it is to be written, or if results are still in its write-ahead log, which
    can be read only where it can be written.
    """
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return False
    remedy = "copy it to a folder that can be written, and name the copy with --storage"
    if not reading:
        raise ValueError(f"database {str(path)!r} cannot be written; {remedy}")
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise ValueError(
            f"database {str(path)!r} cannot be written, and some of its results are in {log.name!r}"
            f" beside it; with that file, {remedy}"
        )
    return True


def _connect(url: URL, options: dict[str, Any], create: bool) -> RDBStorage:
    """Open Optuna's storage; create its tables if missing and asked for."""
    # Optuna passes the URL through str.format, which would replace braces.
    address = url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    is_ready = _has_tables(url, options, create)
    for attempt in range(_MAX_CREATIONS):
        try:
            return BulkReadStorage(
                address, engine_kwargs=dict(options), skip_table_creation=is_ready
            )
        except RuntimeError as error:
            address = url.render_as_string()
            if "storage upgrade" in str(error):
                raise ValueError(
                    "the database has tables of an older version of Optuna; upgrade them, while no "
                    f"worker runs: optuna storage upgrade --storage {address}"
                ) from error
            raise ValueError(
                f"database {address} has tables of a newer version of Optuna than the installed "
                f"{optuna.__version__}; pip install --upgrade optuna"
            ) from error
        except (DatabaseError, StorageInternalError) as error:
            # Another worker may create the same tables at this moment: try again.
            if attempt == _MAX_CREATIONS - 1 or (
                is_connection_error(error) and url.get_backend_name() != "sqlite"
            ):
                raise
            time.sleep(_CREATION_PAUSE_S)
    raise AssertionError("unreachable")


def _has_tables(url: URL, options: dict[str, Any], create: bool) -> bool:
    """Return whether all of Optuna's tables exist.

    Raises ValueError for another program's database, NoDatabaseError if no table exists and create
    is False.
    """
    engine = create_engine(url, **options)
    try:
        existing = set(inspect(engine).get_table_names())
    finally:
        engine.dispose()
    optuna_tables = {table.name for table in models.BaseModel.metadata.sorted_tables}
    has_other_studies = (
        _STUDIES in existing and _VERSION_INFO not in existing and not existing <= optuna_tables
    )
    has_other_tables = bool(existing) and not existing & optuna_tables
    # A server's database may be shared with other programs, an SQLite file is not.
    if has_other_studies or (has_other_tables and url.get_backend_name() == "sqlite"):
        raise ValueError(
            f"database {url.render_as_string()} is another program's database; name a new one"
        )
    if not existing & optuna_tables and not create:
        raise NoDatabaseError(
            f"there is no study yet in {url.render_as_string()}; start one with run"
        )
    return optuna_tables <= existing


def _configure_sqlite(database: Database, reading: bool) -> None:
    """Use a write-ahead log, and lock the file for writing at the start of each transaction.

    Without that lock (BEGIN IMMEDIATE) two processes could read a row before either writes it.
    """

    def on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA busy_timeout=60000")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    event.listen(database.engine, "connect", on_connect)
    event.listen(database.engine, "begin", on_begin)
    # Optuna has opened a connection already, which lacks these settings.
    database.close()
