"""Controlled real runs: the best configuration against itself with one factor changed.

A confirmation is a study of its own beside the one that it confirms. What it runs follows from
what it has found so far, stage by stage, so it goes on wherever it was interrupted.
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
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study, confirmation_name, create_study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.training.division import DataPart, load_test_part

POWER = 0.8
ALPHA = 0.05
FEWEST_SEEDS, MOST_SEEDS = 5, 20

QUANTILE_POINTS = 2000
"""At which the law of an estimated deviation is averaged."""


def seeds_needed(deviation: float, difference: float, comparisons: int) -> int:
    """Seeds with which a paired t test finds a difference with a probability of 0.8; 5 to 20.

    deviation: standard deviation of the paired differences; both in the unit of the objective. The
    level is 0.05 divided by the number of comparisons (Bonferroni), the power that of the
    noncentral t distribution (Cohen, 1988).
    """
    for seeds in range(FEWEST_SEEDS, MOST_SEEDS):
        if _power(seeds, deviation, difference, ALPHA / max(comparisons, 1)) >= POWER:
            return seeds
    return MOST_SEEDS


def largest_deviation(differences: Iterable[NDArray[np.float64]]) -> float:
    """The largest standard deviation among arms, each given by its paired differences."""
    return max((float(own.std(ddof=1)) for own in differences if len(own) > 1), default=0.0)


def _power(seeds: int, deviation: float, difference: float, level: float) -> float:
    """P(|t| > critical), the mean over the law of the estimated deviation.

    scipy's noncentral t distribution gives no number for many of these arguments.
    """
    if deviation == 0:
        return 1.0
    freedom = seeds - 1
    critical = t.ppf(1 - level / 2, freedom)
    shift = seeds**0.5 * difference / deviation
    estimated = np.sqrt(
        chi2.ppf((np.arange(QUANTILE_POINTS) + 0.5) / QUANTILE_POINTS, freedom) / freedom
    )
    beyond = norm.sf(critical * estimated - shift) + norm.cdf(-critical * estimated - shift)
    return float(beyond.mean())


CANDIDATES = 5
"""Configurations that are ranked again: the best of hundreds owes some of it to its seed."""

RANKING_SEEDS = 3
RATES = 8
"""Learning rates that are tried where a factor that asks for another one is set back."""

BEST = "best"


class ConfirmationRequest(NamedTuple):
    """What to confirm.

    alternatives: the factors to change, besides the placebo, each with the option that is tried
    where the best configuration already has the factor at its baseline. difference: what is worth
    seeing, in the unit of the objective; seeds grow until it would be seen.
    """

    alternatives: Mapping[str, str]
    difference: float


class Stage(NamedTuple):
    """What to do next: new arms, numbered after those there are, and their runs."""

    arms: list[Arm]
    runs: list[Run]


def open_confirmation(study: Study) -> Study:
    """The study that confirms this one, created where there is none."""
    return create_study(study.database, confirmation_name(study.name), study.stamp)


def plan_next(study: Study, confirmation: Study, space: Space, wish: ConfirmationRequest) -> int:
    """Plan the next stage; the number of runs that it adds, 0 when all is confirmed."""
    arms = read_arms(confirmation)
    stage = next_stage(read_trials(study), arms, read_trials(confirmation), space, wish)
    if stage.arms:
        add_arms(confirmation, arms, stage.arms)
    return confirmation.queue.add(stage.runs)


def next_stage(
    candidates: Sequence[Trial],
    arms: Sequence[Arm],
    trials: Sequence[Trial],
    space: Space,
    wish: ConfirmationRequest,
) -> Stage:
    """What follows from the runs so far, all of which have ended.

    First the best candidates are ranked over fresh seeds; then learning rates are tuned; then the
    best and every arm with one factor changed run with the same seeds, 5 and then as many as the
    spread of their differences asks for, up to 20.
    """
    ranked = [row for row, arm in enumerate(arms) if arm.purpose == RANK]
    if not ranked:
        return _new(arms, _candidates(candidates), RANKING_SEEDS)
    best = _highest(arms, trials, RANK)
    changed = [
        _changed(space, best, space.factor(name), option)
        for name, option in wish.alternatives.items()
    ]
    tuned = {arm.factor for arm in arms if arm.purpose == TUNE}
    to_tune = [arm for arm in changed if _retuned(space, arm) and arm.factor not in tuned]
    if to_tune:
        return _new(arms, [rate for arm in to_tune for rate in _rates(space, arm)], 1)
    known = {arm.name for arm in arms if arm.purpose == CONTRAST}
    contrasts = _contrasts(space, best, changed, arms, trials)
    missing = [arm for arm in contrasts if arm.name not in known]
    if missing:
        return _new(arms, missing, max(FEWEST_SEEDS, _seeds(arms, trials)))
    return _more_seeds(arms, trials, wish)


def test_part(prepared: PreparedStudy, device: torch.device) -> DataPart:
    """The part of the data that nothing but a confirmation's contrasts may look at."""
    return load_test_part(prepared.dataset, prepared.definition.seed, device)


def _new(arms: Sequence[Arm], new: list[Arm], seeds: int) -> Stage:
    rows = range(len(arms), len(arms) + len(new))
    return Stage(new, [Run("confirm", row, seed) for row in rows for seed in range(seeds)])


def _candidates(trials: Sequence[Trial]) -> list[Arm]:
    complete = [trial for trial in trials if trial.complete and trial.value is not None]
    best = sorted(complete, key=lambda trial: (-(trial.value or 0.0), trial.number))
    found: dict[str, Arm] = {}
    for trial in best:
        config = {
            name: value
            for name, value in trial.parameters.items()
            if name != PLACEBO_COORDINATE.name
        }
        found.setdefault(repr(config), Arm(RANK, f"trial {trial.number}", None, trial.parameters))
    return list(found.values())[:CANDIDATES]


def _highest(
    arms: Sequence[Arm], trials: Sequence[Trial], purpose: str, factor: str | None = None
) -> Config:
    """The configuration with the highest mean objective among a factor's arms of a purpose."""
    rows = [row for row, arm in enumerate(arms) if (arm.purpose, arm.factor) == (purpose, factor)]
    means = {row: _mean([trial for trial in trials if trial.row == row]) for row in rows}
    return dict(arms[max(rows, key=lambda row: (means[row], -row))].config)


def _mean(trials: Sequence[Trial]) -> float:
    values = [trial.value for trial in trials if trial.value is not None]
    return float(np.mean(values)) if values else -np.inf


def _changed(space: Space, best: Config, factor: Factor, alternative: str) -> Arm:
    """The best with one factor at its baseline; where it is there already, at the alternative."""
    baseline = _with(best, _own(factor, space.baseline()))
    if baseline != _with(best, _own(factor, best)):
        return Arm(CONTRAST, f"{factor.name} at its baseline", factor.name, baseline)
    option = factor.option(alternative)
    chosen = {
        axis.name: hyperparameter.default
        for hyperparameter in option.hyperparameters
        for axis in factor.coordinates()
        if axis.name == str(ParameterName(factor.name, option.name, hyperparameter.name))
    }
    config = _with(best, _own(factor, {factor.name: option.name, **chosen}))
    return Arm(CONTRAST, f"{factor.name} set to {option.name}", factor.name, config)


def _own(factor: Factor, config: Config) -> tuple[str, Config]:
    return factor.name, factor_parameters(config, factor.name)


def _with(config: Config, owned: tuple[str, Config]) -> Config:
    """The configuration with all that a factor owns replaced."""
    name, own = owned
    owned_now = factor_parameters(config, name)
    return {key: value for key, value in config.items() if key not in owned_now} | own


def _retuned(space: Space, arm: Arm) -> bool:
    """Whether the arm's factor asks for another learning rate, and there is one to vary."""
    return space.factor(arm.factor or "").retune and bool(_rate_axes(space, arm))


def _rate_axes(space: Space, arm: Arm) -> list[Coordinate]:
    return [
        a
        for a in space.coordinates()
        if a.name in arm.config and parse_parameter(a.name).hyperparameter == "lr"
    ]


def _rates(space: Space, arm: Arm) -> list[Arm]:
    """The arm with learning rates across their range."""
    found = []
    for axis in _rate_axes(space, arm):
        assert not isinstance(axis.dimension, Fixed)
        for i in range(RATES):
            rate = axis.dimension.decode((i + 0.5) / RATES)
            config = {**arm.config, axis.name: rate}
            found.append(Arm(TUNE, f"{arm.name}, lr {rate:.3g}", arm.factor, config))
    return found


def _contrasts(
    space: Space,
    best: Config,
    changed: Sequence[Arm],
    arms: Sequence[Arm],
    trials: Sequence[Trial],
) -> list[Arm]:
    """The best, every change as it is and with a learning rate of its own, and the placebo."""
    found = [Arm(CONTRAST, BEST, None, best)]
    for arm in changed:
        found.append(arm)
        if _retuned(space, arm):
            tuned = _highest(arms, trials, TUNE, arm.factor)
            found.append(Arm(CONTRAST, f"{arm.name}, re-tuned", arm.factor, tuned))
    placebo = {**best, PLACEBO_COORDINATE.name: (float(best[PLACEBO_COORDINATE.name]) + 0.5) % 1}
    return [*found, Arm(CONTRAST, "placebo moved", PLACEBO_COORDINATE.name, placebo)]


def _more_seeds(arms: Sequence[Arm], trials: Sequence[Trial], wish: ConfirmationRequest) -> Stage:
    rows = [row for row, arm in enumerate(arms) if arm.purpose == CONTRAST]
    best, *others = rows
    differences = [_differences(trials, best, row) for row in others]
    needed = seeds_needed(largest_deviation(differences), wish.difference, len(others))
    return Stage(
        [], [Run("confirm", row, seed) for row in rows for seed in range(min(needed, MOST_SEEDS))]
    )


def _seeds(arms: Sequence[Arm], trials: Sequence[Trial]) -> int:
    """Seeds that the contrasts have by now."""
    rows = {row for row, arm in enumerate(arms) if arm.purpose == CONTRAST}
    return 1 + max((trial.repeat for trial in trials if trial.row in rows), default=-1)


def _differences(trials: Sequence[Trial], one: int, other: int) -> NDArray[np.float64]:
    """Objective on the test part of two arms, seed by seed."""
    values = [
        {t.repeat: t.test_value for t in trials if t.row == row and t.test_value is not None}
        for row in (one, other)
    ]
    shared = sorted(values[0].keys() & values[1].keys())
    return np.array([values[0][seed] - values[1][seed] for seed in shared])
