"""Database URLs: parse and check them, hide their password, and derive engine options."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

DEFAULT_URL = "sqlite:///runs/studies.db"
"""URL of the database where none is given; the path is relative to the current folder."""

URL_VARIABLES = ("STUDY_STORAGE", "OPTUNA_STORAGE")
"""Environment variables that may hold the URL; the first one is passed on to other processes."""

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}
"""The driver for each URL scheme that names none; the extras [postgres] and [mysql] install it."""

_EXTRAS = {"postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql"}
"""The extra of this package that installs the driver of each kind of database."""


def read_url(url: str) -> URL:
    """Parse a database URL and add the default driver.

    Raises ValueError for a malformed URL, and for a password in its query, which would be shown.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The message leaves the URL out: a malformed one may still hold a password.
        raise ValueError(
            "--storage is not a database URL; use sqlite:///FILE.db or postgresql://USER@HOST/NAME"
        ) from None
    if {key.lower() for key in parsed.query} & {"password", "passwd"}:
        raise ValueError(
            "--storage has a password after its question mark, where it would be shown; "
            "write it as USER:PASSWORD@HOST, or leave it to ~/.pgpass"
        )
    return parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))


def engine_options(url: URL, *, may_fork: bool, is_read_only: bool = False) -> dict[str, Any]:
    """Return the keyword arguments for SQLAlchemy's `create_engine`.

    may_fork: whether this process may fork. SQLite connections do not survive a fork: closing an
    inherited one drops the file locks of all others. So none is kept between transactions then.
    is_read_only: whether an SQLite file can be read only, so that nobody writes to it.
    """
    options: dict[str, Any] = {"hide_parameters": True}
    if url.get_backend_name() == "sqlite":
        # mode=rw: a file that was deleted meanwhile is an error, not a new database.
        # immutable: SQLite would lock the file, and keep its write-ahead log in memory beside it.
        mode = "mode=ro&immutable=1" if is_read_only else "mode=rw"
        address = f"{Path(url.database or '').absolute().as_uri()}?{mode}"
        options["creator"] = lambda: sqlite3.connect(
            address, uri=True, timeout=60, check_same_thread=False
        )
        if may_fork:
            options["poolclass"] = NullPool
        return options
    # A worker uses one connection at a time, and code that monitors it another one.
    options |= {"pool_pre_ping": True, "pool_size": 1, "max_overflow": 2}
    options["connect_args"] = {"connect_timeout": 10}
    if url.get_backend_name() == "postgresql":
        options["connect_args"] |= {
            "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
            "tcp_user_timeout": 60_000, "application_name": "training-factors",
        }  # fmt: skip
    else:
        options["isolation_level"] = "READ COMMITTED"
    return options


def hide_password(url: str) -> str:
    """Return the URL with its password replaced by ***. Raises ValueError as `read_url` does."""
    read_url(url)
    parsed = make_url(url)
    return (parsed if parsed.password else parsed._replace(password=None)).render_as_string()


def missing_driver(url: URL) -> str:
    """Return the error message for a URL whose driver cannot be imported."""
    extra = _EXTRAS.get(url.drivername.partition("+")[0])
    if extra is None:
        return (
            f"database driver {url.drivername!r} is unknown; "
            "use sqlite:///FILE.db, postgresql://USER@HOST/NAME or mysql://USER@HOST/NAME"
        )
    return f"database driver {url.drivername!r} is not installed; pip install -e '.[{extra}]'"


def remedy(url: URL) -> str:
    """Return advice for a database that cannot be opened; part of an error message."""
    if url.get_backend_name() == "sqlite":
        return "name another file with --storage sqlite:///FILE.db"
    return "check user, password, host, port and name of --storage, and that the server runs"
