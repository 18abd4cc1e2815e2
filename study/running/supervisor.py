"""Start the worker processes of this machine, watch them, restart them, and stop them.

Workers are forked from the process that has prepared the study: data, torch and everything else are
loaded once, and take memory once. A worker shares nothing with its parent that either of them
writes, so it opens the database for itself.
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
from training_factors.storage.run_queue import StudyGoneError
from training_factors.storage.stop_requests import count_stop_requests
from training_factors.storage.studies import Study, load_study
from training_factors.study.running.heartbeat import requeue_ended, run_heartbeat
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.running.process_setup import configure_process
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.running.signals import EXIT_CODES, StopSignal, recorded_signals
from training_factors.study.running.worker import FAILED, LOST, open_context, work

MAX_CRASHES = 5
"""Maximum number of crashes per worker without a finished run in between; then the pool stops."""

CHECK_INTERVAL_S = 0.25
"""Seconds between two checks of the worker processes."""

QUEUE_INTERVAL_S = 1.0
"""Seconds between two reads of the queue, while fewer workers run than the pool has room for."""

STOP_INTERVAL_S = 0.05
"""Seconds between two checks of workers that are stopping."""

STOPPED_GRACE_PERIODS = 6
"""A process that stays stopped (SIGSTOP, a debugger) for this many grace periods is killed.

It may hold SQLite's write lock, and then nobody else can write. Its run was requeued long before.
"""

_POOL_EXIT_CODES = {FAILED: 1, LOST: LOST}
"""Exit code of a worker that ends the study -> exit code of the pool."""

_FORK = multiprocessing.get_context("fork")

_Target = Callable[[str, PreparedStudy, "WorkerPool", int, int], None]
"""The main function of a process: (study's name, prepared study, pool, argument, parent's id)."""

logger = logging.getLogger(__name__)


class WorkerPool(NamedTuple):
    """The worker processes to start on this machine.

    workers: their number. url: of the database. logs: folder of their log files. stop_requests:
    number of stop requests to the study before this pool; a further one stops the pool. None:
    those that there are when the pool starts.
    """

    workers: int
    device: str
    url: str
    logs: Path
    timing: WorkerTiming
    stop_requests: int | None = None


def run_workers(
    study: Study, prepared: PreparedStudy, pool: WorkerPool, tick: Callable[[], None]
) -> int:
    """Run workers until no run of the study is left, here or elsewhere; return the exit code.

    tick: called about four times a second meanwhile.
    """
    pool.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    with recorded_signals() as received:
        supervisor = Supervisor(study, prepared, pool, received)
        try:
            while not received:
                tick()
                code = supervisor.check()
                if code is not None:
                    return code
                time.sleep(CHECK_INTERVAL_S)
            return supervisor.stop()
        finally:
            supervisor.close()
            if not received:
                tick()


class Supervisor:
    """Starts the workers and the heartbeat process of this machine, and restarts them.

    received: the stop signals to this process, appended as they arrive.
    """

    def __init__(
        self,
        study: Study,
        prepared: PreparedStudy,
        pool: WorkerPool,
        received: list[signal.Signals],
    ) -> None:
        self._study, self._prepared, self._pool = study, prepared, pool
        self._received = received
        requeue_ended(study)
        self._workers: dict[int, ForkProcess] = {}
        self._crashes, self._last_crash, self._done = 0, "", -1
        self._read_queue_at = 0.0
        self._unavailable_since: float | None = None
        self._stopped_since: dict[int, float] = {}
        self._stop_requests = (
            count_stop_requests(study) if pool.stop_requests is None else pool.stop_requests
        )
        self._heartbeat = self._start_heartbeat()

    def check(self) -> int | None:
        """Restart processes that have ended; return the exit code once there is no more to do."""
        if self._heartbeat.exitcode not in (None, 0):
            self._heartbeat = self._start_heartbeat()
        self._kill_stopped(STOPPED_GRACE_PERIODS * self._pool.timing.grace_s)
        code = self._remove_ended_workers()
        if code is not None:
            return code
        try:
            code = self._start_missing_workers()
        except StorageUnavailableError:
            # Workers retry for themselves, and end when that took too long.
            self._unavailable_since = self._unavailable_since or time.monotonic()
            waited_s = time.monotonic() - self._unavailable_since
            is_over = not self._workers and waited_s > self._pool.timing.retry_timeout_s
            return LOST if is_over else None
        self._unavailable_since = None
        return code

    def _remove_ended_workers(self) -> int | None:
        """Remove and count workers that have ended; return the exit code if one ends the study."""
        for number, process in list(self._workers.items()):
            if process.exitcode is None:
                continue
            del self._workers[number]
            if process.exitcode in _POOL_EXIT_CODES:
                self.stop()
                return _POOL_EXIT_CODES[process.exitcode]
            self._read_queue_at = 0.0
            if process.exitcode not in (0, *EXIT_CODES.values()):
                self._crashes += 1
                self._last_crash = _describe_exit(process)
        return None

    def _start_missing_workers(self) -> int | None:
        """Start as many workers as there are waiting runs; return the exit code if none is left."""
        missing = self._pool.workers - len(self._workers)
        if not missing or time.monotonic() < self._read_queue_at:
            return None
        self._read_queue_at = time.monotonic() + QUEUE_INTERVAL_S
        if self._crashes:
            requeue_ended(self._study)
        phases = self._study.queue.progress().values()
        if not phases:
            raise StudyGoneError(f"study {self._study.name!r} was deleted or renamed meanwhile")
        done = sum(phase.done for phase in phases)
        if done != self._done:
            self._crashes, self._done = min(self._crashes, 1), done
        if self._crashes > MAX_CRASHES * self._pool.workers:
            print(f"workers keep crashing: {self._last_crash}", file=sys.stderr)
            self.stop()
            return 1
        waiting = sum(phase.waiting for phase in phases)
        free = [number for number in range(self._pool.workers) if number not in self._workers]
        for number in free[:waiting]:
            self._workers[number] = self._start(_run_worker, f"worker-{number}", number)
        if waiting or sum(phase.running for phase in phases):
            return None
        self._kill_stopped(0)  # others have finished the runs of stopped workers meanwhile
        return None if self._workers else 0

    def _kill_stopped(self, limit_s: float) -> None:
        """Kill the processes that have been stopped for at least this many seconds."""
        now = time.monotonic()
        for process in (self._heartbeat, *self._workers.values()):
            if process.pid is None or not is_stopped(process.pid):
                self._stopped_since.pop(process.pid or 0, None)
            elif now - self._stopped_since.setdefault(process.pid, now) >= limit_s:
                process.kill()

    def stop(self) -> int:
        """Send workers every stop signal that this process received; return the exit code.

        Without any, send SIGTERM. The third and later ones are sent as SIGKILL, for workers that
        do not respond.
        """
        if self._received[:1] == [signal.SIGINT]:
            print("stopping after this epoch; Ctrl-C again stops at once", file=sys.stderr)
        elif not self._received:
            self._received.append(signal.SIGTERM)
        sent = 0
        while any(process.exitcode is None for process in self._workers.values()):
            for count, number in enumerate(self._received[sent:], start=sent):
                for process in self._workers.values():
                    if process.exitcode is None and process.pid is not None:
                        os.kill(process.pid, number if count < 2 else signal.SIGKILL)
                        os.kill(process.pid, signal.SIGCONT)
            sent = len(self._received)
            time.sleep(STOP_INTERVAL_S)
        return EXIT_CODES[self._received[0]]

    def close(self) -> None:
        """End the heartbeat process, requeue the runs of crashed workers, delete empty logs.

        Runs are requeued here so that nobody has to wait for the grace period.
        """
        self._heartbeat.kill()
        self._heartbeat.join()
        try:
            requeue_ended(self._study)
        except StorageUnavailableError as error:
            print(f"{error}; interrupted runs will be requeued later", file=sys.stderr)
        for log in self._pool.logs.glob(f"{os.getpid()}-*.log"):
            if not log.stat().st_size:
                log.unlink()

    def _start_heartbeat(self) -> ForkProcess:
        return self._start(_run_heartbeat, "heartbeat", self._stop_requests)

    def _start(self, target: _Target, name: str, argument: int) -> ForkProcess:
        # Parent and child must not share a connection.
        self._study.database.close()
        process = _FORK.Process(
            target=_run_process, name=name, daemon=True,
            args=(
                target, name, self._study.name, self._prepared, self._pool, argument, os.getpid()
            ),
        )  # fmt: skip
        # Block signals until the worker listens: one that arrives earlier is delivered then.
        signal.pthread_sigmask(signal.SIG_BLOCK, EXIT_CODES)
        process.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, EXIT_CODES)
        return process


def _run_process(
    target: _Target,
    name: str,
    study: str,
    prepared: PreparedStudy,
    pool: WorkerPool,
    argument: int,
    parent: int,
) -> None:
    os.setsid()  # Ctrl-C signals the parent alone, which passes it on once
    _redirect_output(pool.logs / f"{parent}-{name}.log")
    target(study, prepared, pool, argument, parent)


def _run_worker(
    name: str, prepared: PreparedStudy, pool: WorkerPool, number: int, parent: int
) -> None:
    configure_process()
    stop = StopSignal(parent).listen()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, EXIT_CODES)
    try:
        database = open_database(
            pool.url,
            retry_timeout_s=pool.timing.retry_timeout_s,
            is_cancelled=lambda: stop.requested,
        )
        study = load_study(database, name)
        context = open_context(study, prepared, pool.device, number, pool.timing)
        code = work(study, context, stop)
    except StorageUnavailableError as error:
        logger.error(str(error))
        code = stop.exit_code if stop.requested else LOST
    sys.exit(code)


def _run_heartbeat(
    name: str, prepared: PreparedStudy, pool: WorkerPool, stop_requests: int, parent: int
) -> None:
    database = open_database(pool.url, retry_timeout_s=pool.timing.retry_timeout_s)
    run_heartbeat(load_study(database, name), pool.timing, parent, stop_requests)


def _redirect_output(path: Path) -> None:
    """Append standard output, standard error and the log of this process to a file."""
    with path.open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    # The parent's streams may be those of a notebook, which are no files.
    sys.stdout, sys.stderr = (
        os.fdopen(handle, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
        for handle in (1, 2)
    )
    logging.basicConfig(format="%(asctime)s %(message)s", force=True)


def _describe_exit(process: ForkProcess) -> str:
    """Return how a process ended, in words."""
    code = process.exitcode or 0
    if code < 0:
        return f"{process.name} was killed by {signal.Signals(-code).name}; see its log"
    return f"{process.name} ended with exit code {code}; see its log"
