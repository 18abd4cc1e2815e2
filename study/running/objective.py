"""One claimed run becomes a finished trial: the only meeting of a trial and the loop."""

import platform
from typing import Any, NamedTuple

import torch

from search_spaces.space import Config, Space
from storage.arms import CONTRAST, read_arms
from storage.ledger import Claim
from storage.studies import Study
from storage.tables import read_trials, tidy
from storage.trials import LiveTrial, begin_trial, find_trial
from study.running.design import designed
from study.running.pruning import is_hopeless, thresholds
from study.running.sampler import propose
from study.running.stopping import InterruptedRunError, Stop
from study.training.division import Division, Part
from study.training.loop import Outcome, Report, train
from study.training.network import Builder
from study.training.randomness import derive_seed

REPORTS = 8
"""Intermediate values of a run at the most: each costs a transaction of about 5 ms."""


class Bench(NamedTuple):
    """A worker's place: the study, and all that its runs have in common.

    test: the test part, where the study is a confirmation. chance: objective of having learned
    nothing.
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
    test: Part | None


def run(bench: Bench, claim: Claim, stop: Stop) -> str | None:
    """Train what was claimed and write down what came of it; the reason when it failed.

    Raises InterruptedRunError, with the run handed back, when the worker is asked to stop.
    """
    trial = _trial(bench, claim)
    if trial is None:
        bench.study.ledger.finish(claim)
        return None
    try:
        reason = _end(bench, trial, _train(bench, claim, trial, stop))
    except (InterruptedRunError, KeyboardInterrupt):
        trial.wait()
        bench.study.ledger.hand_back(claim)
        raise InterruptedRunError from None
    bench.study.ledger.finish(claim)
    return reason


def _trial(bench: Bench, claim: Claim) -> LiveTrial | None:
    """The claim's trial, RUNNING; None when an earlier attempt ended it but did not say so."""
    trial = _earlier_trial(bench, claim)
    if trial is not None:
        return trial if trial.resume() else None
    config = _configuration(bench, claim)
    attributes = {
        **claim.run._asdict(),
        "seed": _seed(bench, claim),
        "host": platform.node(),
        "device": bench.device,
        "chance": bench.chance,
    }
    trial = begin_trial(bench.study, config, bench.space.distributions(config), attributes)
    bench.study.ledger.note_trial(claim, trial.number)
    return trial


def _earlier_trial(bench: Bench, claim: Claim) -> LiveTrial | None:
    if claim.trial is not None:
        return find_trial(bench.study, claim.trial)
    if claim.attempt == 1:
        return None
    # The first worker may have ended between making the trial and noting its number.
    for trial in read_trials(bench.study):
        if (trial.phase, trial.row, trial.repeat) == claim.run:
            return find_trial(bench.study, trial.number)
    return None


def _seed(bench: Bench, claim: Claim) -> int:
    """The run's own; arms of one purpose share theirs, repeat by repeat."""
    if claim.run.phase == "confirm":
        purpose = read_arms(bench.study)[claim.run.row].purpose
        return derive_seed(bench.seed, "confirm", purpose, claim.run.repeat)
    return derive_seed(bench.seed, *claim.run)


def _configuration(bench: Bench, claim: Claim) -> Config:
    run = claim.run
    if run.phase == "confirm":
        return read_arms(bench.study)[run.row].config
    if run.phase == "baseline":
        return bench.space.baseline()
    if run.phase == "measure":
        return designed(bench.space, bench.seed, run.row)
    seed = derive_seed(bench.seed, "sampler", run.row)
    return propose(bench.space, bench.study.optuna_study.get_trials(deepcopy=False), seed)


def _train(bench: Bench, claim: Claim, trial: LiveTrial, stop: Stop) -> Outcome | str:
    """The outcome, or the reason why there is none."""
    stored = tidy(trial.stored())
    recipe = bench.space.build(stored.parameters, bench.data.problem)
    report = _reporter(bench, claim, trial, stop)
    test = bench.test if _is_contrast(bench, claim) else None
    try:
        return train(recipe, bench.data, bench.model, bench.epochs, stored.seed, report, test)
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return "out of memory"
    except (RuntimeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"[:500]


def _is_contrast(bench: Bench, claim: Claim) -> bool:
    """Whether the run is one of those that may look at the test part."""
    if claim.run.phase != "confirm":
        return False
    return read_arms(bench.study)[claim.run.row].purpose == CONTRAST


def _reporter(bench: Bench, claim: Claim, trial: LiveTrial, stop: Stop) -> Report:
    every = -(-bench.epochs // REPORTS)
    searching = claim.run.phase == "search"
    limits = thresholds(read_trials(bench.study), bench.epochs) if searching else {}

    def report(epoch: int, value: float) -> bool:
        if (epoch + 1) % every == 0 or epoch + 1 == bench.epochs:
            trial.report(epoch, value)
        if stop.requested:
            raise InterruptedRunError
        return is_hopeless(epoch, value, limits)

    return report


def _end(bench: Bench, trial: LiveTrial, outcome: Outcome | str) -> str | None:
    if isinstance(outcome, str):
        trial.fail(outcome)
        return outcome
    if outcome.stopped:
        trial.prune(outcome.value, {})
    else:
        attributes: dict[str, Any] = {"metrics": outcome.metrics}
        if outcome.diverged:
            attributes["diverged"] = True
        if outcome.test is not None:
            attributes |= {"test": outcome.test, "test_value": outcome.test[bench.objective]}
        trial.complete(outcome.value, attributes)
    return None
