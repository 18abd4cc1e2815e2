"""Fault scenarios for tests and benchmarks: kills, server outages, simultaneous starts."""

import random
import sqlite3
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.engine import make_url

from tests.support.servers import PostgresqlServer, fresh_database
from tests.support.workers import (
    FORK,
    NAME,
    children_of,
    create_short_study,
    fake_training,
    kill,
    log_finished_runs,
    prepare_short_runs,
    prepared_starts,
    replace_training,
    start_pool,
    wait_until,
)
from training_factors.storage.database import open_database
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import load_study
from training_factors.storage.trials import read_trials
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.running.settings import StartMethod, WorkerTiming

KILL_TIMING = WorkerTiming(heartbeat_s=0.5, grace_s=2, checkpoint_s=0, retry_timeout_s=60)
OUTAGE_TIMING = WorkerTiming(heartbeat_s=1, grace_s=8, retry_timeout_s=120)

PARENT_SHARE = 0.05
"""Fraction of the kills that hit the process that starts and watches the workers."""


class Faults(NamedTuple):
    """Counts of faults in a study; all but `total` and `logged` should be 0.

    logged: runs that a worker logged as finished, outside the database. lost: of these, those that
    are not complete in the database. twice: runs with more than one result. running, waiting: runs
    that nobody will finish. damaged: result of the database's integrity check.
    """

    total: int
    logged: int
    lost: int
    twice: int
    running: int
    waiting: int
    damaged: str


def find_faults(url: str, log: Path) -> Faults:
    """Compare the database with the workers' log of finished runs."""
    study = load_study(open_database(url), NAME)
    trials = read_trials(study)
    ended = Counter(str(Run(t.phase, t.row, t.repeat)) for t in trials if t.state == "COMPLETE")
    logged = (
        Counter(log.read_text(encoding="utf-8").split("\n")[:-1]) if log.exists() else Counter()
    )
    phases = study.queue.progress().values()
    study.database.close()
    doubled = {run for run in ended | logged if ended[run] > 1 or logged[run] > 1}
    return Faults(
        total=sum(phase.total for phase in phases),
        logged=len(logged),
        lost=len(logged.keys() - ended.keys()),
        twice=len(doubled),
        running=sum(p.running for p in phases) + sum(t.state == "RUNNING" for t in trials),
        waiting=sum(p.waiting for p in phases) + sum(t.state == "WAITING" for t in trials),
        damaged=_check_integrity(url),
    )


def _check_integrity(url: str) -> str:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return "ok"
    with sqlite3.connect(str(parsed.database)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


def kill_repeatedly(
    url: str, folder: Path, kills: int, workers: int, start: StartMethod = "fork"
) -> Faults:
    """Kill random workers, or their parent, this many times; then let the study finish."""
    with prepared_starts(folder, folder / "ended.log"):
        return _kill_repeatedly(url, folder, kills, workers, start)


def _kill_repeatedly(
    url: str, folder: Path, kills: int, workers: int, start: StartMethod
) -> Faults:
    draws = random.Random(0)
    pause_s = 0.15
    prepared = prepare_short_runs()
    study = create_short_study(url, prepared, 100)
    log_finished_runs(folder / "ended.log")
    planned, done = 100, 0
    pool = start_pool(url, prepared, folder, workers, KILL_TIMING, start)
    while pool.is_alive() or pool.exitcode != 0:
        if not pool.is_alive():
            study.database.close()
            pool = start_pool(url, prepared, folder, workers, KILL_TIMING, start)
        if not kills:
            pool.join(0.5)
            continue
        time.sleep(draws.expovariate(1 / pause_s))
        progress = study.queue.progress()["measure"]
        if start == "spawn" and progress.done == done:
            continue  # the workers still load torch, and have no run that a kill could hit
        done = progress.done
        if progress.waiting < 50:
            planned += 50
            study.queue.add([Run("measure", row) for row in range(planned)])
        victims = children_of(pool)
        if draws.random() < PARENT_SHARE and pool.pid is not None:
            victims = [pool.pid]
        if victims:
            kills -= kill(draws.choice(victims))
    study.database.close()
    return find_faults(url, folder / "ended.log")


def stop_server_repeatedly(
    server: PostgresqlServer,
    folder: Path,
    downtimes: list[float],
    mode: str,
    workers: int = 4,
    start: StartMethod = "fork",
) -> tuple[int | None, Faults]:
    """Stop the server under a pool for each of these times, with a second of work in between.

    Returns the pool's exit code, and the faults found once it has finished.
    """
    prepared = prepare_short_runs()
    log = folder / "ended.log"
    with fresh_database(server.url) as url, prepared_starts(folder, log, 0.2, epochs=4):
        runs = workers * (15 + 5 * len(downtimes))  # some 3 s of work, and 1 s for each downtime
        study = create_short_study(url, prepared, runs)
        replace_training(fake_training(0.2, epochs=4))
        log_finished_runs(log)
        study.database.close()
        pool = start_pool(url, prepared, folder, workers, OUTAGE_TIMING, start)
        wait_until(lambda: log.stat().st_size > 0)
        for seconds in downtimes:
            server.stop(mode)
            time.sleep(seconds)
            server.start()
            time.sleep(1)
        pool.join()
        return pool.exitcode, find_faults(url, log)


def start_simultaneously(url: str, workers: int) -> int:
    """Start workers at once on an empty database; return how many got a run of their own."""
    prepared = prepare_short_runs()
    processes = [
        FORK.Process(target=_claim_one, args=(url, prepared, workers, i)) for i in range(workers)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return sum(process.exitcode == 0 for process in processes)


def _claim_one(url: str, prepared: PreparedStudy, runs: int, number: int) -> None:
    claim = create_short_study(url, prepared, runs).queue.claim(f"worker {number}")
    sys.exit(0 if claim is not None else 1)
