"""Train a claimed run, and store its result as a trial."""

import logging
import math
import platform
from typing import NamedTuple

import torch

from training_factors.search_spaces.space import Config, Space
from training_factors.storage.arms import CONTRAST, TESTED, read_arms
from training_factors.storage.live_trial import (
    LiveTrial,
    release_claim,
    resume_trial,
    start_trial,
)
from training_factors.storage.own_configurations import OWN, OWN_NAME, read_own_configurations
from training_factors.storage.retry import StorageUnavailableError
from training_factors.storage.run_queue import DIVISION, Claim, LostClaimError, Run
from training_factors.storage.studies import Study
from training_factors.storage.trials import read_frozen_trials
from training_factors.study.data.dataset import Dataset
from training_factors.study.data.division import DataPart, Division, load_division
from training_factors.study.data.other_divisions import other_division
from training_factors.study.running.checkpointer import Checkpointer
from training_factors.study.running.design import designed_configuration
from training_factors.study.running.reporter import RunReporter, evaluation_interval
from training_factors.study.running.search import propose_configuration, pruning_thresholds
from training_factors.study.running.signals import InterruptedRunError, StopSignal
from training_factors.study.training.loop import Outcome, train
from training_factors.study.training.metrics import Objective, open_objective
from training_factors.study.training.model import Model
from training_factors.study.training.seeds import derive_seed

MAX_REASON_LENGTH = 500
"""Maximum number of characters of a failure reason that is stored."""

logger = logging.getLogger(__name__)


class WorkerContext(NamedTuple):
    """A worker's study, and everything that its runs have in common.

    dataset: all samples. data: training pool and validation part on the worker's device. objective:
    of the study, on the validation part. test: the test part, if the study is a confirmation.
    checkpoint_s: seconds of training between two checkpoints.
    """

    study: Study
    space: Space
    dataset: Dataset
    data: Division
    model: Model
    epochs: int
    seed: int
    device: str
    objective: Objective
    test: DataPart | None
    checkpoint_s: float


def run_claim(context: WorkerContext, claim: Claim, stop: StopSignal) -> str | None:
    """Train a claimed run and store its result; return the reason when it failed, else None.

    Raises InterruptedRunError, after releasing the run, when the worker received a stop request;
    LostClaimError when the run was given to another worker meanwhile; StorageUnavailableError when
    the database or a checkpoint cannot be written.
    """
    try:
        context = with_division_of(context, claim.run)
        trial = _start_or_resume(context, claim)
        thresholds = _pruning_thresholds(context, claim)
        checkpointer = Checkpointer(trial, context.checkpoint_s)
        reporter = RunReporter(trial, context.epochs, thresholds, stop, checkpointer)
        outcome = _train(context, trial, reporter)
    except (InterruptedRunError, KeyboardInterrupt):
        _release(context, claim)
        raise InterruptedRunError from None
    reason = _store_outcome(context, trial, outcome, reporter)
    checkpointer.clear()
    return reason


def with_division_of(context: WorkerContext, run: Run) -> WorkerContext:
    """Return the context with the division of the data that belongs to the run.

    Only runs of the phase division have another one than the study. It is loaded for the one run,
    and depends on the study's seed and the key of the run alone.
    """
    if run.phase != DIVISION:
        return context
    indices = other_division(context.dataset, context.seed, run.row, run.repeat)
    data = load_division(context.dataset, indices, torch.device(context.device))
    objective = open_objective(
        context.objective.metric, data.validation.targets, data.problem, data.target_scale
    )
    return context._replace(data=data, objective=objective)


def _release(context: WorkerContext, claim: Claim) -> None:
    """Release the run, without retry: a worker that is to stop does not wait for the database."""
    try:
        release_claim(context.study.without_retry(), claim)
    except StorageUnavailableError as error:
        logger.warning("%s is not released yet; it will be requeued later: %s", claim.run, error)
    except LostClaimError:
        pass  # another worker has it already


def _start_or_resume(context: WorkerContext, claim: Claim) -> LiveTrial:
    if claim.trial is not None:
        return resume_trial(context.study, claim)
    config = _configuration(context, claim)
    attributes: dict[str, object] = {
        **claim.run._asdict(),
        "seed": _seed(context, claim),
        "host": platform.node(),
        "device": context.device,
        "chance": context.objective.at_chance,
        "perfect": context.objective.metric.perfect,
    }
    if claim.run.phase == OWN:
        attributes[OWN_NAME] = read_own_configurations(context.study)[claim.run.row].name
    distributions = context.space.distributions(config)
    return start_trial(context.study, claim, config, distributions, attributes)


def _seed(context: WorkerContext, claim: Claim) -> int:
    """Return the seed of the run.

    Arms of a confirmation with the same purpose share their seeds, repeat by repeat: runs of two
    arms with the same seed are a pair. So do all arms that are measured on the test part.
    """
    if claim.run.phase == "confirm":
        purpose = read_arms(context.study)[claim.run.row].purpose
        purpose = CONTRAST if purpose in TESTED else purpose
        return derive_seed(context.seed, "confirm", purpose, claim.run.repeat)
    return derive_seed(context.seed, *claim.run)


def _configuration(context: WorkerContext, claim: Claim) -> Config:
    run = claim.run
    if run.phase == "confirm":
        return read_arms(context.study)[run.row].config
    if run.phase == "baseline":
        return context.space.baseline()
    if run.phase == OWN:
        return read_own_configurations(context.study)[run.row].config
    if run.phase in ("measure", DIVISION):
        return designed_configuration(context.space, context.seed, run.row)
    seed = derive_seed(context.seed, "sampler", run.row)
    trials = read_frozen_trials(context.study)
    comparable = [trial for trial in trials if trial.user_attrs.get("phase") != DIVISION]
    return propose_configuration(context.space, comparable, seed)


def _pruning_thresholds(context: WorkerContext, claim: Claim) -> dict[int, float]:
    """Return the pruning thresholds by epoch; empty outside the search phase."""
    if claim.run.phase != "search":
        return {}
    return pruning_thresholds(read_frozen_trials(context.study), context.epochs)


def _train(context: WorkerContext, trial: LiveTrial, reporter: RunReporter) -> Outcome | str:
    """Train the run; return its outcome, or the reason why it failed."""
    test = context.test if _is_tested(context, trial.claim) else None
    seed = int(trial.attributes["seed"])
    arguments = (context.data, context.model, context.epochs, seed, reporter.report, test)
    every = evaluation_interval(context.epochs)
    try:
        recipe = context.space.build(trial.parameters, context.data.problem)
        metric = context.objective.metric
        return train(recipe, *arguments, start=reporter.resume(), every=every, metric=metric)
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return "out of memory"
    except (InterruptedRunError, LostClaimError, StorageUnavailableError):
        raise
    except Exception as error:
        # A user's own model may raise anything; the runs of other configurations continue.
        logger.exception("%s", trial.claim.run)
        return f"{type(error).__name__}: {error}"[:MAX_REASON_LENGTH]


def _is_tested(context: WorkerContext, claim: Claim) -> bool:
    """Return whether the run is measured on the test part: only comparisons and the path are."""
    if claim.run.phase != "confirm":
        return False
    return read_arms(context.study)[claim.run.row].purpose in TESTED


def _store_outcome(
    context: WorkerContext, trial: LiveTrial, outcome: Outcome | str, reporter: RunReporter
) -> str | None:
    """End the trial as complete, pruned or failed; return the reason when it failed."""
    if isinstance(outcome, Outcome) and not math.isfinite(outcome.value):
        outcome = f"the {context.objective.metric.objective} is {outcome.value}"
    if isinstance(outcome, str):
        trial.fail(outcome)
        return outcome
    attributes: dict[str, object] = {"time_s": reporter.time_s}
    if outcome.stopped:
        trial.prune(outcome.value, attributes, reporter.unwritten)
        return None
    attributes["metrics"] = outcome.metrics
    if outcome.confusion:
        attributes["confusion"] = outcome.confusion
    if outcome.diverged:
        attributes["diverged"] = True
    if outcome.test is not None:
        attributes |= {"test": outcome.test, "test_value": outcome.test_value}
    if outcome.test_confusion:
        attributes["test_confusion"] = outcome.test_confusion
    trial.complete(outcome.value, attributes, reporter.unwritten)
    return None
