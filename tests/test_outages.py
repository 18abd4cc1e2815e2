"""Databases that are away, locked or full are waited for, or end a pool resumable."""

import os
import signal
import sqlite3
import time
from pathlib import Path

from tests.support.fault_pools import (
    FAULT_TESTS,
    QUICK,
    assert_nothing_lost,
    goes_on,
    sqlite_in,
    started,
)
from tests.support.faults import (
    find_faults,
    stop_server_repeatedly,
)
from tests.support.servers import PostgresqlServer, fresh_database
from tests.support.workers import (
    FORK,
    NAME,
    create_short_study,
    fake_training,
    kill,
    prepare_short_runs,
    replace_training,
    start_pool,
    wait_until,
)
from training_factors.storage.database import open_database
from training_factors.storage.studies import load_study

pytestmark = FAULT_TESTS


def test_a_server_that_crashes_is_waited_for(
    own_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    code, found = stop_server_repeatedly(own_postgresql, tmp_path, [0.5], "immediate")
    assert code == 0
    assert_nothing_lost(found)


def test_workers_that_are_started_anew_wait_for_a_server(
    own_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    code, found = stop_server_repeatedly(
        own_postgresql, tmp_path, [0.5], "fast", workers=2, start="spawn"
    )
    assert code == 0
    assert_nothing_lost(found)


def test_a_server_that_stays_away_ends_the_pool_resumable(
    own_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    with fresh_database(own_postgresql.url) as url:
        prepared = prepare_short_runs()
        create_short_study(url, prepared, 200).database.close()
        replace_training(fake_training(0.1))
        pool = start_pool(
            url, prepared, tmp_path, 2, QUICK.model_copy(update={"retry_timeout_s": 1})
        )
        study = load_study(open_database(url), NAME)
        wait_until(lambda: study.queue.progress()["measure"].done > 3)
        study.database.close()
        own_postgresql.stop("immediate")
        pool.join()
        assert pool.exitcode == 3
        own_postgresql.start()
        done = study.queue.progress()["measure"].done
        again = start_pool(url, prepared, tmp_path, 2, QUICK)
        wait_until(lambda: study.queue.progress()["measure"].done > done + 5)
        kill(int(again.pid or 0), signal.SIGTERM)
        again.join()
        assert again.exitcode == 143
        study.database.close()


def test_asked_to_stop_nobody_waits_for_a_database_that_is_away(
    own_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    with fresh_database(own_postgresql.url) as url:
        prepared = prepare_short_runs()
        study = create_short_study(url, prepared, 200)
        replace_training(fake_training(0.2, epochs=4))
        study.database.close()
        pool = start_pool(
            url, prepared, tmp_path, 2, QUICK.model_copy(update={"retry_timeout_s": 600})
        )
        wait_until(lambda: study.queue.progress()["measure"].done > 3)
        study.database.close()
        own_postgresql.stop("immediate")
        log = tmp_path / "logs"
        wait_until(
            lambda: any(
                "no heartbeats for now" in p.read_text(encoding="utf-8") for p in log.iterdir()
            )
        )
        kill(int(pool.pid or 0), signal.SIGINT)
        pool.join(20)
        assert pool.exitcode == 130
        own_postgresql.start()
        study.database.close()


def test_a_locked_database_is_waited_for(tmp_path: Path) -> None:
    study, pool = started(tmp_path, 100)
    wait_until(lambda: study.queue.progress()["measure"].done > 3)
    study.database.close()
    other = sqlite3.connect(tmp_path / "studies.db", isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    time.sleep(3 * QUICK.grace_s)  # longer than the silence that counts as an end
    other.execute("ROLLBACK")
    other.close()
    pool.join()
    assert pool.exitcode == 0
    assert_nothing_lost(find_faults(sqlite_in(tmp_path), tmp_path / "none")._replace(logged=100))
    assert not any(log.read_text(encoding="utf-8") for log in (tmp_path / "logs").iterdir())


def test_a_full_disk_ends_the_pool_resumable(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk's end: SQLite is told the same."""
    import resource

    url = f"sqlite:///{tmp_path}/studies.db"
    prepared = prepare_short_runs()
    study = create_short_study(url, prepared, 160)
    study.database.close()

    def pool() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
        process = start_pool(url, prepared, tmp_path, 2, QUICK)
        process.join()
        os._exit(process.exitcode or 0)

    limited = FORK.Process(target=pool)
    limited.start()
    limited.join()
    assert limited.exitcode == 3
    found = find_faults(url, tmp_path / "none")
    assert (found.damaged, found.twice) == ("ok", 0)
    done = study.queue.progress()["measure"].done
    assert 0 < done < 160
    again = goes_on(study, tmp_path)
    again.join()
    assert again.exitcode == 0
    assert_nothing_lost(find_faults(url, tmp_path / "none")._replace(logged=160))
