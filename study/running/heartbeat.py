"""The pulse of a machine: a process that says which of its workers live, and who else does not.

It is no thread of a worker, so that no computation can keep it from its work; and it needs no two
clocks to agree: a worker is taken for gone when its heartbeat has not changed for the grace period
by the clock of who watches, counting only time in which the database answered.
"""

import logging
import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from training_factors.storage.live_trial import release_claim, resume_trial
from training_factors.storage.owner import ProcessStatus, read_owner, status_of
from training_factors.storage.retry import StorageUnavailableError
from training_factors.storage.run_queue import ActiveClaim, Claim, LostClaimError
from training_factors.storage.stop_requests import count_stop_requests
from training_factors.storage.studies import Study
from training_factors.study.running.settings import WorkerTiming

logger = logging.getLogger(__name__)


MAX_ATTEMPTS = 4
"""The attempt at a run that is the last when its worker dies in it: it may be what kills them."""


class Silence(NamedTuple):
    """How long a claim's heartbeat has not changed."""

    heartbeat: float
    seconds: float


Watch = Mapping[Claim, Silence]


def run_heartbeat(study: Study, timing: WorkerTiming, parent: int, asked: int) -> None:
    """Keep this machine's workers known as living, and hand back what others left behind.

    Ends with its parent. Tells it to stop when the study's workers are asked to; asked: how often
    they were before it started.
    """
    study = study.without_retry()  # it looks again anyway
    watch: Watch = {}
    looked = time.monotonic()
    is_away = False
    while os.getppid() == parent:
        try:
            held = study.queue.active_claims()
            now = time.monotonic()
            watch = update_silence(watch, held, min(now - looked, 2 * timing.heartbeat_s))
            looked = now
            update_claims(study, held, watch, timing.grace_s)
            now_asked = count_stop_requests(study)
            if now_asked > asked:
                os.kill(parent, signal.SIGTERM)
            asked = now_asked
            is_away = False
        except StorageUnavailableError as error:
            if not is_away:
                logger.warning("no heartbeats for now: %s", error)
            is_away = True
        time.sleep(timing.heartbeat_s)


def update_silence(watch: Watch, held: Sequence[ActiveClaim], elapsed_s: float) -> Watch:
    """The silence of every claim that is held, after another look."""
    heard = {}
    for claim, heartbeat in held:
        before = watch.get(claim, Silence(heartbeat, -elapsed_s))
        is_silent = before.heartbeat == heartbeat
        heard[claim] = Silence(heartbeat, before.seconds + elapsed_s if is_silent else 0.0)
    return heard


def update_claims(study: Study, held: Sequence[ActiveClaim], watch: Watch, grace_s: float) -> None:
    """A heartbeat for the living here; back to the list what the ended and the silent held."""
    standings = {claim: status_of(read_owner(claim.owner)) for claim, _ in held}
    study.queue.record_heartbeat(
        [claim.owner for claim in standings if standings[claim] is ProcessStatus.ALIVE]
    )
    for claim, silence in watch.items():
        if standings[claim] is ProcessStatus.ENDED:
            _after_death(study, claim)
        elif standings[claim] is not ProcessStatus.ALIVE and silence.seconds >= grace_s:
            _hand_back(study, claim)


def requeue_ended(study: Study) -> int:
    """Hand back what ended processes of this machine left running; how many runs that was."""
    ended = [
        claim
        for claim, _ in study.queue.active_claims()
        if status_of(read_owner(claim.owner)) is ProcessStatus.ENDED
    ]
    return sum(_after_death(study, claim) for claim in ended)


def _after_death(study: Study, claim: Claim) -> bool:
    """Hand back what an ended process held; too many deaths are the run's own doing."""
    if claim.attempt < MAX_ATTEMPTS or claim.trial is None:
        return _hand_back(study, claim)
    try:
        resume_trial(study, claim).fail(f"its worker died, in attempt {claim.attempt}")
    except LostClaimError:
        return False
    return True


def _hand_back(study: Study, claim: Claim) -> bool:
    try:
        release_claim(study, claim)
    except LostClaimError:
        return False  # it ended in time, or another machine was quicker
    return True
