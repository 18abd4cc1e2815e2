"""Measure the cost of a run besides its training, and of reading, as a study grows.

Simulated studies of digits with so many trials; then one worker does more runs, of the measuring
and of the search phase, with training replaced by nothing: what is left is claim, configuration
(the search sampler's, or the design's) and storage. `status`, `importance --json` from what is kept
and `report` are whole processes.

python -m benchmarks.growth [TRIALS ...] [--look]
"""

import statistics
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple
from unittest.mock import patch

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.processes import asked
from tests.support.servers import empty_databases
from tests.support.studies import EPOCHS, create_simulated_study
from tests.support.workers import fake_training, replace_training
from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.run_queue import Claim, Run
from training_factors.storage.studies import Study, load_study
from training_factors.study.running import trial_runner, worker
from training_factors.study.running.preparation import prepare_study
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.running.signals import StopSignal
from training_factors.study.running.trial_runner import WorkerContext
from training_factors.study.running.worker import open_context, work

MEASURED, SEARCHED = 60, 20
"""Runs that are timed of each phase."""


class Cost(NamedTuple):
    """Milliseconds of a run: wall time, and of the worker's processor."""

    wall: float
    processor: float


def costs(url: str, trials: int) -> dict[str, Cost]:
    """Medians by phase, of a worker that has worked on the study before."""
    name = f"of {trials}"
    create_simulated_study(url, trials, name=name).database.close()
    study = load_study(open_database(url, retry_timeout_s=60), name)
    definition = Definition(source="digits", space="documented", epochs=EPOCHS)
    context = open_context(study, prepare_study(definition), "cpu", 0, WorkerTiming())
    found = {
        "measure": _timed(study, context, [Run("measure", trials + i) for i in range(MEASURED)]),
        "search": _timed(study, context, [Run("search", i) for i in range(SEARCHED)]),
    }
    study.database.close()
    return found


def _timed(study: Study, context: WorkerContext, runs: list[Run]) -> Cost:
    study.queue.add(runs)
    spent: list[Cost] = []
    original = trial_runner.run_claim

    def watched(context: WorkerContext, claim: Claim, stop: StopSignal) -> str | None:
        reason = original(context, claim, stop)
        spent.append(Cost(time.perf_counter(), time.process_time()))
        return reason

    with patch.object(worker, "run_claim", watched):
        work(study, context, StopSignal(None))
    gaps = [Cost(b.wall - a.wall, b.processor - a.processor) for a, b in pairwise(spent)]
    return Cost(*(1000 * statistics.median(column) for column in zip(*gaps, strict=True)))


def main(
    trials: Annotated[list[int] | None, typer.Argument()] = None,
    look: Annotated[bool, typer.Option(help="Time status, importance and report too.")] = False,
) -> None:
    """Print a table by number of trials."""
    sizes = trials or [100, 1000, 5000]
    table = Table(
        "database",
        "trials",
        "measure: ms of a run",
        "processor",
        "search: ms of a run",
        "processor",
    )
    looks = Table("trials", "status, s", "importance --json, s", "report, s")
    with TemporaryDirectory() as folder, empty_databases(Path(folder)) as urls:
        if look:
            for size in sizes:
                url = f"sqlite:///{folder}/{size}.db"
                create_simulated_study(url, size).database.close()
                asked("importance", url)
                verbs = ("status", "importance", "report")
                seconds = [
                    statistics.median(asked(verb, url)[0] for _ in range(3)) for verb in verbs
                ]
                looks.add_row(f"{size:,}", *(f"{s:.2f}" for s in seconds))
        replace_training(fake_training(0))
        for database, url in urls.items():
            for size in sizes:
                found = costs(url, size)
                cells = [f"{ms:.1f}" for phase in found.values() for ms in phase]
                table.add_row(database, f"{size:,}", *cells)
    Console(width=110).print(machine(), table)
    if look:
        Console(width=110).print(looks)


if __name__ == "__main__":
    typer.run(main)
