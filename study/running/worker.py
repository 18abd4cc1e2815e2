"""A worker: claims runs of a study, one after another, until none waits."""

import logging
from datetime import datetime

from storage.ledger import Claim, LostClaimError
from storage.owner import this_process
from storage.studies import CONFIRMATION, Study
from storage.tables import Trial, read_frozen, tidy
from study.running.budget import exhausted
from study.running.confirmation import test_part
from study.running.objective import Bench, run
from study.running.preparation import Prepared
from study.running.stopping import InterruptedRunError, Stop
from study.running.timing import Timing
from study.training.device import open_device
from study.training.division import training_division
from study.training.metrics import chance, objective_name

DONE, FAILED, LOST = 0, 10, 3
"""Exit codes: nothing waits, too many runs failed (not 1, with which an exception ends a process),
what has to be written cannot be."""

logger = logging.getLogger(__name__)


def work(study: Study, bench: Bench, stop: Stop) -> int:
    """Run what waits; the exit code: DONE, FAILED, or 130 or 143 when asked to stop.

    Raises StorageLostError when what has to be written cannot be.
    """
    try:
        return _work(study, bench, stop)
    except KeyboardInterrupt:
        return stop.exit_code  # between two runs, while it waited for the database


def _work(study: Study, bench: Bench, stop: Stop) -> int:
    owner = str(this_process())
    began = datetime.now()
    while not stop.requested:
        claim = study.ledger.claim(owner)
        if claim is None:
            return DONE
        try:
            reason = run(bench, claim, stop)
        except InterruptedRunError:
            break
        except LostClaimError:
            logger.warning(_lost(claim))
            continue
        if reason:
            logger.warning("%s failed: %s", claim.run, reason)
            too_many = exhausted(_ended_since(study, began))
            if too_many:
                logger.error(too_many)
                return FAILED
    return stop.exit_code


def _ended_since(study: Study, began: datetime) -> list[Trial]:
    """What ended lately: failures of an earlier start may have been mended."""
    trials = read_frozen(study)
    return [tidy(t) for t in trials if t.datetime_complete and t.datetime_complete >= began]


def _lost(claim: Claim) -> str:
    return f"{claim.run} was given to another worker while this one did not answer; dropped"


def open_bench(
    study: Study, prepared: Prepared, device_name: str, number: int, timing: Timing
) -> Bench:
    """The place of a worker; number: which of its machine's, since workers take GPUs in turn."""
    device = open_device(device_name, number)
    seed = prepared.definition.seed
    data = training_division(prepared.dataset, seed, device)
    return Bench(
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
