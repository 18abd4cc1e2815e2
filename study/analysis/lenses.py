"""The same shares of other numbers than the final objective: what else a factor decides."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from training_factors.search_spaces.description import Coordinate, SpaceDescription
from training_factors.search_spaces.dimension import Varied
from training_factors.storage.trials import Trial
from training_factors.study.analysis.blend import BOOSTING, Rows, fit_blend, one_thread_each
from training_factors.study.analysis.features import Array
from training_factors.study.analysis.importance import WALKS
from training_factors.study.analysis.measurements import (
    MeasuredStudy,
    Measurements,
    has_diverged,
    read_measured,
)
from training_factors.study.analysis.sensitivity import shapley
from training_factors.study.analysis.uncertainty import Interval, Question, estimate


def ped_anova(evidence: Measurements, coordinates: Sequence[Coordinate]) -> dict[str, float]:
    """Which parameters set the best tenth of the rows apart from all (Watanabe et al., 2023).

    Of the designed rows alone: on adaptively chosen trials it inverts the ranking. It looks at one
    parameter at a time, so it sees no interactions, and it is no share of a variance.
    """
    dimensions = {one.name: one.dimension for one in coordinates}
    distributions = {
        name: dimension.distribution()
        for name, dimension in dimensions.items()
        if isinstance(dimension, Varied)
    }
    study = optuna.create_study(storage=optuna.storages.InMemoryStorage(), direction="maximize")
    for parameters, value in zip(evidence.parameters, evidence.values, strict=True):
        own = {name: distributions[name] for name in parameters}
        study.add_trial(
            create_trial(params=dict(parameters), distributions=own, value=float(value))
        )
    found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return {name: float(part) for name, part in found.items()}


RowValues = Callable[[Measurements], Array]


class Lens(NamedTuple):
    """A way to look. values: a number for every row."""

    name: str
    question: str
    values: RowValues


class LensShare(NamedTuple):
    """A factor's Shapley share through a lens."""

    factor: str
    share: float
    interval: Interval


class LensResult(NamedTuple):
    """What a lens shows: R² of the surrogate and shares, or no shares and the reason."""

    name: str
    question: str
    r2: float | None
    shares: tuple[LensShare, ...]
    nothing: str | None


class Lenses(NamedTuple):
    """All lenses, and PED-ANOVA by parameter, which answers a question of its own."""

    seen: tuple[LensResult, ...]
    ped_anova: dict[str, float]


def compute_lenses(
    trials: Sequence[Trial], space: SpaceDescription, *, seed: int, jobs: int
) -> Lenses:
    """Shares through every lens, by gradient boosting alone, which is quick.

    Raises NoAnswer when too little was measured.
    """
    study = read_measured(trials, space, seed)
    with one_thread_each():
        seen = tuple(_through(lens, study, jobs) for lens in LENSES)
    return Lenses(seen, ped_anova(study.evidence, space.coordinates))


def working_region(evidence: Measurements) -> Array:
    """Values below the median raised to it: what broke no longer counts by how badly."""
    return np.maximum(evidence.values, np.median(evidence.values))


def divergence(evidence: Measurements) -> Array:
    """The part of a row's runs that diverged."""
    return np.array([np.mean([has_diverged(trial) for trial in row]) for row in evidence.trials])


def after(part: float, evidence: Measurements) -> Array:
    """The objective after this part of the epochs, from the stored curves."""
    epochs = 1 + max(max(t.curve, default=0) for row in evidence.trials for t in row)
    last = part * epochs - 1
    return np.array([np.mean([_at(trial, last) for trial in row]) for row in evidence.trials])


def cost(evidence: Measurements) -> Array:
    """The logarithm of a run's seconds."""
    seconds = [[trial.time_s or 0.0 for trial in row] for row in evidence.trials]
    return np.log(np.maximum([float(np.mean(row)) for row in seconds], 1e-3))


LENSES = (
    Lens("working", "among the better half of the configurations", working_region),
    Lens("diverged", "what makes a run diverge", divergence),
    Lens("25 %", "after a quarter of the epochs", lambda evidence: after(0.25, evidence)),
    Lens("50 %", "after half of the epochs", lambda evidence: after(0.5, evidence)),
    Lens("100 %", "after all epochs", lambda evidence: after(1.0, evidence)),
    Lens("cost", "what makes a run take long", cost),
)


def _through(lens: Lens, study: MeasuredStudy, jobs: int) -> LensResult:
    values = lens.values(study.evidence)
    if np.ptp(values) == 0:
        return LensResult(lens.name, lens.question, None, (), f"equal for all rows: {values[0]:g}")
    rows = Rows(study.rows.features, values, study.rows.seed)
    blend = fit_blend(rows, jobs, [BOOSTING])
    if blend.r2 <= 0:
        return LensResult(lens.name, lens.question, blend.r2, (), "no factor explains it")
    groups, seed = study.by_factor, study.rows.seed
    asked = Question(
        shapley(study.layout, groups, WALKS.fine, seed),
        shapley(study.layout, groups, WALKS.coarse, seed),
    )
    (found,) = estimate(blend, rows, [asked], jobs)
    columns = zip(groups, found.value, found.intervals(), strict=True)
    shares = tuple(LensShare(name, float(share), interval) for name, share, interval in columns)
    return LensResult(lens.name, lens.question, blend.r2, shares, None)


def _at(trial: Trial, epoch: float) -> float:
    """The last value that was stored up to this epoch; of a diverged run, what it ended at."""
    assert trial.value is not None
    stored = [step for step in trial.curve if step <= epoch + 1e-9]
    if not stored or (has_diverged(trial) and max(trial.curve) <= epoch):
        return trial.value
    return trial.curve[max(stored)]
