"""The same shares of other numbers than the final objective: what else a factor decides."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from storage.tables import Trial
from study.analysis.blend import BOOSTING, Rows, fit_blend, one_thread_each
from study.analysis.estimands import shapley
from study.analysis.estimation import Question, estimate
from study.analysis.evidence import Evidence, has_diverged
from study.analysis.features import Array
from study.analysis.headline import WALKS
from study.analysis.intervals import Interval
from study.analysis.ped_anova import ped_anova
from study.analysis.rows import Measured, read_measured

Values = Callable[[Evidence], Array]


class Lens(NamedTuple):
    """A way to look. values: a number for every row."""

    name: str
    question: str
    values: Values


class Share(NamedTuple):
    """A factor's Shapley share through a lens."""

    factor: str
    share: float
    interval: Interval


class Seen(NamedTuple):
    """What a lens shows: R² of the surrogate and shares, or no shares and the reason."""

    name: str
    question: str
    r2: float | None
    shares: tuple[Share, ...]
    nothing: str | None


class Lenses(NamedTuple):
    """All lenses, and PED-ANOVA by parameter, which answers a question of its own."""

    seen: tuple[Seen, ...]
    ped_anova: dict[str, float]


def look(trials: Sequence[Trial], space: Mapping[str, Any], *, seed: int, jobs: int) -> Lenses:
    """Shares through every lens, by gradient boosting alone, which is quick.

    Raises NoAnswer when too little was measured.
    """
    study = read_measured(trials, space, seed)
    with one_thread_each():
        seen = tuple(_through(lens, study, jobs) for lens in LENSES)
    return Lenses(seen, ped_anova(study.evidence, space["coordinates"]))


def working_region(evidence: Evidence) -> Array:
    """Values below the median raised to it: what broke no longer counts by how badly."""
    return np.maximum(evidence.values, np.median(evidence.values))


def divergence(evidence: Evidence) -> Array:
    """The part of a row's runs that diverged."""
    return np.array([np.mean([has_diverged(trial) for trial in row]) for row in evidence.trials])


def after(part: float, evidence: Evidence) -> Array:
    """The objective after this part of the epochs, from the stored curves."""
    epochs = 1 + max(max(t.curve, default=0) for row in evidence.trials for t in row)
    last = part * epochs - 1
    return np.array([np.mean([_at(trial, last) for trial in row]) for row in evidence.trials])


def cost(evidence: Evidence) -> Array:
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


def _through(lens: Lens, study: Measured, jobs: int) -> Seen:
    values = lens.values(study.evidence)
    if np.ptp(values) == 0:
        return Seen(lens.name, lens.question, None, (), f"equal for all rows: {values[0]:g}")
    rows = Rows(study.rows.features, values, study.rows.seed)
    blend = fit_blend(rows, jobs, [BOOSTING])
    if blend.r2 <= 0:
        return Seen(lens.name, lens.question, blend.r2, (), "no factor explains it")
    groups, seed = study.by_factor, study.rows.seed
    asked = Question(
        shapley(study.layout, groups, WALKS.fine, seed),
        shapley(study.layout, groups, WALKS.coarse, seed),
    )
    (found,) = estimate(blend, rows, [asked], jobs)
    columns = zip(groups, found.value, found.intervals(), strict=True)
    shares = tuple(Share(name, float(share), interval) for name, share, interval in columns)
    return Seen(lens.name, lens.question, blend.r2, shares, None)


def _at(trial: Trial, epoch: float) -> float:
    """The last value that was stored up to this epoch; of a diverged run, what it ended at."""
    assert trial.value is not None
    stored = [step for step in trial.curve if step <= epoch + 1e-9]
    if not stored or (has_diverged(trial) and max(trial.curve) <= epoch):
        return trial.value
    return trial.curve[max(stored)]
