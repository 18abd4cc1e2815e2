"""Plan a confirmation: controlled runs of the best configuration against one-factor changes.

A confirmation is a study of its own, beside the study that it confirms. It proceeds in stages:
rank the best candidates over fresh seeds, re-tune learning rates, compare the best configuration
with its one-factor changes in paired runs, with as many seeds as the power analysis asks for, and
then, if asked, run the path from the baseline to the best configuration. Each stage follows from
the results so far, so an interrupted confirmation resumes.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from training_factors.search_spaces.description import (
    Coordinate,
    ParameterName,
    parse_parameter,
)
from training_factors.search_spaces.dimension import Fixed, Value
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.space import PLACEBO_COORDINATE, Config, Space
from training_factors.storage.arms import (
    CONTRAST,
    PATH,
    RANK,
    TUNE,
    Arm,
    add_arms,
    read_arms,
    row_of_runs,
)
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.data.division import DataPart, load_test_part
from training_factors.study.running.confirmation_path import (
    confirmed_effects,
    path_arms,
    replace_factor,
)
from training_factors.study.running.confirmation_size import (
    LEARNING_RATES,
    RANKING_SEEDS,
    ConfirmationRequest,
    best_candidates,
)
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.running.seed_power import MIN_SEEDS, seeds_so_far, seeds_to_detect

BEST = "best"
"""Name of the arm that is the best configuration itself."""


class Stage(NamedTuple):
    """The next step of a confirmation: arms to add, numbered after the present ones, and runs.

    purpose: of its arms, those to add and those that get more runs.
    """

    purpose: str
    arms: list[Arm]
    runs: list[Run]


def open_test_part(prepared: PreparedStudy, device: torch.device) -> DataPart:
    """Return the test part of the data, which a confirmation's comparisons alone may use."""
    return load_test_part(prepared.dataset, prepared.definition.seed, device)


def plan_next(
    study: Study, confirmation: Study, space: Space, request: ConfirmationRequest
) -> str | None:
    """Plan the next stage; return the purpose of its arms, or None when there is nothing to run."""
    arms = read_arms(confirmation)
    stage = next_stage(read_trials(study), arms, read_trials(confirmation), space, request)
    if stage.arms:
        add_arms(confirmation, arms, stage.arms)
    return stage.purpose if confirmation.queue.add(stage.runs) else None


def next_stage(
    candidates: Sequence[Trial],
    arms: Sequence[Arm],
    trials: Sequence[Trial],
    space: Space,
    request: ConfirmationRequest,
) -> Stage:
    """Return the stage that follows from the runs so far, all of which have ended.

    First the best candidates are ranked over fresh seeds; then learning rates are re-tuned; then
    the best configuration and its one-factor changes run with the same seeds: 5 at first, then up
    to 20, as the standard deviation of their differences requires, or as many as the request
    names. The path comes last, in the order of the effects that were found.

    candidates: trials of the study that is confirmed. arms, trials: of the confirmation so far.
    """
    if not any(arm.purpose == RANK for arm in arms):
        return _stage(arms, best_candidates(candidates, request.candidates), RANKING_SEEDS)
    best = _highest_mean(arms, trials, RANK)
    changed = [
        _change_factor(space, best, space.factor(name), option)
        for name, option in request.alternatives.items()
    ]
    tuned = {arm.factor for arm in arms if arm.purpose == TUNE}
    to_tune = [arm for arm in changed if _needs_retuning(space, arm) and arm.factor not in tuned]
    if to_tune:
        return _stage(arms, [rate for arm in to_tune for rate in _learning_rates(space, arm)], 1)
    planned = {arm.name for arm in arms if arm.purpose == CONTRAST}
    contrasts = _contrasts(space, best, changed, arms, trials)
    missing = [arm for arm in contrasts if arm.name not in planned]
    if missing:
        return _stage(arms, missing, max(request.seeds or MIN_SEEDS, seeds_so_far(arms, trials)))
    comparison = _add_seeds(arms, trials, request)
    if request.path is None or {*comparison.runs} - {_run_of(trial) for trial in trials}:
        return comparison
    effects = confirmed_effects(arms, trials)
    return _path(arms, trials, path_arms(space.baseline(), best, request.path, effects))


def _stage(arms: Sequence[Arm], new: list[Arm], seeds: int) -> Stage:
    """Return a stage that adds arms, with this many runs of each."""
    rows = range(len(arms), len(arms) + len(new))
    return Stage(new[0].purpose, new, _runs(rows, seeds))


def _run_of(trial: Trial) -> Run:
    return Run("confirm", trial.row, trial.repeat)


# Ranking


def _highest_mean(
    arms: Sequence[Arm], trials: Sequence[Trial], purpose: str, factor: str | None = None
) -> Config:
    """Return the configuration with the highest mean objective among a factor's arms."""
    rows = [row for row, arm in enumerate(arms) if (arm.purpose, arm.factor) == (purpose, factor)]
    means = {row: _mean([trial for trial in trials if trial.row == row]) for row in rows}
    return dict(arms[max(rows, key=lambda row: (means[row], -row))].config)


def _mean(trials: Sequence[Trial]) -> float:
    values = [trial.value for trial in trials if trial.value is not None]
    return float(np.mean(values)) if values else -np.inf


# Changing one factor


def _change_factor(space: Space, best: Config, factor: Factor, alternative: str) -> Arm:
    """Return the best configuration with one factor at its baseline.

    Where the factor is at its baseline already, it is set to the alternative option instead. A
    factor that has one option only gets other values of its hyperparameters, half a range away.
    """
    baseline = replace_factor(best, factor.name, space.baseline())
    if baseline != best:
        return Arm(CONTRAST, f"{factor.name} at its baseline", factor.name, baseline)
    if not any(coordinate.is_choice for coordinate in factor.coordinates()):
        values = {each.name: _opposite(each, best) for each in factor.coordinates()}
        words = ", ".join(f"{parse_parameter(n).hyperparameter} {v}" for n, v in values.items())
        config = replace_factor(best, factor.name, values)
        return Arm(CONTRAST, f"{factor.name} set to {words}", factor.name, config)
    option = factor.option(alternative)
    varied = {coordinate.name for coordinate in factor.coordinates()}
    defaults = {
        str(ParameterName(factor.name, option.name, hyperparameter.name)): hyperparameter.default
        for hyperparameter in option.hyperparameters
    }
    changed: Config = {factor.name: option.name}
    changed |= {name: value for name, value in defaults.items() if name in varied}
    config = replace_factor(best, factor.name, changed)
    return Arm(CONTRAST, f"{factor.name} set to {option.name}", factor.name, config)


def _opposite(coordinate: Coordinate, best: Config) -> Value:
    """Return the value that lies half the range away from that of the best configuration."""
    dimension = coordinate.dimension
    assert not isinstance(dimension, Fixed)
    return dimension.decode((dimension.encode(best[coordinate.name]) + 0.5) % 1)


# Re-tuning learning rates


def _needs_retuning(space: Space, arm: Arm) -> bool:
    """Return whether the arm's factor affects the best learning rate, and that rate varies."""
    return space.factor(arm.factor or "").retune and bool(_rate_coordinates(space, arm))


def _rate_coordinates(space: Space, arm: Arm) -> list[Coordinate]:
    return [
        coordinate
        for coordinate in space.coordinates()
        if coordinate.name in arm.config and parse_parameter(coordinate.name).hyperparameter == "lr"
    ]


def _learning_rates(space: Space, arm: Arm) -> list[Arm]:
    """Return the arm with learning rates across their range."""
    arms = []
    for coordinate in _rate_coordinates(space, arm):
        assert not isinstance(coordinate.dimension, Fixed)
        for i in range(LEARNING_RATES):
            rate = coordinate.dimension.decode((i + 0.5) / LEARNING_RATES)
            config = {**arm.config, coordinate.name: rate}
            arms.append(Arm(TUNE, f"{arm.name}, lr {rate:.3g}", arm.factor, config))
    return arms


# Contrasts


def _contrasts(
    space: Space,
    best: Config,
    changed: Sequence[Arm],
    arms: Sequence[Arm],
    trials: Sequence[Trial],
) -> list[Arm]:
    """Return the arms to compare.

    They are the best configuration, every change of one factor, with a re-tuned learning rate too
    where the factor affects it, and the best configuration with another value of the placebo.
    """
    contrasts = [Arm(CONTRAST, BEST, None, best)]
    for arm in changed:
        contrasts.append(arm)
        if _needs_retuning(space, arm):
            tuned = _highest_mean(arms, trials, TUNE, arm.factor)
            contrasts.append(Arm(CONTRAST, f"{arm.name}, re-tuned", arm.factor, tuned))
    placebo = PLACEBO_COORDINATE.name
    moved = {**best, placebo: (float(best[placebo]) + 0.5) % 1}
    return [*contrasts, Arm(CONTRAST, "placebo moved", placebo, moved)]


def _add_seeds(arms: Sequence[Arm], trials: Sequence[Trial], request: ConfirmationRequest) -> Stage:
    """Return the runs of all contrasts with as many seeds as are needed; most have run already."""
    needed = request.seeds or seeds_to_detect(arms, trials, request.difference)
    seeds = max(needed, seeds_so_far(arms, trials))
    rows = [row for row, arm in enumerate(arms) if arm.purpose == CONTRAST]
    return Stage(CONTRAST, [], _runs(rows, seeds))


# Path


def _path(
    arms: Sequence[Arm],
    trials: Sequence[Trial],
    steps: Sequence[Arm],
) -> Stage:
    """Return the steps of the path, with the seeds of the contrasts.

    steps: planned if there are none yet; those that were planned keep their order.
    """
    new = [] if any(arm.purpose == PATH for arm in arms) else list(steps)
    every = [*arms, *new]
    own = [
        row
        for row, arm in enumerate(every)
        if arm.purpose == PATH and row_of_runs(every, row) == row
    ]
    return Stage(PATH, new, _runs(own, seeds_so_far(arms, trials)))


def _runs(rows: Iterable[int], seeds: int) -> list[Run]:
    return [Run("confirm", row, seed) for row in rows for seed in range(seeds)]
