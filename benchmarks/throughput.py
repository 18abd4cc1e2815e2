"""Runs that 64 workers claim and finish in a second on one PostgreSQL, and what a run costs it.

Training is replaced by half a second of waiting.

python -m benchmarks.throughput [WORKERS]
"""

import sys
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import event

from tests.support.faults import find_faults
from tests.support.servers import empty_databases
from tests.support.workers import (
    NAME,
    create_short_study,
    fake_training,
    log_finished_runs,
    prepare_short_runs,
    replace_training,
    start_pool,
)
from training_factors.storage.database import open_database
from training_factors.storage.run_queue import PhaseProgress
from training_factors.storage.studies import load_study
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.running.signals import StopSignal
from training_factors.study.running.worker import open_context, work

SECONDS = 0.5


def throughput(url: str, folder: Path, workers: int, prepared: PreparedStudy) -> float:
    """Runs per second once all workers are at it."""
    study = create_short_study(url, prepared, 40 * workers)
    replace_training(fake_training(SECONDS))
    log_finished_runs(folder / "ended.log")
    study.database.close()
    pool = start_pool(url, prepared, folder, workers, WorkerTiming())

    def done() -> int:
        return study.queue.progress().get("measure", PhaseProgress()).done

    while done() < 4 * workers:
        time.sleep(0.2)
    first, began = done(), time.monotonic()
    while done() < 36 * workers:
        time.sleep(0.2)
    rate = (done() - first) / (time.monotonic() - began)
    pool.join()
    study.database.close()
    return rate


def split(url: str, prepared: PreparedStudy) -> dict[str, tuple[float, float]]:
    """Statement -> (times it is sent, milliseconds of waiting for it), each for one run."""
    study = load_study(open_database(url), NAME)
    runs = 100
    study.queue.add([*_more(study.queue.progress()["measure"].total, runs)])
    spent: dict[str, list[float]] = defaultdict(list)

    def before(connection: Any, *_: Any) -> None:
        connection.info["began"] = time.perf_counter()

    def after(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        name = " ".join(statement.replace('"', "").split()[:3])
        name = name if statement.startswith(("INSERT", "UPDATE", "DELETE")) else "SELECT"
        spent[name].append(time.perf_counter() - connection.info["began"])

    context = open_context(study, prepared, "cpu", 0, WorkerTiming())
    event.listen(study.database.engine, "before_cursor_execute", before)
    event.listen(study.database.engine, "after_cursor_execute", after)
    replace_training(fake_training(0))
    began, cpu = time.perf_counter(), time.process_time()
    work(study, context, StopSignal(None))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    table = {name: (len(s) / runs, 1000 * sum(s) / runs) for name, s in spent.items()}
    table["all statements"] = (
        sum(count for count, _ in table.values()),
        sum(spent for _, spent in table.values()),
    )
    table["a run, wall time"] = (1, 1000 * wall / runs)
    table["a run, processor of the worker"] = (1, 1000 * cpu / runs)
    return table


def _more(first: int, count: int) -> Any:
    from training_factors.storage.run_queue import Run

    return (Run("measure", row) for row in range(first, first + count))


def main() -> None:
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    prepared = prepare_short_runs()
    with TemporaryDirectory() as place, empty_databases(Path(place)) as urls:
        url = urls["PostgreSQL"]
        rate = throughput(url, Path(place), workers, prepared)
        print(
            f"{workers} workers: {rate:.1f} runs/s; {find_faults(url, Path(place) / 'ended.log')}"
        )
        for name, (count, spent) in split(url, prepared).items():
            print(f"  {name:<36} {count:6.2f} × {spent:8.3f} ms a run")


if __name__ == "__main__":
    main()
