"""The heartbeat of a machine: report its workers as alive, and requeue runs of dead workers.

It is a process of its own, not a thread of a worker, so that no computation can delay it. Clocks of
different machines need not agree: a worker counts as dead when its heartbeat has not changed for
the grace period by the clock of the machine that watches it, and only time in which the database
answered counts.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from training_factors.storage.live_trial import release_claim, resume_trial
from training_factors.storage.owner import ProcessStatus, read_owner, status_of, this_process
from training_factors.storage.retry import StorageUnavailableError
from training_factors.storage.run_queue import ActiveClaim, Claim, LostClaimError
from training_factors.storage.stop_requests import count_stop_requests
from training_factors.storage.studies import Study
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.running.signals import is_orphan

MAX_ATTEMPTS = 4
"""Maximum number of attempts: a run whose worker died this often is marked as failed."""

STOP_REQUESTED = 4
"""Exit code of a heartbeat process that has seen a request to stop the study's workers."""

logger = logging.getLogger(__name__)


class Silence(NamedTuple):
    """The last heartbeat of a claim, and the seconds for which it has not changed."""

    heartbeat: float
    seconds: float


SilenceByClaim = Mapping[Claim, Silence]


def run_heartbeat(study: Study, timing: WorkerTiming, parent: int, stop_requests: int) -> int:
    """Record heartbeats and requeue runs of dead workers; return the exit code of the process.

    It is 0 once the parent process has ended, and STOP_REQUESTED once somebody requests that the
    study's workers stop.

    stop_requests: number of stop requests before the parent started.
    """
    study = study.without_retry()  # this loop is the retry
    silences: SilenceByClaim = {}
    last_check = time.monotonic()
    is_unavailable = False
    while not is_orphan(parent):
        try:
            claims = study.queue.active_claims()
            now = time.monotonic()
            elapsed_s = min(now - last_check, 2 * timing.heartbeat_s)
            silences = update_silences(silences, claims, elapsed_s)
            last_check = now
            update_claims(study, claims, silences, timing.grace_s)
            if count_stop_requests(study) > stop_requests:
                return STOP_REQUESTED
            is_unavailable = False
        except StorageUnavailableError as error:
            if not is_unavailable:
                logger.warning("no heartbeats for now: %s", error)
            is_unavailable = True
        time.sleep(timing.heartbeat_s)
    return 0


def update_silences(
    silences: SilenceByClaim, claims: Sequence[ActiveClaim], elapsed_s: float
) -> SilenceByClaim:
    """Return the silence of every active claim, this many seconds after the last check."""
    updated = {}
    for claim, heartbeat in claims:
        previous = silences.get(claim, Silence(heartbeat, -elapsed_s))
        is_silent = previous.heartbeat == heartbeat
        updated[claim] = Silence(heartbeat, previous.seconds + elapsed_s if is_silent else 0.0)
    return updated


def update_claims(
    study: Study, claims: Sequence[ActiveClaim], silences: SilenceByClaim, grace_s: float
) -> None:
    """Record a heartbeat for this machine's live workers; requeue runs of dead or silent ones."""
    statuses = {claim: status_of(read_owner(claim.owner)) for claim, _ in claims}
    study.queue.record_heartbeat(
        [claim.owner for claim in statuses if statuses[claim] is ProcessStatus.ALIVE]
    )
    for claim, silence in silences.items():
        if statuses[claim] is ProcessStatus.ENDED:
            _requeue_or_fail(study, claim)
        elif statuses[claim] is not ProcessStatus.ALIVE and silence.seconds >= grace_s:
            _requeue(study, claim)


def requeue_ended(study: Study) -> int:
    """Requeue the runs of ended processes of this machine; return the number of runs."""
    ended = [
        claim
        for claim, _ in study.queue.active_claims()
        if status_of(read_owner(claim.owner)) is ProcessStatus.ENDED
    ]
    return sum(_requeue_or_fail(study, claim) for claim in ended)


def requeue_own(study: Study) -> None:
    """Requeue the runs that this process holds, which it no longer trains."""
    owner = str(this_process())
    for claim, _ in study.queue.active_claims():
        if claim.owner == owner:
            _requeue(study, claim)


def _requeue_or_fail(study: Study, claim: Claim) -> bool:
    """Requeue the run of a worker that died; mark it as failed in its last attempt.

    Returns whether that was done: false when the claim was void.
    """
    if claim.attempt < MAX_ATTEMPTS or claim.trial is None:
        return _requeue(study, claim)
    try:
        resume_trial(study, claim).fail(f"its worker died, in attempt {claim.attempt}")
    except LostClaimError:
        return False
    return True


def _requeue(study: Study, claim: Claim) -> bool:
    """Requeue a claimed run; return whether that was done."""
    try:
        release_claim(study, claim)
    except LostClaimError:
        return False  # the run ended just now, or another machine requeued it first
    return True
