"""The loop of a worker: claim and train runs until none waits, or too many fail."""

import logging
from collections.abc import Sequence
from datetime import datetime

from training_factors.storage.live_trial import utc_now
from training_factors.storage.owner import this_process
from training_factors.storage.run_queue import LostClaimError, StudyGoneError
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial, read_frozen_trials, to_trial
from training_factors.study.data.division import training_division
from training_factors.study.running.confirmation import open_test_part
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.running.signals import InterruptedRunError, StopSignal
from training_factors.study.running.trial_runner import WorkerContext, run_claim
from training_factors.study.training.device import open_device
from training_factors.study.training.metrics import open_objective

DONE, FAILED, LOST = 0, 10, 3
"""Exit codes of a worker: no run waits; too many runs failed (not 1, the code of a process that an
exception ended); the database or a checkpoint cannot be written."""

POOL_EXIT_CODES = {FAILED: 1, LOST: LOST, 2: 2}
"""Exit code of a worker that ends the study -> exit code of the pool. 2 is that of a process that
was started anew and cannot prepare the study as it is stored."""

MAX_EQUAL_FAILURES = 5
"""Number of failures in a row with the same reason that stops the study."""

FAILURE_WINDOW = 20
"""Number of latest runs among which failures are counted."""

MAX_FAILURES = 10
"""Number of failures among the runs of the window that stops the study."""

logger = logging.getLogger(__name__)


def open_context(
    study: Study, prepared: PreparedStudy, device_name: str, number: int, timing: WorkerTiming
) -> WorkerContext:
    """Move the data to the worker's device, and return the context of its runs.

    number: of the worker among those of its machine, which take the GPUs in turn.
    """
    device = open_device(device_name, number)
    seed = prepared.definition.seed
    data = training_division(prepared.dataset, seed, device)
    return WorkerContext(
        study,
        prepared.space,
        prepared.dataset,
        data,
        prepared.model,
        prepared.definition.epochs,
        seed,
        str(device),
        open_objective(prepared.metric, data.validation.targets, data.problem, data.target_scale),
        open_test_part(prepared, device) if study.is_confirmation else None,
        timing.checkpoint_s,
    )


def work(study: Study, context: WorkerContext, stop: StopSignal) -> int:
    """Claim and train runs until none waits; return DONE, FAILED, or 130 or 143 when stopped.

    Raises StorageUnavailableError when the database or a checkpoint cannot be written.
    """
    try:
        return _work(study, context, stop)
    except KeyboardInterrupt:
        return stop.exit_code  # a second stop signal, between two runs


def _work(study: Study, context: WorkerContext, stop: StopSignal) -> int:
    owner = str(this_process())
    began = utc_now()
    while not stop.requested:
        claim = study.queue.claim(owner)
        if claim is None:
            return DONE
        try:
            reason = run_claim(context, claim, stop)
        except InterruptedRunError:
            break
        except StudyGoneError as error:
            logger.error(str(error))
            break
        except LostClaimError:
            if not study.queue.is_there():
                logger.error("study %r was deleted or renamed meanwhile", study.name)
                break
            logger.warning(
                "%s was given to another worker, since this one sent no heartbeat", claim.run
            )
            continue
        if reason:
            logger.warning("%s failed: %s", claim.run, reason)
            limit_reason = failure_limit_reached(_ended_since(study, began))
            if limit_reason:
                logger.error(limit_reason)
                return FAILED
    return stop.exit_code


def failure_limit_reached(trials: Sequence[Trial]) -> str | None:
    """Return why the study should stop, given its trials in order; None to continue.

    Trials that are running or waiting do not count.
    """
    ended = [trial for trial in trials if trial.state in ("COMPLETE", "PRUNED", "FAIL")]
    reasons = [failure_reason(trial) for trial in ended]
    latest = reasons[-MAX_EQUAL_FAILURES:]
    if len(latest) == MAX_EQUAL_FAILURES and latest[0] is not None and len(set(latest)) == 1:
        return f"{MAX_EQUAL_FAILURES} runs in a row failed: {latest[0]}"
    window = reasons[-FAILURE_WINDOW:]
    failures = [reason for reason in window if reason is not None]
    if len(failures) >= MAX_FAILURES:
        counts = f"{len(failures)} of the last {len(window)} runs failed"
        return f"{counts}, most recently: {failures[-1]}"
    return None


def failure_reason(trial: Trial) -> str | None:
    """Return why a run failed; None when it did not fail."""
    return str(trial.attributes.get("reason", "unknown")) if trial.state == "FAIL" else None


def _ended_since(study: Study, began: datetime) -> list[Trial]:
    """Return the trials that ended since then: what failed earlier may have been fixed."""
    trials = read_frozen_trials(study)
    return [to_trial(t) for t in trials if t.datetime_complete and t.datetime_complete >= began]
