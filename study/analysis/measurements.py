"""A study as the analysis sees it: its rows, and who owns which axis."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from training_factors.search_spaces.description import PLACEBO, SpaceDescription
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import NoAnswer
from training_factors.study.analysis.blend import Rows
from training_factors.study.analysis.features import Array, Groups, Layout, read_layout

LEAST_ROWS = 16
"""Below this, half of the rows is too few for a tree to split."""

NEAR_CHANCE = 0.05
"""A run this part of the way from chance, 0, to perfect, 1, or less, has learned nothing."""


class Measurements(NamedTuple):
    """The measured rows of a study, in the order of their numbers.

    trials: of every row, its repeats. parameters: of every row, the active ones only. values: mean
    objective over a row's repeats. repeats: runs of every row. noise: pooled variance of a row's
    repeats around their mean, that of the training seed; None when no row was repeated. at_chance:
    share of the runs that learned nothing; None when the study does not know its chance level.
    diverged: share of the runs.
    """

    trials: tuple[tuple[Trial, ...], ...]
    parameters: tuple[Mapping[str, Any], ...]
    values: Array
    repeats: Array
    noise: float | None
    diverged: float
    at_chance: float | None

    @property
    def rows(self) -> int:
        """How many different configurations were measured."""
        return len(self.values)

    @property
    def runs(self) -> int:
        """How many networks were trained for it."""
        return int(self.repeats.sum())

    @property
    def ceiling(self) -> float | None:
        """The largest share of the variance that a configuration could explain.

        1 − s² E[1/repeats] / Var(y), with s² the seed's variance; None without repeats.
        """
        if self.noise is None:
            return None
        of_means = self.noise * float(np.mean(1 / self.repeats))
        return max(0.0, 1 - of_means / float(self.values.var(ddof=1)))


def gather_measurements(trials: Sequence[Trial]) -> Measurements:
    """The evidence of a study: its complete measuring runs, never pruned or adaptively chosen.

    Raises NoAnswer when there are too few rows or nothing differs among them.
    """
    runs: dict[int, list[Trial]] = defaultdict(list)
    for trial in sorted(trials, key=lambda trial: (trial.row, trial.repeat, trial.number)):
        if trial.phase == "measure" and trial.complete and trial.value is not None:
            runs[trial.row].append(trial)
    _check_count(len(runs))
    values = [np.array([trial.value for trial in row], dtype=np.float64) for row in runs.values()]
    means = np.array([row.mean() for row in values])
    measured = [trial for row in runs.values() for trial in row]
    diverged = float(np.mean([has_diverged(trial) for trial in measured]))
    if np.ptp(means) == 0:
        raise NoAnswer(_all_equal(len(runs), float(means[0]), diverged))
    return Measurements(
        trials=tuple(tuple(row) for row in runs.values()),
        parameters=tuple(row[0].parameters for row in runs.values()),
        values=means,
        repeats=np.array([len(row) for row in values], dtype=np.float64),
        noise=pooled_variance(values),
        diverged=diverged,
        at_chance=_share_at_chance(measured),
    )


def pooled_variance(rows: Sequence[Array]) -> float | None:
    """Σ (y − ȳ_row)² / Σ (repeats − 1); None when no row has a second value."""
    freedom = sum(len(row) - 1 for row in rows)
    if freedom == 0:
        return None
    return float(sum(((row - row.mean()) ** 2).sum() for row in rows)) / freedom


def _check_count(rows: int) -> None:
    if rows == 0:
        raise NoAnswer("no measured rows: importance needs finished runs of the measuring phase")
    if rows < LEAST_ROWS:
        raise NoAnswer(
            f"too few rows: {rows} of the measuring phase are finished, at least {LEAST_ROWS} "
            "are needed"
        )


def _all_equal(rows: int, value: float, diverged: float) -> str:
    why = ": every run diverged" if diverged == 1 else ""
    return f"nothing to compare: all {rows} rows ended at {value:.4g}{why}"


def has_diverged(trial: Trial) -> bool:
    """Whether the run's loss stopped being finite."""
    return bool(trial.attributes.get("diverged", False))


def is_at_chance(trial: Trial) -> bool:
    """Whether a run has learned nothing; one that does not know its chance level has not."""
    chance = trial.attributes.get("chance")
    if has_diverged(trial) or chance is None:
        return has_diverged(trial)
    assert trial.value is not None
    return bool(chance >= 1 or (trial.value - chance) / (1 - chance) <= NEAR_CHANCE)


def _share_at_chance(runs: Sequence[Trial]) -> float | None:
    if any("chance" not in trial.attributes for trial in runs):
        return None
    return float(np.mean([is_at_chance(trial) for trial in runs]))


class MeasuredStudy(NamedTuple):
    """A study as the analysis sees it."""

    evidence: Measurements
    layout: Layout
    rows: Rows
    topics: Mapping[str, str]
    space: SpaceDescription

    @property
    def by_factor(self) -> Groups:
        """Every factor with its axes, the placebo among them."""
        return self.layout.factors()

    @property
    def by_topic(self) -> Groups:
        """Every topic with the axes of all its factors."""
        return self.layout.groups(self.topics)

    @property
    def by_hyperparameter(self) -> Groups:
        """Every axis alone."""
        return {axis.name: (i,) for i, axis in enumerate(self.layout.axes)}


def read_measured(trials: Sequence[Trial], space: SpaceDescription, seed: int) -> MeasuredStudy:
    """The study of these trials over a described space. Raises NoAnswer: see `gather`."""
    evidence = gather_measurements(trials)
    layout = read_layout(space.coordinates)
    features = layout.encode(evidence.parameters).astype(np.float32)
    topics = {factor.name: factor.topic for factor in space.factors} | {PLACEBO: PLACEBO}
    return MeasuredStudy(evidence, layout, Rows(features, evidence.values, seed), topics, space)
