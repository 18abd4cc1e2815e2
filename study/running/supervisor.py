"""Start the worker processes of this machine, watch them, restart them, and stop them.

A worker shares nothing with its parent that either of them writes, so it opens the database for
itself, whether it is forked or started anew.
"""

import logging
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module

from training_factors.storage.database import open_database
from training_factors.storage.owner import is_stopped
from training_factors.storage.retry import StorageUnavailableError
from training_factors.storage.run_queue import StudyGoneError
from training_factors.storage.stop_requests import count_stop_requests
from training_factors.storage.studies import Study, load_study
from training_factors.study.running.heartbeat import (
    STOP_REQUESTED,
    requeue_ended,
    run_heartbeat,
)
from training_factors.study.running.pool_process import run_worker
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.running.processes import (
    ChildProcess,
    delete_empty_logs,
    describe_exit,
    fork_process,
    send_signal,
    start_heartbeat,
    start_worker,
)
from training_factors.study.running.settings import WorkerPool
from training_factors.study.running.signals import EXIT_CODES, recorded_signals
from training_factors.study.running.worker import LOST, POOL_EXIT_CODES

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

logger = logging.getLogger(__name__)


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
        self._workers: dict[int, ChildProcess] = {}
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
        self._check_heartbeat()
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

    def _check_heartbeat(self) -> None:
        """Restart the heartbeat process if it has ended, and note a request to stop that it saw."""
        code = self._heartbeat.exitcode
        if code is None:
            return
        if code == STOP_REQUESTED:
            self._received.append(signal.SIGTERM)
            self._stop_requests = sys.maxsize  # workers that are stopping need heartbeats as well
        self._heartbeat = self._start_heartbeat()

    def _remove_ended_workers(self) -> int | None:
        """Remove and count workers that have ended; return the exit code if one ends the study."""
        for number, process in list(self._workers.items()):
            if process.exitcode is None:
                continue
            del self._workers[number]
            if process.exitcode in POOL_EXIT_CODES:
                self.stop()
                return POOL_EXIT_CODES[process.exitcode]
            self._read_queue_at = 0.0
            if process.exitcode not in (0, *EXIT_CODES.values()):
                self._crashes += 1
                self._last_crash = describe_exit(process)
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
            logger.error("workers keep crashing: %s", self._last_crash)
            self.stop()
            return 1
        waiting = sum(phase.waiting for phase in phases)
        free = [number for number in range(self._pool.workers) if number not in self._workers]
        for number in free[:waiting]:
            self._workers[number] = self._start_worker(number)
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
                    if count < 2:
                        send_signal(process, number)
                    else:
                        process.kill()
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
            logger.warning("%s; interrupted runs will be requeued later", error)
        delete_empty_logs(self._pool)

    def _start_worker(self, number: int) -> ChildProcess:
        pool, name = self._pool, self._study.name
        if pool.start == "spawn":
            return start_worker(pool, name, number)
        main = partial(
            _run_forked_worker, name=name, pool=pool, number=number, prepared=self._prepared
        )
        return self._fork(f"worker-{number}", main)

    def _start_heartbeat(self) -> ChildProcess:
        pool, name = self._pool, self._study.name
        if pool.start == "spawn":
            return start_heartbeat(pool, name, self._stop_requests)
        main = partial(
            _run_forked_heartbeat, name=name, pool=pool, stop_requests=self._stop_requests
        )
        return self._fork("heartbeat", main)

    def _fork(self, name: str, main: Callable[[int], int]) -> ChildProcess:
        import_module("torch._dynamo")  # the first optimizer does (1 to 2 s): once, before forking
        # Parent and child must not share a connection.
        self._study.database.close()
        return fork_process(self._pool, name, main)


def _run_forked_worker(
    parent: int, name: str, pool: WorkerPool, number: int, prepared: PreparedStudy
) -> int:
    return run_worker(
        name, pool.url, pool.device, pool.timing,
        number=number, parent=parent, prepare=lambda study: prepared,
    )  # fmt: skip


def _run_forked_heartbeat(parent: int, name: str, pool: WorkerPool, stop_requests: int) -> int:
    database = open_database(pool.url, retry_timeout_s=pool.timing.retry_timeout_s)
    return run_heartbeat(load_study(database, name), pool.timing, parent, stop_requests)
