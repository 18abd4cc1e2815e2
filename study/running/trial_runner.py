"""One claimed run becomes a finished trial: the only meeting of a trial and the loop."""

import logging
import math
import platform
from typing import Any, NamedTuple

import torch

from training_factors.search_spaces.space import Config, Space
from training_factors.storage.arms import CONTRAST, read_arms
from training_factors.storage.live_trial import (
    LiveTrial,
    release_claim,
    resume_trial,
    start_trial,
)
from training_factors.storage.retry import StorageUnavailableError
from training_factors.storage.run_queue import Claim, LostClaimError
from training_factors.storage.studies import Study
from training_factors.storage.trials import read_frozen_trials
from training_factors.study.running.design import designed_configuration
from training_factors.study.running.reporter import RunReporter, evaluation_interval
from training_factors.study.running.search import propose_configuration, thresholds
from training_factors.study.running.signals import InterruptedRunError, StopSignal
from training_factors.study.training.division import DataPart, Division
from training_factors.study.training.loop import Outcome, train
from training_factors.study.training.network import Builder
from training_factors.study.training.seeds import derive_seed

logger = logging.getLogger(__name__)


class WorkerContext(NamedTuple):
    """A worker's place: the study, and all that its runs have in common.

    test: the test part, where the study is a confirmation. chance: objective of having learned
    nothing. checkpoint_s: seconds of training between two checkpoints.
    """

    study: Study
    space: Space
    data: Division
    model: Builder
    epochs: int
    seed: int
    device: str
    chance: float
    objective: str
    test: DataPart | None
    checkpoint_s: float


def run_claim(bench: WorkerContext, claim: Claim, stop: StopSignal) -> str | None:
    """Train what was claimed and write down what came of it; the reason when it failed.

    Raises InterruptedRunError, with the run handed back, when the worker is asked to stop;
    LostClaimError when the run was given to another worker meanwhile; StorageLostError when what
    has to be written cannot be.
    """
    try:
        trial = _trial(bench, claim)
        course = RunReporter(trial, bench.epochs, _limits(bench, claim), stop, bench.checkpoint_s)
        outcome = _train(bench, trial, course)
    except (InterruptedRunError, KeyboardInterrupt):
        _give_up(bench, claim)
        raise InterruptedRunError from None
    reason = _end(bench, trial, outcome, course)
    course.end()
    return reason


def _give_up(bench: WorkerContext, claim: Claim) -> None:
    """Hand the run back; who is asked to stop does not wait for a database that is away."""
    try:
        release_claim(bench.study.without_retry(), claim)
    except StorageUnavailableError as error:
        logger.warning("%s is handed back later: %s", claim.run, error)
    except LostClaimError:
        pass  # it is somebody else's already


def _trial(bench: WorkerContext, claim: Claim) -> LiveTrial:
    if claim.trial is not None:
        return resume_trial(bench.study, claim)
    config = _configuration(bench, claim)
    attributes = {
        **claim.run._asdict(),
        "seed": _seed(bench, claim),
        "host": platform.node(),
        "device": bench.device,
        "chance": bench.chance,
    }
    return start_trial(bench.study, claim, config, bench.space.distributions(config), attributes)


def _seed(bench: WorkerContext, claim: Claim) -> int:
    """The run's own; arms of one purpose share theirs, repeat by repeat."""
    if claim.run.phase == "confirm":
        purpose = read_arms(bench.study)[claim.run.row].purpose
        return derive_seed(bench.seed, "confirm", purpose, claim.run.repeat)
    return derive_seed(bench.seed, *claim.run)


def _configuration(bench: WorkerContext, claim: Claim) -> Config:
    run = claim.run
    if run.phase == "confirm":
        return read_arms(bench.study)[run.row].config
    if run.phase == "baseline":
        return bench.space.baseline()
    if run.phase == "measure":
        return designed_configuration(bench.space, bench.seed, run.row)
    seed = derive_seed(bench.seed, "sampler", run.row)
    return propose_configuration(bench.space, read_frozen_trials(bench.study), seed)


def _limits(bench: WorkerContext, claim: Claim) -> dict[int, float]:
    """Below what a run is given up: of the search alone."""
    if claim.run.phase != "search":
        return {}
    return thresholds(read_frozen_trials(bench.study), bench.epochs)


def _train(bench: WorkerContext, trial: LiveTrial, course: RunReporter) -> Outcome | str:
    """The outcome, or the reason why there is none."""
    test = bench.test if _is_contrast(bench, trial.claim) else None
    seed = int(trial.attributes["seed"])
    given = (bench.data, bench.model, bench.epochs, seed, course.report, test)
    every = evaluation_interval(bench.epochs)
    try:
        recipe = bench.space.build(trial.parameters, bench.data.problem)
        return train(recipe, *given, start=course.start(), every=every)
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return "out of memory"
    except (InterruptedRunError, LostClaimError, StorageUnavailableError):
        raise
    except Exception as error:
        # A model of the user's own may raise anything; the other configurations go on.
        logger.exception("%s", trial.claim.run)
        return f"{type(error).__name__}: {error}"[:500]


def _is_contrast(bench: WorkerContext, claim: Claim) -> bool:
    """Whether the run is one of those that may look at the test part."""
    if claim.run.phase != "confirm":
        return False
    return read_arms(bench.study)[claim.run.row].purpose == CONTRAST


def _end(
    bench: WorkerContext, trial: LiveTrial, outcome: Outcome | str, course: RunReporter
) -> str | None:
    if isinstance(outcome, Outcome) and not math.isfinite(outcome.value):
        outcome = f"the {bench.objective} is {outcome.value}"
    if isinstance(outcome, str):
        trial.fail(outcome)
        return outcome
    attributes: dict[str, Any] = {"time_s": course.time_s}
    if outcome.stopped:
        trial.prune(outcome.value, attributes, course.unwritten)
        return None
    attributes["metrics"] = outcome.metrics
    if outcome.confusion:
        attributes["confusion"] = outcome.confusion
    if outcome.diverged:
        attributes["diverged"] = True
    if outcome.test is not None:
        attributes |= {"test": outcome.test, "test_value": outcome.test[bench.objective]}
    if outcome.test_confusion:
        attributes["test_confusion"] = outcome.test_confusion
    trial.complete(outcome.value, attributes, course.unwritten)
    return None
