"""What the programs about faults share: a study of short runs, and a crew that works on it."""

import multiprocessing
import os
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.context import ForkProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy.engine import make_url

from benchmarks.servers import POSTGRESQL, OwnPostgresql, fresh_database
from storage.database import open_database
from storage.ledger import Run
from storage.studies import Study, create_study, load_study
from storage.tables import read_trials
from study.running import objective, worker
from study.running.launch import Crew, launch
from study.running.preparation import Prepared, prepare
from study.running.settings import Definition
from study.running.timing import Timing
from study.training.loop import Outcome

FORK = multiprocessing.get_context("fork")

NAME = "faults"


class Faults(NamedTuple):
    """What must not happen. logged: runs that a worker wrote down as ended, outside the database.

    lost: of these, those that the database does not have as they were. twice: runs with more than
    one result. running, waiting: runs that nobody will end. damaged: what a check of the database
    said.
    """

    total: int
    logged: int
    lost: int
    twice: int
    running: int
    waiting: int
    damaged: str


def short_runs() -> Prepared:
    """Runs of some 20 ms: wine, a small network."""
    return prepare(Definition(source="wine", space="small", epochs=3))


def begin(url: str, prepared: Prepared, runs: int) -> Study:
    """A study with so many runs to do."""
    study = create_study(open_database(url, create=True), NAME, prepared.stamp())
    study.ledger.plan([Run("measure", row) for row in range(runs)])
    return study


def stub(seconds: float, epochs: int = 1) -> Callable[..., Outcome]:
    """What stands in for training: it waits, reports, and learns nothing."""

    def train(*arguments: Any, **named: Any) -> Outcome:
        report = arguments[5]
        for epoch in range(epochs):
            time.sleep(seconds / epochs)
            report(epoch, 0.5, partial(dict, epoch=epoch))
        return Outcome(0.5, {"accuracy": 0.5}, diverged=False, stopped=False, epochs=epochs)

    return train


def instead_of_training(train: Callable[..., Outcome]) -> None:
    """What is forked from here on trains so."""
    setattr(objective, "train", train)  # noqa: B010 - it is imported there, not declared


def log_ends(path: Path) -> None:
    """What is forked from here on writes a line for every run that has ended."""
    original = objective.run
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def logged(bench: Any, claim: Any, stop: Any) -> str | None:
        reason = original(bench, claim, stop)
        os.write(log, f"{claim.run}\n".encode())
        return reason

    setattr(worker, "run", logged)  # noqa: B010 - it is imported there, not declared


def wait_until(holds: Callable[[], bool], limit_s: float = 60) -> None:
    """Look until it holds. Raises TimeoutError when it does not within the limit."""
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {limit_s:g} s")
        time.sleep(0.02)


def start_crew(
    url: str, prepared: Prepared, folder: Path, workers: int, timing: Timing
) -> ForkProcess:
    """A process that works on the study as `worker --workers N` does; its exit code is the same."""

    def crew() -> None:
        study = load_study(open_database(url, reading=True), NAME)
        logs = folder / "logs"
        sys.exit(launch(study, prepared, Crew(workers, "cpu", url, logs, timing), lambda: None))

    process = FORK.Process(target=crew)
    process.start()
    return process


def children_of(process: BaseProcess) -> list[int]:
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(pid) for pid in children.split()]


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def examine(url: str, log: Path) -> Faults:
    """What the database says of the study, against what the workers said."""
    study = load_study(open_database(url), NAME)
    trials = read_trials(study)
    ended = Counter(str(Run(t.phase, t.row, t.repeat)) for t in trials if t.state == "COMPLETE")
    logged = Counter(log.read_text().split("\n")[:-1]) if log.exists() else Counter()
    phases = study.ledger.progress().values()
    study.database.close()
    doubled = {run for run in ended | logged if ended[run] > 1 or logged[run] > 1}
    return Faults(
        total=sum(phase.total for phase in phases),
        logged=len(logged),
        lost=len(logged.keys() - ended.keys()),
        twice=len(doubled),
        running=sum(p.running for p in phases) + sum(t.state == "RUNNING" for t in trials),
        waiting=sum(p.waiting for p in phases) + sum(t.state == "WAITING" for t in trials),
        damaged=_check(url),
    )


def _check(url: str) -> str:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return "ok"
    with sqlite3.connect(str(parsed.database)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


@contextmanager
def databases(folder: Path) -> Iterator[dict[str, str]]:
    """An empty database of each kind that is at hand."""
    server = None
    named = os.environ.get(POSTGRESQL)
    if named is None:
        server = OwnPostgresql(folder)
        named = server.url
    with fresh_database(named) as postgresql:
        yield {"SQLite": f"sqlite:///{folder}/studies.db", "PostgreSQL": postgresql}
    if server is not None:
        server.end()
