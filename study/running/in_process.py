"""Run a study in this process: for debuggers, notebooks, and objects that no other process has."""

import logging
import sys
from collections.abc import Callable

from training_factors.storage.database import open_database
from training_factors.storage.retry import StorageUnavailableError
from training_factors.storage.stop_requests import count_stop_requests
from training_factors.storage.studies import Study, load_study
from training_factors.study.running.heartbeat import (
    STOP_REQUESTED,
    requeue_ended,
    requeue_own,
)
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.running.processes import (
    ChildProcess,
    delete_empty_logs,
    start_heartbeat,
)
from training_factors.study.running.settings import WorkerPool
from training_factors.study.running.signals import StopSignal
from training_factors.study.running.worker import LOST, POOL_EXIT_CODES, open_context, work

logger = logging.getLogger(__name__)


def run_in_process(
    study: Study, prepared: PreparedStudy, pool: WorkerPool, tick: Callable[[], None]
) -> int:
    """Train runs in this process until none waits; return the exit code, as a pool has it.

    Only the heartbeat is a process of its own, so that a debugger may hold this one up. Use the
    study's database for nothing else meanwhile.

    tick: called at the end of every epoch.
    """
    pool.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    requeue_ended(study)
    heart = _Heart(study, pool)

    def is_asked() -> bool:
        tick()
        return heart.is_asked()

    stop = StopSignal(is_asked=is_asked)
    try:
        with stop.listening():
            code = _work(study, prepared, pool, stop)
    finally:
        heart.end()
        _release_own(study)
        delete_empty_logs(pool)
        tick()
    return POOL_EXIT_CODES.get(code, code)


def _release_own(study: Study) -> None:
    """Release the run that an exception has ended; this process lives, so nobody else would."""
    try:
        requeue_own(study)
    except StorageUnavailableError as error:
        logger.warning("%s; an interrupted run will be requeued when this program has ended", error)


def _work(study: Study, prepared: PreparedStudy, pool: WorkerPool, stop: StopSignal) -> int:
    """Train runs until none waits; return the exit code of a worker."""
    try:
        database = open_database(
            pool.url,
            retry_timeout_s=pool.timing.retry_timeout_s,
            is_cancelled=lambda: stop.requested,
        )
        opened = load_study(database, study.name)
        code = work(opened, open_context(opened, prepared, pool.device, 0, pool.timing), stop)
        database.close()
    except StorageUnavailableError as error:
        logger.error(str(error))
        return stop.exit_code if stop.requested else LOST
    return code


class _Heart:
    """The heartbeat process, and what it has seen."""

    def __init__(self, study: Study, pool: WorkerPool) -> None:
        self._name, self._pool, self._is_asked = study.name, pool, False
        self._stop_requests = (
            count_stop_requests(study) if pool.stop_requests is None else pool.stop_requests
        )
        self._process: ChildProcess = start_heartbeat(pool, study.name, self._stop_requests)

    def is_asked(self) -> bool:
        """Return whether somebody asks to stop; start the process again if it has ended."""
        if self._process.exitcode is None:
            return self._is_asked
        if self._process.exitcode == STOP_REQUESTED:
            self._is_asked, self._stop_requests = True, sys.maxsize
        self._process = start_heartbeat(self._pool, self._name, self._stop_requests)
        return self._is_asked

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
