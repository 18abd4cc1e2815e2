"""Worker pools for tests and benchmarks: studies of short runs, and processes that work on them."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.context import ForkProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study, create_study, load_study
from training_factors.study.running import trial_runner, worker
from training_factors.study.running.preparation import PreparedStudy, prepare_study
from training_factors.study.running.settings import StartMethod, WorkerPool, WorkerTiming
from training_factors.study.running.supervisor import run_workers
from training_factors.study.training.loop import Outcome

FORK = multiprocessing.get_context("fork")

NAME = "faults"
"""Name of the study that `create_short_study` creates."""


def prepare_short_runs() -> PreparedStudy:
    """Prepare runs of some 20 ms: wine, a small network."""
    return prepare_study(Definition(source="wine", space="small", epochs=3))


def create_short_study(url: str, prepared: PreparedStudy, runs: int) -> Study:
    """Create a study with this number of planned runs."""
    study = create_study(open_database(url, create=True), NAME, prepared.stamp())
    study.queue.add([Run("measure", row) for row in range(runs)])
    return study


def fake_training(seconds: float, epochs: int = 1) -> Callable[..., Outcome]:
    """Return a stand-in for training that waits, reports every epoch, and learns nothing."""

    def train(*arguments: Any, **named: Any) -> Outcome:
        report = arguments[5]
        for epoch in range(epochs):
            time.sleep(seconds / epochs)
            report(epoch, 0.5, partial(dict, epoch=epoch))
        return Outcome(0.5, {"accuracy": 0.5}, diverged=False, stopped=False, epochs=epochs)

    return train


def replace_training(train: Callable[..., Outcome]) -> None:
    """Make processes that are forked from now on train with this function."""
    setattr(trial_runner, "train", train)  # noqa: B010 - it is imported there, not declared


def log_finished_runs(path: Path) -> None:
    """Make processes that are forked from now on log every finished run, outside the database."""
    original = trial_runner.run_claim
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def logged(context: Any, claim: Any, stop: Any) -> str | None:
        reason = original(context, claim, stop)
        os.write(log, f"{claim.run}\n".encode())
        return reason

    setattr(worker, "run_claim", logged)  # noqa: B010 - it is imported there, not declared


_IN_STARTED_WORKERS = """
import sys

if "worker-process" in sys.orig_argv:
    from pathlib import Path

    from tests.support import workers

    workers.log_finished_runs(Path({log!r}))
    if {seconds!r}:
        workers.replace_training(workers.fake_training({seconds!r}, {epochs!r}))
"""
"""Python imports a module `sitecustomize` when it starts; this one prepares started workers."""


@contextmanager
def prepared_starts(folder: Path, log: Path, seconds: float = 0, epochs: int = 1) -> Iterator[None]:
    """Make workers that are started anew log finished runs, and train as `fake_training` does.

    folder: for the module that does it. seconds: of the stand-in for training; 0 trains.
    """
    code = _IN_STARTED_WORKERS.format(log=str(log), seconds=seconds, epochs=epochs)
    (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
    sys.path.insert(0, str(folder))  # started workers find modules where this process does
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def wait_until(condition: Callable[[], bool], limit_s: float = 60) -> None:
    """Poll a condition until it holds. Raises TimeoutError when it does not within the limit."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {limit_s:g} s")
        time.sleep(0.02)


def start_pool(
    url: str,
    prepared: PreparedStudy,
    folder: Path,
    workers: int,
    timing: WorkerTiming,
    start: StartMethod = "fork",
    name: str = NAME,
) -> ForkProcess:
    """Start a process that works on the study as `worker --workers N` does, with its exit code."""

    def work() -> None:
        study = load_study(open_database(url, reading=True), name)
        logs = folder / "logs"
        pool = WorkerPool(workers, "cpu", url, logs, timing, start=start)
        sys.exit(run_workers(study, prepared, pool, lambda: None))

    process = FORK.Process(target=work)
    process.start()
    return process


def children_of(process: BaseProcess | subprocess.Popen[str]) -> list[int]:
    """Return the process ids of a process's children; none when it has ended."""
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(
            encoding="utf-8"
        )
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(pid) for pid in children.split()]


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> bool:
    """Send a signal to a process; false when there is no such process."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
