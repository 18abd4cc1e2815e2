"""Plan a confirmation: controlled runs of the best configuration against one-factor changes.

A confirmation is a study of its own, beside the study that it confirms. It proceeds in stages:
rank the best candidates over fresh seeds, re-tune learning rates, then compare the best
configuration with its one-factor changes in paired runs, with as many seeds as the power analysis
asks for. Each stage follows from the results so far, so an interrupted confirmation resumes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import chi2, norm, t

from training_factors.search_spaces.description import (
    Coordinate,
    ParameterName,
    factor_parameters,
    parse_parameter,
)
from training_factors.search_spaces.dimension import Fixed
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.space import PLACEBO_COORDINATE, Config, Space
from training_factors.storage.arms import CONTRAST, RANK, TUNE, Arm, add_arms, read_arms
from training_factors.storage.own_configurations import OWN, name_run
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.data.division import DataPart, load_test_part
from training_factors.study.running.preparation import PreparedStudy

CANDIDATES = 5
"""Number of configurations that are ranked again: the best of hundreds of runs is partly luck."""

RANKING_SEEDS = 3
"""Number of runs of each candidate, with fresh seeds."""

LEARNING_RATES = 8
"""Number of learning rates to try when re-tuning an arm whose factor was changed."""

MIN_SEEDS, MAX_SEEDS = 5, 20
"""Minimum and maximum number of paired runs of each contrast."""

POWER = 0.8
"""Probability with which a difference that matters should be detected."""

ALPHA = 0.05
"""Significance level of all comparisons together."""

QUANTILES = 2000
"""Number of quantiles of the estimated deviation over which the power is averaged."""

BEST = "best"
"""Name of the arm that is the best configuration itself."""


class ConfirmationRequest(NamedTuple):
    """The comparisons that a user asks for.

    alternatives: factor -> the option to try where the best configuration has the factor at its
    baseline already; the placebo is always added. difference: the smallest difference that matters,
    in the unit of the objective; seeds are added until it would be detected.
    """

    alternatives: Mapping[str, str]
    difference: float


class Stage(NamedTuple):
    """The next step of a confirmation: arms to add, numbered after the present ones, and runs."""

    arms: list[Arm]
    runs: list[Run]


def open_test_part(prepared: PreparedStudy, device: torch.device) -> DataPart:
    """Return the test part of the data, which only contrasts of a confirmation may use."""
    return load_test_part(prepared.dataset, prepared.definition.seed, device)


def plan_next(study: Study, confirmation: Study, space: Space, request: ConfirmationRequest) -> int:
    """Plan the next stage; return the number of runs that it adds, 0 when all is confirmed."""
    arms = read_arms(confirmation)
    stage = next_stage(read_trials(study), arms, read_trials(confirmation), space, request)
    if stage.arms:
        add_arms(confirmation, arms, stage.arms)
    return confirmation.queue.add(stage.runs)


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
    to 20, as the standard deviation of their differences requires.

    candidates: trials of the study that is confirmed. arms, trials: of the confirmation so far.
    """
    if not any(arm.purpose == RANK for arm in arms):
        return _stage(arms, _candidates(candidates), RANKING_SEEDS)
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
        return _stage(arms, missing, max(MIN_SEEDS, _seeds_so_far(arms, trials)))
    return _add_seeds(arms, trials, request.difference)


def _stage(arms: Sequence[Arm], new: list[Arm], seeds: int) -> Stage:
    """Return a stage that adds arms, with this many runs of each."""
    rows = range(len(arms), len(arms) + len(new))
    return Stage(new, [Run("confirm", row, seed) for row in rows for seed in range(seeds)])


# Ranking


def _candidates(trials: Sequence[Trial]) -> list[Arm]:
    """Return the best complete trials of the study as arms, without equal configurations.

    The user's own configurations are always among them.
    """
    complete = [trial for trial in trials if trial.complete and trial.value is not None]
    ranked = sorted(complete, key=lambda trial: (-(trial.value or 0.0), trial.number))
    candidates: dict[str, Arm] = {}
    own: set[str] = set()
    for trial in ranked:
        config = {
            name: value
            for name, value in trial.parameters.items()
            if name != PLACEBO_COORDINATE.name
        }
        arm = Arm(RANK, name_run("trial ", trial), None, trial.parameters)
        candidates.setdefault(repr(sorted(config.items())), arm)
        if trial.phase == OWN:
            own.add(repr(sorted(config.items())))
    return [
        arm
        for place, (config, arm) in enumerate(candidates.items())
        if place < CANDIDATES or config in own
    ]


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

    Where the factor is at its baseline already, it is set to the alternative option instead.
    """
    baseline = _replace_factor(best, factor.name, space.baseline())
    if baseline != best:
        return Arm(CONTRAST, f"{factor.name} at its baseline", factor.name, baseline)
    option = factor.option(alternative)
    varied = {coordinate.name for coordinate in factor.coordinates()}
    defaults = {
        str(ParameterName(factor.name, option.name, hyperparameter.name)): hyperparameter.default
        for hyperparameter in option.hyperparameters
    }
    changed: Config = {factor.name: option.name}
    changed |= {name: value for name, value in defaults.items() if name in varied}
    config = _replace_factor(best, factor.name, changed)
    return Arm(CONTRAST, f"{factor.name} set to {option.name}", factor.name, config)


def _replace_factor(config: Config, factor: str, other: Config) -> Config:
    """Return the configuration with a factor's parameters replaced by those of another one."""
    removed = factor_parameters(config, factor)
    kept = {name: value for name, value in config.items() if name not in removed}
    return kept | factor_parameters(other, factor)


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


def _add_seeds(arms: Sequence[Arm], trials: Sequence[Trial], difference: float) -> Stage:
    """Return the runs of all contrasts with as many seeds as are needed; most have run already."""
    rows = [row for row, arm in enumerate(arms) if arm.purpose == CONTRAST]
    best, *others = rows
    differences = [_paired_differences(trials, best, row) for row in others]
    seeds = seeds_needed(largest_deviation(differences), difference, len(others))
    return Stage([], [Run("confirm", row, seed) for row in rows for seed in range(seeds)])


def _seeds_so_far(arms: Sequence[Arm], trials: Sequence[Trial]) -> int:
    """Return the number of seeds with which contrasts have run."""
    rows = {row for row, arm in enumerate(arms) if arm.purpose == CONTRAST}
    return 1 + max((trial.repeat for trial in trials if trial.row in rows), default=-1)


def _paired_differences(trials: Sequence[Trial], row: int, other_row: int) -> NDArray[np.float64]:
    """Return the differences between two arms' objective on the test part, seed by seed."""
    values, other_values = (
        {t.repeat: t.test_value for t in trials if t.row == r and t.test_value is not None}
        for r in (row, other_row)
    )
    seeds = sorted(values.keys() & other_values.keys())
    return np.array([values[seed] - other_values[seed] for seed in seeds])


# Power analysis


def seeds_needed(deviation: float, difference: float, comparisons: int) -> int:
    """Return the number of seeds with which a paired t test detects a difference; 5 to 20.

    deviation: standard deviation of the paired differences; both in the unit of the objective. The
    level is 0.05 divided by the number of comparisons (Bonferroni), the power 0.8, that of the
    noncentral t distribution (Cohen, 1988).
    """
    for seeds in range(MIN_SEEDS, MAX_SEEDS):
        if _power(seeds, deviation, difference, ALPHA / max(comparisons, 1)) >= POWER:
            return seeds
    return MAX_SEEDS


def largest_deviation(differences: Iterable[NDArray[np.float64]]) -> float:
    """Return the largest standard deviation among arms, each given by its paired differences."""
    return max((float(arm.std(ddof=1)) for arm in differences if len(arm) > 1), default=0.0)


def _power(seeds: int, deviation: float, difference: float, level: float) -> float:
    """Return P(|t| > critical value), averaged over the distribution of the estimated deviation.

    scipy's noncentral t distribution returns NaN for many of these arguments.
    """
    if deviation == 0:
        return 1.0
    degrees_of_freedom = seeds - 1
    critical = t.ppf(1 - level / 2, degrees_of_freedom)
    shift = seeds**0.5 * difference / deviation
    probabilities = (np.arange(QUANTILES) + 0.5) / QUANTILES
    estimated = np.sqrt(chi2.ppf(probabilities, degrees_of_freedom) / degrees_of_freedom)
    detected = norm.sf(critical * estimated - shift) + norm.cdf(-critical * estimated - shift)
    return float(detected.mean())
