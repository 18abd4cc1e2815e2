"""Compute factors' shares of other quantities than the final objective, such as divergence or time.

A lens maps the measured runs to one number per row, whose shares are then computed as those of the
objective are. PED-ANOVA, which ranks parameters in another way, stands beside them.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from training_factors.search_spaces.description import Coordinate, SpaceDescription
from training_factors.search_spaces.dimension import Varied
from training_factors.storage.trials import Trial
from training_factors.study.analysis.blend import BOOSTING, fit_blend
from training_factors.study.analysis.features import Array
from training_factors.study.analysis.importance import collect_evidence
from training_factors.study.analysis.intervals import Interval
from training_factors.study.analysis.measurements import (
    MeasuredStudy,
    Measurements,
    has_diverged,
    read_measured,
)
from training_factors.study.analysis.parallel_calls import single_threaded
from training_factors.study.analysis.sensitivity import shapley_estimand
from training_factors.study.analysis.shares import SeedNoise

LENS_WALKS = 512
"""Number of walks that tell how the variance of the surrogate is divided."""

RowValues = Callable[[Measurements], Array]
"""Computes one number for every row: (rows,)."""


class Lens(NamedTuple):
    """A quantity to compute shares of. question: what it is, in words, and how it is clipped."""

    name: str
    question: str
    values: RowValues


class LensShare(NamedTuple):
    """The Shapley share of a factor through a lens."""

    factor: str
    share: float
    interval: Interval


class LensResult(NamedTuple):
    """The shares through one lens.

    r2: of the surrogate. nothing: the reason why there are no shares; None when there are.
    """

    name: str
    question: str
    r2: float | None
    shares: tuple[LensShare, ...]
    nothing: str | None


class Lenses(NamedTuple):
    """The results of all lenses, and PED-ANOVA importance by parameter."""

    seen: tuple[LensResult, ...]
    ped_anova: dict[str, float]


def compute_lenses(
    trials: Sequence[Trial], space: SpaceDescription, *, seed: int, jobs: int
) -> Lenses:
    """Return the shares through every lens, with gradient boosting as the only surrogate (fast).

    Raises NoAnswer when too little was measured.
    """
    study = read_measured(trials, space, seed)
    with single_threaded():
        results = tuple(_result(lens, study, jobs) for lens in LENSES)
    return Lenses(results, ped_anova(study.measurements, space.coordinates))


def ped_anova(measurements: Measurements, coordinates: Sequence[Coordinate]) -> dict[str, float]:
    """Return how strongly each parameter separates the best tenth of the rows from all others.

    The method is that of Watanabe et al. (2023), on designed rows only: on adaptively chosen
    trials it inverts the ranking. It considers one parameter at a time, so it sees no interactions,
    and its result is not a share of a variance. The largest comes first, equal ones in the order of
    the space.
    """
    distributions = {
        coordinate.name: coordinate.dimension.distribution()
        for coordinate in coordinates
        if isinstance(coordinate.dimension, Varied)
    }
    study = optuna.create_study(storage=optuna.storages.InMemoryStorage(), direction="maximize")
    for parameters, value in zip(measurements.parameters, measurements.values, strict=True):
        active = {name: distributions[name] for name in parameters}
        study.add_trial(
            create_trial(params=dict(parameters), distributions=active, value=float(value))
        )
    importances = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    # Optuna orders equal importances by hash, which differs from process to process.
    names = sorted(importances, key=list(distributions).index)
    return {
        name: float(importances[name])
        for name in sorted(names, key=lambda name: -importances[name])
    }


def upper_half(measurements: Measurements) -> Array:
    """Return the objective, with values below the median raised to it.

    Among failed configurations it then no longer counts how badly they failed.
    """
    return np.maximum(measurements.values, np.median(measurements.values))


def diverged_part(measurements: Measurements) -> Array:
    """Return the part of each row's runs that diverged."""
    return np.array([np.mean([has_diverged(run) for run in row]) for row in measurements.trials])


def objective_after(part: float, measurements: Measurements) -> Array:
    """Return the mean objective of each row after a part (0 to 1) of the epochs."""
    epochs = 1 + max(max(run.curve, default=0) for row in measurements.trials for run in row)
    last = part * epochs - 1
    return np.array(
        [np.mean([_objective_at(run, last) for run in row]) for row in measurements.trials]
    )


def log_seconds(measurements: Measurements) -> Array:
    """Return the logarithm of each row's mean training time in seconds."""
    seconds = [[run.time_s or 0.0 for run in row] for row in measurements.trials]
    return np.log(np.maximum([float(np.mean(row)) for row in seconds], 1e-3))


LENSES = (
    Lens(
        "working",
        "the final objective, clipped at the median: lower values count as the median, so that it "
        "does not matter how badly a configuration fails",
        upper_half,
    ),
    Lens("diverged", "the part of a configuration's runs that diverged", diverged_part),
    Lens(
        "25 %",
        "the objective after a quarter of the epochs",
        lambda runs: objective_after(0.25, runs),
    ),
    Lens("50 %", "the objective after half of the epochs", lambda runs: objective_after(0.5, runs)),
    Lens("100 %", "the objective after all epochs", lambda runs: objective_after(1.0, runs)),
    Lens("cost", "the logarithm of the training time in seconds", log_seconds),
)
"""All lenses, in the order in which they are shown."""


def _result(lens: Lens, study: MeasuredStudy, jobs: int) -> LensResult:
    values = lens.values(study.measurements)
    if np.ptp(values) == 0:
        nothing = f"equal for all configurations: {values[0]:g}"
        return LensResult(lens.name, lens.question, None, (), nothing)
    rows = study.rows._replace(values=values)
    groups, layout = study.by_factor, study.layout
    blend = fit_blend(rows, jobs, [BOOSTING], [layout.blocks(groups)])
    if blend.r2 <= 0:
        return LensResult(lens.name, lens.question, blend.r2, (), "no factor explains it")
    walks = shapley_estimand(layout, groups, LENS_WALKS, rows.seed)
    found = walks.estimate_from(blend.weights @ blend.predict_each(walks.features))
    shares = collect_evidence(
        blend, rows, groups, 0, found, SeedNoise(0.0, 0), study.placebo
    ).shares()
    lens_shares = tuple(
        LensShare(name, float(share), interval)
        for name, share, interval in zip(groups, shares.value, shares.intervals(), strict=True)
    )
    return LensResult(lens.name, lens.question, blend.r2, lens_shares, None)


def _objective_at(run: Trial, epoch: float) -> float:
    """Return the last objective stored up to an epoch; a run that diverged by then has its last."""
    assert run.value is not None
    stored = [step for step in run.curve if step <= epoch + 1e-9]
    if not stored or (has_diverged(run) and max(run.curve) <= epoch):
        return run.value
    return run.curve[max(stored)]
