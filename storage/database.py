"""Opening a study's database: the only place that knows URLs, engines and pragmas."""

import random
import time
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError

DEFAULT_URL = "sqlite:///runs/studies.db"

optuna.logging.set_verbosity(optuna.logging.WARNING)  # we say ourselves what happens

_ATTEMPTS = 20
"""Tries to open an empty database that other workers are filling at the same moment."""


class Database(NamedTuple):
    """An open database.

    url: as it may be shown, the password hidden. engine: for tables of our own.
    storage: Optuna's.
    """

    url: str
    engine: Engine
    storage: RDBStorage

    def close(self) -> None:
        """Let go of all connections; the next use opens new ones."""
        self.storage.scoped_session.remove()
        self.engine.dispose()


class NoDatabaseError(FileNotFoundError):
    """There is no database at this place yet."""


def open_database(url: str, *, create: bool = False) -> Database:
    """Open the database at an SQLAlchemy URL.

    create: make it, with its folder, where there is none.

    Raises ValueError for a URL that cannot be used, NoDatabaseError where there is no database
    and none is to be made.
    """
    parsed = _parse(url)
    options: dict[str, Any] = {"hide_parameters": True}
    if parsed.get_backend_name() == "sqlite":
        _check_file(parsed, create)
        options["connect_args"] = {"timeout": 60}
    else:
        options["pool_pre_ping"] = True
    rdb = _connect(parsed, options)
    database = Database(shown(url), rdb.engine, rdb)
    if parsed.get_backend_name() == "sqlite":
        _tune_sqlite(database)
    return database


def folder_of(database: Database) -> Path:
    """Where files that belong to the database's studies are kept: beside an SQLite file."""
    url = database.engine.url
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(url.database).parent
    return Path("runs")


def shown(url: str) -> str:
    """The URL without its password."""
    return _parse(url).render_as_string(hide_password=True)


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # Not the text itself, which may hold a password where the form is wrong.
        raise ValueError(
            "--storage is no database URL; use sqlite:///FILE.db or postgresql://USER@HOST/NAME"
        ) from None


def _check_file(url: URL, create: bool) -> None:
    if not url.database or url.database == ":memory:":
        raise ValueError("a study must outlive its process; use sqlite:///FILE.db")
    path = Path(url.database)
    if path.is_dir():
        raise ValueError(f"storage {str(path)!r} is a folder; name a file in it")
    if path.is_file():
        # Not looked into: closing the file would drop the locks that SQLite has on it for this
        # process, and two processes would write at once.
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


def _connect(url: URL, options: dict[str, Any]) -> RDBStorage:
    address = url.render_as_string(hide_password=False)
    for attempt in range(_ATTEMPTS):
        try:
            return RDBStorage(address, engine_kwargs=options)
        except (ImportError, NoSuchModuleError):
            raise ValueError(
                f"storage driver {url.drivername!r} is unknown or not installed; use sqlite:///FILE"
            ) from None
        except (DatabaseError, StorageInternalError) as error:
            if getattr(getattr(error, "orig", None), "sqlite_errorname", "") == "SQLITE_NOTADB":
                raise ValueError(
                    f"storage {url.database!r} is not an SQLite database; name another file"
                ) from None
            # Several workers may create the same tables at once; the loser looks again.
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0.02, 0.2))
    raise AssertionError("unreachable")


def _tune_sqlite(database: Database) -> None:
    """Write-ahead log, and write locks taken at the start of a transaction.

    Without BEGIN IMMEDIATE two processes may read the same row before either writes it.
    """

    def on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(database.engine, "connect", on_connect)
    event.listen(database.engine, "begin", on_begin)
    # The constructor has opened a connection already, without these.
    database.close()
