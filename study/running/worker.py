"""A worker: claims runs of a study, one after another, until none waits."""

import logging
from collections.abc import Sequence
from datetime import datetime

from training_factors.storage.owner import this_process
from training_factors.storage.run_queue import Claim, LostClaimError
from training_factors.storage.studies import CONFIRMATION, Study
from training_factors.storage.trials import Trial, read_frozen_trials, to_trial
from training_factors.study.running.confirmation import test_part
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.running.signals import InterruptedRunError, StopSignal
from training_factors.study.running.trial_runner import WorkerContext, run_claim
from training_factors.study.training.device import open_device
from training_factors.study.training.division import training_division
from training_factors.study.training.metrics import chance, objective_name

EQUAL_FAILURES = 5
"""Equal failures in a row."""

FAILURE_WINDOW, MOST_FAILURES = 20, 10
"""Failures among so many runs."""


def failure_limit_reached(trials: Sequence[Trial]) -> str | None:
    """Why the study should stop, seen from these trials; None when it may go on.

    Trials that stand or were interrupted do not count.
    """
    ended = [trial for trial in trials if trial.state in ("COMPLETE", "PRUNED", "FAIL")]
    reasons = [failure_reason(trial) for trial in ended]
    last = reasons[-EQUAL_FAILURES:]
    if len(last) == EQUAL_FAILURES and last[0] is not None and len(set(last)) == 1:
        return f"{EQUAL_FAILURES} runs in a row failed: {last[0]}"
    failed = [one for one in reasons[-FAILURE_WINDOW:] if one is not None]
    if len(failed) >= MOST_FAILURES:
        return f"{len(failed)} of the last {len(reasons[-FAILURE_WINDOW:])} runs failed, lately: {failed[-1]}"
    return None


def failure_reason(trial: Trial) -> str | None:
    """Why a run failed; None when it did not."""
    return str(trial.attributes.get("reason", "unknown")) if trial.state == "FAIL" else None


DONE, FAILED, LOST = 0, 10, 3
"""Exit codes: nothing waits, too many runs failed (not 1, with which an exception ends a process),
what has to be written cannot be."""

logger = logging.getLogger(__name__)


def work(study: Study, bench: WorkerContext, stop: StopSignal) -> int:
    """Run what waits; the exit code: DONE, FAILED, or 130 or 143 when asked to stop.

    Raises StorageLostError when what has to be written cannot be.
    """
    try:
        return _work(study, bench, stop)
    except KeyboardInterrupt:
        return stop.exit_code  # between two runs, while it waited for the database


def _work(study: Study, bench: WorkerContext, stop: StopSignal) -> int:
    owner = str(this_process())
    began = datetime.now()
    while not stop.requested:
        claim = study.queue.claim(owner)
        if claim is None:
            return DONE
        try:
            reason = run_claim(bench, claim, stop)
        except InterruptedRunError:
            break
        except LostClaimError:
            logger.warning(_lost(claim))
            continue
        if reason:
            logger.warning("%s failed: %s", claim.run, reason)
            too_many = failure_limit_reached(_ended_since(study, began))
            if too_many:
                logger.error(too_many)
                return FAILED
    return stop.exit_code


def _ended_since(study: Study, began: datetime) -> list[Trial]:
    """What ended lately: failures of an earlier start may have been mended."""
    trials = read_frozen_trials(study)
    return [to_trial(t) for t in trials if t.datetime_complete and t.datetime_complete >= began]


def _lost(claim: Claim) -> str:
    return f"{claim.run} was given to another worker while this one did not answer; dropped"


def open_context(
    study: Study, prepared: PreparedStudy, device_name: str, number: int, timing: WorkerTiming
) -> WorkerContext:
    """The place of a worker; number: which of its machine's, since workers take GPUs in turn."""
    device = open_device(device_name, number)
    seed = prepared.definition.seed
    data = training_division(prepared.dataset, seed, device)
    return WorkerContext(
        study,
        prepared.space,
        data,
        prepared.model,
        prepared.definition.epochs,
        seed,
        str(device),
        chance(data.validation.targets, data.problem),
        objective_name(data.problem),
        test_part(prepared, device) if study.name.endswith(CONFIRMATION) else None,
        timing.checkpoint_s,
    )
