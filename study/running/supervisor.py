"""Worker processes on this machine: started, watched, asked to stop, started again.

Workers are forked from the process that has prepared the study, so that data, torch and all else
are loaded once, are there at once, and take memory once. A worker shares nothing with it that
either of them writes: it opens the database for itself.
"""

import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import NamedTuple

import torch._dynamo  # noqa: F401 - the first optimizer imports it (1.9 s): once, before forking

from training_factors.storage.database import open_database
from training_factors.storage.owner import is_stopped
from training_factors.storage.retry import StorageUnavailableError
from training_factors.storage.stop_requests import count_stop_requests
from training_factors.storage.studies import Study, load_study
from training_factors.study.running.heartbeat import requeue_ended, run_heartbeat
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.running.process_setup import keep_freed_memory
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.running.signals import EXIT_CODES, StopSignal, recorded_signals
from training_factors.study.running.worker import FAILED, LOST, open_context, work

CRASHES = 5
"""Crashes per worker with no run ended in between, after which the study is given up."""

_CODES = {FAILED: 1, LOST: LOST}
"""What a shell is told of how a worker ended."""

LOOK_S, STAFF_S = 0.25, 1.0
"""Seconds between two looks at the workers, and at the list when fewer work than could."""

_FORK = multiprocessing.get_context("fork")

_Task = Callable[[str, PreparedStudy, "WorkerPool", int, int], None]

logger = logging.getLogger(__name__)


class WorkerPool(NamedTuple):
    """The worker processes to start: how many, on which device, and where they log.

    asked: how often the study's workers had been asked to stop when this began, which is before it
    can work; once more means these. None: until now.
    """

    workers: int
    device: str
    url: str
    logs: Path
    timing: WorkerTiming
    asked: int | None = None


def run_workers(
    study: Study, prepared: PreparedStudy, crew: WorkerPool, tick: Callable[[], None]
) -> int:
    """Work on the study until no run is left, here or elsewhere; the exit code.

    tick: called about four times a second meanwhile.
    """
    crew.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    with recorded_signals() as received:
        foreman = Supervisor(study, prepared, crew, received)
        try:
            while not received:
                tick()
                code = foreman.look()
                if code is not None:
                    return code
                time.sleep(LOOK_S)
            return foreman.stop()
        finally:
            foreman.leave()
            if not received:
                tick()


class Supervisor:
    """Who starts the workers of this machine, and looks after them.

    received: the signals that asked this process to stop, as they come.
    """

    def __init__(
        self,
        study: Study,
        prepared: PreparedStudy,
        crew: WorkerPool,
        received: list[signal.Signals],
    ) -> None:
        self._study, self._prepared, self._crew = study, prepared, crew
        self._received = received
        requeue_ended(study)
        self._workers: dict[int, ForkProcess] = {}
        self._crashes, self._last_crash, self._done = 0, "", -1
        self._staff_at = 0.0
        self._lost_since: float | None = None
        self._asked = count_stop_requests(study) if crew.asked is None else crew.asked
        self._pulse = self._start(_beat, "pulse", self._asked)

    def look(self) -> int | None:
        """See to it that whatever waits is worked on; the exit code when there is no more to do."""
        if self._pulse.exitcode not in (None, 0):
            self._pulse = self._start(_beat, "pulse", self._asked)
        for number, process in list(self._workers.items()):
            if process.exitcode is None:
                continue
            del self._workers[number]
            if process.exitcode in (FAILED, LOST):
                self.stop()
                return _CODES[process.exitcode]
            self._staff_at = 0.0
            if process.exitcode not in (0, *EXIT_CODES.values()):
                self._crashes += 1
                self._last_crash = _death(process)
        try:
            code = self._staff()
        except StorageUnavailableError:
            # Workers wait for the database themselves, and say when it took too long.
            self._lost_since = self._lost_since or time.monotonic()
            waited = time.monotonic() - self._lost_since
            is_over = not self._workers and waited > self._crew.timing.retry_timeout_s
            return LOST if is_over else None
        self._lost_since = None
        return code

    def _staff(self) -> int | None:
        """As many workers as there are runs for; the exit code when no run is left."""
        missing = self._crew.workers - len(self._workers)
        if not missing or time.monotonic() < self._staff_at:
            return None
        self._staff_at = time.monotonic() + STAFF_S
        if self._crashes:
            requeue_ended(self._study)
        phases = self._study.queue.progress().values()
        done = sum(phase.done for phase in phases)
        if done != self._done:
            self._crashes, self._done = min(self._crashes, 1), done
        if self._crashes > CRASHES * self._crew.workers:
            print(f"workers crash again and again: {self._last_crash}", file=sys.stderr)
            self.stop()
            return 1
        waiting = sum(phase.waiting for phase in phases)
        free = [number for number in range(self._crew.workers) if number not in self._workers]
        for number in free[:waiting]:
            self._workers[number] = self._start(_work, f"worker-{number}", number)
        if waiting or sum(phase.running for phase in phases):
            return None
        self._end_stopped()
        return None if self._workers else 0

    def _end_stopped(self) -> None:
        """End workers that stand still, and whose runs others have done meanwhile."""
        for process in self._workers.values():
            if process.pid is not None and is_stopped(process.pid):
                process.kill()

    def stop(self) -> int:
        """Ask all workers to stop, and once more for every further signal; the exit code."""
        if self._received[:1] == [signal.SIGINT]:
            print("stopping after this epoch; Ctrl-C again stops at once", file=sys.stderr)
        elif not self._received:
            self._received.append(signal.SIGTERM)
        sent = 0
        while any(process.exitcode is None for process in self._workers.values()):
            for order, number in enumerate(self._received[sent:], start=sent):
                for process in self._workers.values():
                    if process.exitcode is None and process.pid is not None:
                        # The third is for those that do not answer.
                        os.kill(process.pid, number if order < 2 else signal.SIGKILL)
                        os.kill(process.pid, signal.SIGCONT)
            sent = len(self._received)
            time.sleep(0.05)
        return EXIT_CODES[self._received[0]]

    def leave(self) -> None:
        """Hand back what crashed workers held, so that nobody has to wait for the grace period."""
        self._pulse.kill()
        self._pulse.join()
        try:
            requeue_ended(self._study)
        except StorageUnavailableError as error:
            print(f"{error}; what ran is run again later", file=sys.stderr)
        for log in self._crew.logs.glob(f"{os.getpid()}-*.log"):
            if not log.stat().st_size:
                log.unlink()

    def _start(self, target: _Task, name: str, number: int) -> ForkProcess:
        # A connection that two processes hold is used by both.
        self._study.database.close()
        process = _FORK.Process(
            target=_begin, name=name, daemon=True,
            args=(target, name, self._study.name, self._prepared, self._crew, number, os.getpid()),
        )  # fmt: skip
        # A signal that comes before the worker listens waits until it does.
        signal.pthread_sigmask(signal.SIG_BLOCK, EXIT_CODES)
        process.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, EXIT_CODES)
        return process


def _begin(
    target: _Task,
    name: str,
    study: str,
    prepared: PreparedStudy,
    crew: WorkerPool,
    number: int,
    parent: int,
) -> None:
    os.setsid()  # a Ctrl-C reaches the workers once, through the process that started them
    _log_to(crew.logs / f"{parent}-{name}.log")
    target(study, prepared, crew, number, parent)


def _work(name: str, prepared: PreparedStudy, crew: WorkerPool, number: int, parent: int) -> None:
    keep_freed_memory()
    stop = StopSignal(parent).listen()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, EXIT_CODES)
    try:
        database = open_database(
            crew.url,
            retry_timeout_s=crew.timing.retry_timeout_s,
            is_cancelled=lambda: stop.requested,
        )
        study = load_study(database, name)
        bench = open_context(study, prepared, crew.device, number, crew.timing)
        code = work(study, bench, stop)
    except StorageUnavailableError as error:
        logger.error(str(error))
        code = stop.exit_code if stop.requested else LOST
    sys.exit(code)


def _beat(name: str, prepared: PreparedStudy, crew: WorkerPool, asked: int, parent: int) -> None:
    study = load_study(open_database(crew.url, retry_timeout_s=crew.timing.retry_timeout_s), name)
    run_heartbeat(study, crew.timing, parent, asked)


def _log_to(path: Path) -> None:
    """Standard output and error of this process go to a file from now on."""
    with path.open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    logging.basicConfig(format="%(asctime)s %(message)s", force=True)


def _death(process: ForkProcess) -> str:
    """How a process ended, in words."""
    code = process.exitcode or 0
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"{process.name} ended with {how}; its log has more, if it could write"
