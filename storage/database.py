"""Opening a study's database: the only place that knows engines and pragmas."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from sqlalchemy import Connection, Engine, Index, Table, create_engine, event, inspect, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, NoSuchModuleError

from training_factors.storage.bulk_reads import BulkReadStorage
from training_factors.storage.files import network_filesystem
from training_factors.storage.retry import (
    StorageUnavailableError,
    first_line,
    is_connection_error,
    is_out_of_space,
    never_cancelled,
    retry,
)
from training_factors.storage.urls import engine_options, read_url, remedy, shown, without_driver

RETRY_TIMEOUT_S = 600.0
"""Seconds that workers wait for a database that does not answer."""

optuna.logging.set_verbosity(optuna.logging.WARNING)  # we say ourselves what happens

_OPTUNA, _VERSIONS = "studies", "version_info"
"""Two tables by which a database of Optuna's is known."""

_MEETINGS = 40
"""Tries to make tables that other workers are making at the same moment."""


class Database(NamedTuple):
    """An open database.

    url: as it may be shown, the password hidden. engine: for tables of our own.
    storage: Optuna's. retry_timeout_s: how long to wait for it when it does not answer.
    is_cancelled: asked meanwhile; whether to wait no longer.
    """

    url: str
    engine: Engine
    storage: RDBStorage
    retry_timeout_s: float = 0.0
    is_cancelled: Callable[[], bool] = never_cancelled

    def close(self) -> None:
        """Let go of all connections; the next use opens new ones."""
        self.storage.scoped_session.remove()
        self.engine.dispose()


class NoDatabaseError(FileNotFoundError):
    """There is no database at this place yet, or no study in it."""


class _Unopened(NamedTuple):
    """A database that is waited for before it is open."""

    url: str
    retry_timeout_s: float
    is_cancelled: Callable[[], bool]

    def close(self) -> None:
        """There is nothing to let go of."""


def open_database(
    url: str,
    *,
    create: bool = False,
    reading: bool = False,
    retry_timeout_s: float = 0.0,
    is_cancelled: Callable[[], bool] = never_cancelled,
) -> Database:
    """Open the database at an SQLAlchemy URL.

    create: make it, with its folder, where there is none. reading: SQLite's transactions take no
    write lock before they write. retry_timeout_s, is_cancelled: see `Database`.

    Raises ValueError for a URL that cannot be used, NoDatabaseError where there is no database
    and none is to be made, StorageLostError when it does not answer for longer than its patience.
    """
    parsed = read_url(url)
    # Only workers wait, and workers do not fork.
    options = engine_options(parsed, may_fork=retry_timeout_s == 0)
    if parsed.get_backend_name() == "sqlite":
        _check_file(parsed, create)
    open_now = _Unopened(shown(url), retry_timeout_s, is_cancelled)

    def attempt(again: bool) -> RDBStorage:
        try:
            return _connect(parsed, options, create)
        except (ImportError, NoSuchModuleError):
            raise ValueError(without_driver(parsed)) from None

    try:
        rdb = retry(open_now, attempt)
    except StorageUnavailableError as error:
        if retry_timeout_s or is_out_of_space(error):
            raise
        # Nothing was begun yet: what was asked for cannot be.
        cause = error.__cause__ or error
        raise ValueError(
            f"storage {shown(url)} cannot be opened: {first_line(cause)}; {remedy(parsed)}"
        ) from error
    except DatabaseError as error:
        raise ValueError(
            f"storage {shown(url)} cannot be used: {first_line(error)}; {remedy(parsed)}"
        ) from error
    database = Database(shown(url), rdb.engine, rdb, retry_timeout_s, is_cancelled)
    if parsed.get_backend_name() == "sqlite":
        _tune_sqlite(database, reading)
    return database


def folder_of(database: Database) -> Path:
    """Where files that belong to the database's studies are kept: beside an SQLite file."""
    url = database.engine.url
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(url.database).parent
    return Path("runs")


def lock_study(connection: Connection, study_id: int) -> None:
    """Let one transaction at a time go on from here; SQLite has one writer anyway."""
    studies = models.StudyModel.__table__
    connection.execute(
        select(studies.c.study_id).where(studies.c.study_id == study_id).with_for_update()
    )


def make_table(database: Database, table: Table) -> None:
    """Make a table of our own, and its indexes, where missing, whoever else does at the moment."""
    wanted: list[Table | Index] = [table, *table.indexes]

    def attempt(again: bool) -> None:
        for missing in wanted:
            try:
                missing.create(database.engine, checkfirst=True)
            except DatabaseError:
                if missing.name not in _names(database.engine, table):
                    raise

    retry(database, attempt)


def _names(engine: Engine, table: Table) -> set[str | None]:
    """The table's and its indexes', where they are in the database."""
    found = inspect(engine)
    if not found.has_table(table.name):
        return set()
    return {table.name, *(index["name"] for index in found.get_indexes(table.name))}


def _check_file(url: URL, create: bool) -> None:
    if not url.database or url.database == ":memory:":
        raise ValueError("a study must outlive its process; use sqlite:///FILE.db")
    path = Path(url.database)
    if path.is_dir():
        raise ValueError(f"storage {str(path)!r} is a folder; name a file in it")
    mount = network_filesystem(path)
    if mount:
        raise ValueError(
            f"storage {str(path)!r} is on {mount}, where SQLite's locks do not hold; "
            "use a local disk, or postgresql://USER@HOST/NAME"
        )
    # The file is not looked into: closing it would drop the locks that SQLite has on it for this
    # process, and two processes would write at once.
    if path.is_file() and (create or path.stat().st_size > 0):
        return
    if not create:
        raise NoDatabaseError(
            f"there is no study yet in {str(path)!r}; start one with run, or name another --storage"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise ValueError(
            f"storage {str(path)!r} cannot be written ({error.strerror}); "
            "use --storage sqlite:///FOLDER/studies.db with a folder that can"
        ) from None


def _connect(url: URL, options: dict[str, Any], create: bool) -> RDBStorage:
    """Optuna's storage, its tables made where that is asked for."""
    # Optuna reads braces as places to fill in.
    address = url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    is_ready = _has_tables(url, options, create)
    for meeting in range(_MEETINGS):
        try:
            return BulkReadStorage(
                address, engine_kwargs=dict(options), skip_table_creation=is_ready
            )
        except RuntimeError as error:
            raise ValueError(
                f"storage {url.render_as_string()} has tables of another version of Optuna "
                f"({' '.join(str(error).split())[:120]})"
            ) from error
        except (DatabaseError, StorageInternalError) as error:
            # Several workers may create the same tables at once; the loser looks again.
            if meeting == _MEETINGS - 1 or (
                is_connection_error(error) and url.get_backend_name() != "sqlite"
            ):
                raise
            time.sleep(0.05)
    raise AssertionError("unreachable")


def _has_tables(url: URL, options: dict[str, Any], create: bool) -> bool:
    """Whether Optuna's tables are there, all of them.

    Raises ValueError for another program's database, NoDatabaseError when there are none and none
    are to be made.
    """
    engine = create_engine(url, **options)
    try:
        there = set(inspect(engine).get_table_names())
    finally:
        engine.dispose()
    wanted = {table.name for table in models.BaseModel.metadata.sorted_tables}
    is_strange = _OPTUNA in there and _VERSIONS not in there and not there <= wanted
    if is_strange or (there and not there & wanted and url.get_backend_name() == "sqlite"):
        raise ValueError(
            f"storage {url.render_as_string()} is another program's database; name a new one"
        )
    if not there & wanted and not create:
        raise NoDatabaseError(
            f"there is no study yet in {url.render_as_string()}; start one with run"
        )
    return wanted <= there


def _tune_sqlite(database: Database, reading: bool) -> None:
    """Write-ahead log, and write locks taken at the start of a transaction.

    Without BEGIN IMMEDIATE two processes may read the same row before either writes it.
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
    # The constructor has opened a connection already, without these.
    database.close()
