"""One claimed run becomes a finished trial: the only meeting of a trial and the loop."""

import platform
from typing import NamedTuple

import torch

from search_spaces.space import Config, Space
from storage.ledger import Claim
from storage.studies import Study
from storage.tables import read_trials, tidy
from storage.trials import LiveTrial, begin_trial, find_trial
from study.running.design import designed
from study.running.pruning import is_hopeless, thresholds
from study.running.sampler import propose
from study.running.stopping import InterruptedRunError, Stop
from study.training.division import Division
from study.training.loop import Outcome, Report, train
from study.training.network import Builder
from study.training.randomness import derive_seed

REPORTS = 8
"""Intermediate values of a run at the most: each costs a transaction of about 5 ms."""


class Bench(NamedTuple):
    """A worker's place: the study, and all that its runs have in common."""

    study: Study
    space: Space
    data: Division
    model: Builder
    epochs: int
    seed: int
    device: str
    chance: float


def run(bench: Bench, claim: Claim, stop: Stop) -> str | None:
    """Train what was claimed and write down what came of it; the reason when it failed.

    Raises InterruptedRunError, with the run handed back, when the worker is asked to stop.
    """
    trial = _trial(bench, claim)
    if trial is None:
        bench.study.ledger.finish(claim)
        return None
    try:
        reason = _end(trial, _train(bench, claim, trial, stop))
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
        "seed": derive_seed(bench.seed, *claim.run),
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


def _configuration(bench: Bench, claim: Claim) -> Config:
    run = claim.run
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
    try:
        return train(recipe, bench.data, bench.model, bench.epochs, stored.seed, report)
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return "out of memory"
    except (RuntimeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"[:500]


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


def _end(trial: LiveTrial, outcome: Outcome | str) -> str | None:
    if isinstance(outcome, str):
        trial.fail(outcome)
        return outcome
    if outcome.stopped:
        trial.prune(outcome.value, {})
    else:
        diverged = {"diverged": True} if outcome.diverged else {}
        trial.complete(outcome.value, {"metrics": outcome.metrics, **diverged})
    return None
