import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, inspect, text
from sqlalchemy.engine import make_url

from tests.support.servers import fresh_database
from training_factors.storage.answer_cache import CachedAnswer
from training_factors.storage.database import (
    Database,
    NoDatabaseError,
    create_table,
    folder_of,
    open_database,
)
from training_factors.storage.retry import ReadOnlyError
from training_factors.storage.run_queue import PhaseProgress, Run
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import create_study, load_study
from training_factors.storage.urls import hide_password

LEAVE_WAL = "PRAGMA journal_mode=DELETE"


def test_sqlite_uses_a_write_ahead_log_and_locks_at_the_start(database: Database) -> None:
    with database.engine.begin() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 1
        other = sqlite3.connect(str(database.engine.url.database), timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


def test_opening_a_second_time_keeps_the_locks_of_this_process(database: Database) -> None:
    """Closing any file handle drops all POSIX locks of the process on that file."""
    path = str(database.engine.url.database)
    leave_wal = f"import sqlite3; sqlite3.connect({path!r}, timeout=0).execute({LEAVE_WAL!r})"
    with database.engine.begin() as connection:
        connection.execute(text("SELECT * FROM studies"))
        open_database(database.url)
        ended = subprocess.run([sys.executable, "-c", leave_wal], capture_output=True, check=False)
    assert b"locked" in ended.stderr


def test_many_workers_open_an_empty_database_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: open_database(url, create=True), range(8)))
    assert len(opened) == 8


def test_a_reader_creates_a_table_while_another_process_writes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that has read before it writes is not made to wait by SQLite: it fails."""
    table = Table("own", MetaData(), Column("id", Integer, primary_key=True))
    other = sqlite3.connect(str(database.engine.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    released: list[float] = []

    def release(seconds: float) -> None:
        other.execute("COMMIT" if not released else "SELECT 1")
        released.append(seconds)

    monkeypatch.setattr("training_factors.storage.retry.time.sleep", release)
    create_table(open_database(database.url, reading=True), table)
    other.close()
    assert len(released) == 1
    assert "own" in inspect(database.engine).get_table_names()


def test_nothing_is_created_unless_asked_for(tmp_path: Path) -> None:
    with pytest.raises(NoDatabaseError, match="no study yet"):
        open_database(f"sqlite:///{tmp_path}/studies.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("foo", "not a database URL"),
        ("sqlite://", "in-memory database is lost"),
        ("sqlite:///{folder}", "is a folder"),
        ("sqlite:///{folder}/text.db", "file is not a database"),
        ("nonsense://host/name", "driver"),
        ("sqlite:////proc/studies.db", "cannot be written"),
        ("sqlite:///{folder}/no/such/studies.db", "does not exist; create it first: mkdir -p "),
        ("sqlite:///{folder}/text.db/studies.db", "is no folder"),
    ],
)
def test_an_unusable_url_is_refused(tmp_path: Path, url: str, message: str) -> None:
    (tmp_path / "text.db").write_text("this is no database at all", encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        open_database(url.format(folder=tmp_path), create=True)


def test_a_password_is_never_shown() -> None:
    assert "secret" not in hide_password("postgresql+psycopg://me:secret@host/name")


def test_the_files_of_studies_are_beside_the_database(database: Database, tmp_path: Path) -> None:
    assert folder_of(database) == tmp_path


def test_a_user_who_may_only_read_sees_results_and_is_told_so(postgresql: str) -> None:
    with fresh_database(postgresql) as url:
        study = create_study(open_database(url, create=True), "mine", Stamp("accuracy"))
        study.queue.add([Run("measure", 0)])
        with study.database.engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE ROLE reader_{os.getpid()} LOGIN")
            connection.exec_driver_sql(
                f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_{os.getpid()}"
            )
        study.database.close()
        reader = make_url(url).set(username=f"reader_{os.getpid()}")
        database = open_database(reader.render_as_string(hide_password=False), reading=True)
        seen = load_study(database, "mine")
        assert seen.queue.progress() == {"measure": PhaseProgress(1, 0, 0)}
        answer = CachedAnswer(seen, "importance", "digest")
        answer.write("text")
        assert answer.read() is None
        with pytest.raises(ReadOnlyError, match="cannot be written: permission denied"):
            seen.queue.claim("reader")
        database.close()
        with study.database.engine.begin() as connection:
            connection.exec_driver_sql(f"DROP OWNED BY reader_{os.getpid()}")
            connection.exec_driver_sql(f"DROP ROLE reader_{os.getpid()}")
        study.database.close()
