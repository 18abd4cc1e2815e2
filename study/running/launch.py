"""Worker processes on this machine: started, watched, asked to stop, started again.

Workers are forked from the process that has prepared the study, so that data, torch and all else
are loaded once, are there at once, and take memory once. A worker shares nothing with it that
either of them writes: it opens the database for itself.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import torch._dynamo  # noqa: F401 - the first optimizer imports it (1.9 s): once, before forking

from storage.database import open_database
from storage.studies import Study, load_study
from study.running.allocator import keep_freed_memory
from study.running.preparation import Prepared
from study.running.recovery import requeue_ended
from study.running.stopping import EXIT_CODES, Stop
from study.running.worker import work

RESTARTS = 5
"""Crashed workers that are replaced before the study is given up."""

_FORK = multiprocessing.get_context("fork")


class Crew(NamedTuple):
    """The worker processes to start: how many, on which device, and where they log."""

    workers: int
    device: str
    url: str
    logs: Path


def launch(study: Study, prepared: Prepared, crew: Crew, tick: Callable[[], None]) -> int:
    """Work on the study until no run is left; the exit code.

    tick: called about four times a second while workers are at it.
    """
    requeue_ended(study)
    crew.logs.mkdir(parents=True, exist_ok=True)
    restarts = 0
    with _noted_signals() as received:
        processes = [_start(study, prepared, crew, number) for number in range(crew.workers)]
        while any(process.exitcode is None for process in processes):
            if received:
                return _stop(study, processes, received)
            tick()
            time.sleep(0.25)
            for number, process in enumerate(processes):
                code = process.exitcode
                if code in (None, 0):
                    continue
                requeue_ended(study)
                if code in (1, 2) or restarts == RESTARTS:
                    _stop(study, processes, [signal.SIGTERM])
                    return 2 if code == 2 else 1
                restarts += 1
                processes[number] = _start(study, prepared, crew, number)
    tick()
    return 0


def _start(study: Study, prepared: Prepared, crew: Crew, number: int) -> ForkProcess:
    # A connection that two processes hold is used by both.
    study.database.close()
    worker = _FORK.Process(
        target=_worker, args=(study.name, prepared, crew, number), name=f"worker-{number}",
        daemon=True,
    )  # fmt: skip
    # A signal that comes before the worker listens waits until it does.
    signal.pthread_sigmask(signal.SIG_BLOCK, EXIT_CODES)
    worker.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, EXIT_CODES)
    return worker


def _worker(name: str, prepared: Prepared, crew: Crew, number: int) -> None:
    os.setsid()  # a Ctrl-C reaches the workers once, through the process that started them
    _log_to(crew.logs / f"worker-{number}.log")
    keep_freed_memory()
    stop = Stop(os.getppid()).listen()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, EXIT_CODES)
    study = load_study(open_database(crew.url), name)
    sys.exit(work(study, prepared, crew.device, number, stop))


def _log_to(path: Path) -> None:
    """Standard output and error of this process go to a file from now on."""
    with path.open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())


def _stop(study: Study, processes: list[ForkProcess], received: list[signal.Signals]) -> int:
    """Ask all workers to stop, and once more for every further signal; the exit code."""
    if received[0] == signal.SIGINT:
        print("stopping after this epoch; Ctrl-C again stops at once", file=sys.stderr)
    sent = 0
    while any(process.exitcode is None for process in processes):
        for number in received[sent:]:
            for process in processes:
                if process.exitcode is None and process.pid is not None:
                    os.kill(process.pid, number)
        sent = len(received)
        time.sleep(0.05)
    requeue_ended(study)
    return EXIT_CODES[received[0]]


@contextmanager
def _noted_signals() -> Iterator[list[signal.Signals]]:
    """The list of signals that asked this process to stop, as it grows."""
    received: list[signal.Signals] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(signal.Signals(number))

    before = {number: signal.signal(number, note) for number in EXIT_CODES}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
