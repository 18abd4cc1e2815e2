"""Worker processes on this machine: started, watched, asked to stop, started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from storage.ledger import has_ended
from storage.studies import Study
from storage.trials import find_trial
from study.running.stopping import EXIT_CODES

RESTARTS = 5
"""Crashed workers that are replaced before the study is given up."""

PARENT = "STUDY_PARENT"
"""Environment variable: the process whose end ends the worker."""

_ENTRY = Path(__file__).parents[2] / "run_study.py"

_LARGE = str(2**30)

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TZ": "UTC",  # Optuna stores local times
    # Freed activations stay with the process; otherwise the kernel takes them back and hands them
    # out again page by page: a digits CNN took 1.4 times as long (2 Xeon cores, one pair of runs).
    "MALLOC_MMAP_THRESHOLD_": _LARGE,
    "MALLOC_TRIM_THRESHOLD_": _LARGE,
    "MALLOC_TOP_PAD_": str(2**26),
}


class Crew(NamedTuple):
    """The worker processes to start: how many, on which device, and where they log."""

    workers: int
    device: str
    url: str
    logs: Path


def requeue_ended(study: Study) -> int:
    """Hand back what ended processes of this machine left running; how many runs that was."""
    left = study.ledger.requeue(has_ended)
    for claim in left:
        if claim.trial is not None:
            trial = find_trial(study, claim.trial)
            if not trial.stored().state.is_finished():
                trial.wait()
    return len(left)


def launch(study: Study, crew: Crew, tick: Callable[[], None]) -> int:
    """Work on the study until no run is left; the exit code.

    tick: called about four times a second while workers are at it.
    """
    requeue_ended(study)
    restarts = 0
    processes = [_start(study.name, crew, number) for number in range(crew.workers)]
    with _noted_signals() as received:
        while any(process.poll() is None for process in processes):
            if received:
                return _stop(study, processes, received)
            tick()
            time.sleep(0.25)
            for number, process in enumerate(processes):
                code = process.poll()
                if code in (None, 0):
                    continue
                requeue_ended(study)
                if code in (1, 2) or restarts == RESTARTS:
                    _stop(study, processes, [signal.SIGTERM])
                    return code if code in (1, 2) else 1
                restarts += 1
                processes[number] = _start(study.name, crew, number)
    tick()
    return 0


def _start(name: str, crew: Crew, number: int) -> subprocess.Popen[bytes]:
    crew.logs.mkdir(parents=True, exist_ok=True)
    with (crew.logs / f"worker-{number}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, str(_ENTRY), "worker", name, "--device", crew.device],
            env={
                **os.environ,
                **ENVIRONMENT,
                "STUDY_STORAGE": crew.url,  # not in the command line, where anybody can read it
                PARENT: str(os.getpid()),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a Ctrl-C reaches the workers once, through us
        )


def _stop(
    study: Study, processes: list[subprocess.Popen[bytes]], received: list[signal.Signals]
) -> int:
    """Ask all workers to stop, and once more for every further signal; the exit code."""
    sent = 0
    while any(process.poll() is None for process in processes):
        for number in received[sent:]:
            for process in processes:
                if process.poll() is None:
                    process.send_signal(number)
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
