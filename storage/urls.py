"""URLs of databases: read, shown without their password, and what their engines are given."""

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import NullPool
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

DEFAULT_URL = "sqlite:///runs/studies.db"

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}
"""The drivers of the extras [postgres] and [mysql], where a URL names none."""

_EXTRAS = {"postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql"}


def read_url(url: str) -> URL:
    """The URL with the driver that we use. Raises ValueError for what is none."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Not the text itself, which may hold a password where the form is wrong.
        raise ValueError(
            "--storage is no database URL; use sqlite:///FILE.db or postgresql://USER@HOST/NAME"
        ) from None
    if {key.lower() for key in parsed.query} & {"password", "passwd"}:
        raise ValueError(
            "--storage has a password behind its question mark, where it would be shown; "
            "write it as USER:PASSWORD@HOST, or leave it to ~/.pgpass"
        )
    return parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))


def engine_options(url: URL, *, may_fork: bool) -> dict[str, Any]:
    """What SQLAlchemy's engine is given besides the URL.

    may_fork: whether its process may fork. SQLite's connections do not survive that: closing one
    that was inherited drops the locks of all others, so none is kept between transactions.
    """
    options: dict[str, Any] = {"hide_parameters": True}
    if url.get_backend_name() == "sqlite":
        # mode=rw: a file that was deleted meanwhile is an error, not a new database.
        path = quote(str(Path(url.database or "").absolute()))
        options["creator"] = lambda: sqlite3.connect(
            f"file:{path}?mode=rw", uri=True, timeout=60, check_same_thread=False
        )
        if may_fork:
            options["poolclass"] = NullPool
        return options
    # A worker uses one connection at a time, and what watches it another.
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


def shown(url: str) -> str:
    """The URL without its password."""
    read_url(url)
    given = make_url(url)
    return (given if given.password else given._replace(password=None)).render_as_string()


def without_driver(url: URL) -> str:
    """What to say where the URL's driver cannot be loaded."""
    extra = _EXTRAS.get(url.drivername.partition("+")[0])
    if extra is None:
        return (
            f"storage driver {url.drivername!r} is unknown; "
            "use sqlite:///FILE.db, postgresql://USER@HOST/NAME or mysql://USER@HOST/NAME"
        )
    return f"storage driver {url.drivername!r} is not installed; pip install -e '.[{extra}]'"


def remedy(url: URL) -> str:
    """What to do where the database cannot be opened."""
    if url.get_backend_name() == "sqlite":
        return "name another file with --storage sqlite:///FILE.db"
    return "check user, password, host, port and name of --storage, and that the server runs"
