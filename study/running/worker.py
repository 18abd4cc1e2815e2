"""A worker: claims runs of a study, one after another, until none waits."""

import logging

import torch

from storage.ledger import this_process
from storage.studies import CONFIRMATION, Study
from study.running.confirmation import test_part
from study.running.objective import Bench, run
from study.running.preparation import Prepared
from study.running.stopping import InterruptedRunError, Stop
from study.training.device import open_device
from study.training.division import training_division
from study.training.metrics import chance, objective_name

FAILURES = 5
"""Equal failures in a row that end a worker: the next run would fail the same way."""

logger = logging.getLogger(__name__)


def work(study: Study, prepared: Prepared, device_name: str, number: int, stop: Stop) -> int:
    """Run what waits; the exit code: 0 done, 1 too many failures, 130 or 143 asked to stop.

    number: of this worker on this machine; workers take GPUs in turn.
    """
    bench = open_bench(study, prepared, open_device(device_name, number))
    owner = this_process()
    failures: list[str] = []
    while not stop.requested:
        claim = study.ledger.claim(owner)
        if claim is None:
            return 0
        try:
            reason = run(bench, claim, stop)
        except InterruptedRunError:
            break
        same = failures if reason in failures else []
        failures = [*same, reason] if reason else []
        if len(failures) == FAILURES:
            logger.error("%d runs in a row failed: %s", FAILURES, reason)
            return 1
    return stop.exit_code


def open_bench(study: Study, prepared: Prepared, device: torch.device) -> Bench:
    """This worker's place."""
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
    )
