"""Train runs as one worker of a pool, in a process of its own."""

import logging
from collections.abc import Callable

from training_factors.storage.database import open_database
from training_factors.storage.retry import StorageUnavailableError
from training_factors.storage.studies import Study, load_study
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.running.process_setup import configure_process
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.running.signals import StopSignal, block_stop_signals
from training_factors.study.running.worker import LOST, open_context, work

logger = logging.getLogger(__name__)


def run_worker(
    name: str,
    url: str,
    device: str,
    timing: WorkerTiming,
    *,
    number: int,
    parent: int,
    prepare: Callable[[Study], PreparedStudy],
) -> int:
    """Train runs of the study of this name until none waits; return the exit code of the process.

    url: of the database. number: of the worker among those of its pool. parent: process id of the
    process that started it; the worker stops when that has ended. prepare: prepares the study.

    Raises ValueError when the study cannot be prepared as it is stored.
    """
    configure_process()
    stop = StopSignal(parent).listen()
    block_stop_signals(block=False)
    try:
        database = open_database(
            url, retry_timeout_s=timing.retry_timeout_s, is_cancelled=lambda: stop.requested
        )
        study = load_study(database, name)
        return work(study, open_context(study, prepare(study), device, number, timing), stop)
    except StorageUnavailableError as error:
        logger.error(str(error))
        return stop.exit_code if stop.requested else LOST
