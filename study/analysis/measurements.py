"""Collect the measured rows of a study, which are all that importance is computed from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from training_factors.search_spaces.description import PLACEBO, SpaceDescription
from training_factors.search_spaces.dimension import Value
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import NoAnswer, NothingVaries
from training_factors.study.analysis.division_noise import DivisionVariance, division_variance
from training_factors.study.analysis.features import Array, Groups, Layout, read_layout
from training_factors.study.analysis.rows import Rows
from training_factors.study.analysis.shares import SeedNoise

MIN_ROWS = 16
"""Minimum number of measured rows; half of fewer rows is too little for a tree to split."""

AT_CHANCE = 0.05
"""Runs that score at most 5 % of the way from chance to perfect count as "at chance"."""


class Measurements(NamedTuple):
    """The measured rows of a study, in the order of their row numbers.

    trials: the repeats of every row. parameters: the active parameters of every row. values: the
    mean objective of every row over its repeats, (rows,). repeats: number of runs of every row,
    (rows,). seed_variance: variance of the objective among repeats of a row, which the training
    seed causes, pooled over all rows; None when no row was repeated. diverged: share of the runs
    whose loss stopped being finite. at_chance: share of the runs that are no better than chance;
    None when the chance level is not known for all of them. division: variance between divisions of
    the data; None when no row ran under another one.
    """

    trials: tuple[tuple[Trial, ...], ...]
    parameters: tuple[Mapping[str, Value], ...]
    values: Array
    repeats: Array
    seed_variance: float | None
    diverged: float
    at_chance: float | None
    division: DivisionVariance | None = None

    @property
    def rows(self) -> int:
        """The number of different configurations that were measured."""
        return len(self.values)

    @property
    def runs(self) -> int:
        """The number of networks that were trained, repeats included."""
        return int(self.repeats.sum())

    @property
    def ceiling(self) -> float | None:
        """The largest R² that is possible: the share of the variance that is not seed noise.

        None when no row was repeated.
        """
        return 1 - self.seed_noise.part if self.seed_noise.degrees else None

    @property
    def seed_noise(self) -> SeedNoise:
        """The part of the variance among rows that the seed causes, s² E[1/repeats] / Var(y)."""
        if self.seed_variance is None:
            return SeedNoise(0.0, 0)
        variance_of_means = self.seed_variance * float(np.mean(1 / self.repeats))
        part = min(1.0, variance_of_means / float(self.values.var(ddof=1)))
        return SeedNoise(part, int((self.repeats - 1).sum()))


class MeasuredStudy(NamedTuple):
    """A study as the analysis reads it.

    layout: encodes its configurations. rows: features and mean objective of the measured rows, as
    surrogates are fitted on them. topics: factor -> topic. space: its description; empty for a
    study of another program. placebo: the factor that is known to have no effect, the last one;
    None when there is none.
    """

    measurements: Measurements
    layout: Layout
    rows: Rows
    topics: Mapping[str, str]
    space: SpaceDescription
    placebo: str | None

    @property
    def by_factor(self) -> Groups:
        """Every factor with its axes; the placebo counts as a factor."""
        return self.layout.factors()

    @property
    def factors(self) -> tuple[str, ...]:
        """The names of the factors, in order, without the placebo."""
        return tuple(name for name in self.by_factor if name != self.placebo)

    @property
    def by_topic(self) -> Groups:
        """Every topic with the axes of all its factors."""
        return self.layout.groups(self.topics)

    @property
    def by_hyperparameter(self) -> Groups:
        """Every axis as a group of its own: hyperparameters, and the choices of an option."""
        return {axis.name: (i,) for i, axis in enumerate(self.layout.axes)}


def read_measured(trials: Sequence[Trial], space: SpaceDescription, seed: int) -> MeasuredStudy:
    """Return the study that these trials over a described space make up.

    Raises NoAnswer when there are too few rows or their objective does not vary.
    """
    if space.is_fixed:
        raise NothingVaries("nothing varies in this study, so that no factor can matter")
    measurements = gather_measurements(trials)
    layout = read_layout(space.coordinates)
    features = layout.encode(measurements.parameters).astype(np.float32)
    rows = Rows(features, measurements.values, seed, layout)
    topics = {factor.name: factor.topic for factor in space.factors} | {PLACEBO: PLACEBO}
    return MeasuredStudy(measurements, layout, rows, topics, space, PLACEBO)


def gather_measurements(trials: Sequence[Trial]) -> Measurements:
    """Group the complete runs of the measuring phase by row.

    Runs of the search are left out: they are pruned and chosen adaptively, which biases importance.
    Runs under other divisions of the data say how much the division matters, and nothing else.
    Raises NoAnswer when there are too few rows or their objective does not vary.
    """
    runs_of_row: dict[int, list[Trial]] = defaultdict(list)
    for trial in sorted(trials, key=lambda trial: (trial.row, trial.repeat, trial.number)):
        if trial.phase == "measure" and trial.complete and trial.value is not None:
            runs_of_row[trial.row].append(trial)
    _check_count(len(runs_of_row))
    measurements = summarize_rows([tuple(runs) for runs in runs_of_row.values()])
    return measurements._replace(division=division_variance(trials))


def summarize_rows(rows: Sequence[tuple[Trial, ...]]) -> Measurements:
    """Return the measurements of rows, each the complete runs of one configuration.

    Raises NoAnswer when the objective does not vary.
    """
    values = [np.array([trial.value for trial in runs], dtype=np.float64) for runs in rows]
    means = np.array([row.mean() for row in values])
    measured = [trial for runs in rows for trial in runs]
    diverged = float(np.mean([has_diverged(trial) for trial in measured]))
    if np.ptp(means) == 0:
        raise NoAnswer(_no_variation(len(rows), float(means[0]), diverged))
    return Measurements(
        trials=tuple(rows),
        parameters=tuple(runs[0].parameters for runs in rows),
        values=means,
        repeats=np.array([len(row) for row in values], dtype=np.float64),
        seed_variance=pooled_variance(values),
        diverged=diverged,
        at_chance=share_at_chance(measured),
    )


def pooled_variance(rows: Sequence[Array]) -> float | None:
    """Return Σ (y − ȳ_row)² / Σ (repeats − 1), or None when no row has a second value."""
    degrees_of_freedom = sum(len(row) - 1 for row in rows)
    if degrees_of_freedom == 0:
        return None
    return float(sum(((row - row.mean()) ** 2).sum() for row in rows)) / degrees_of_freedom


def has_diverged(trial: Trial) -> bool:
    """Return whether the run's loss stopped being finite."""
    return bool(trial.attributes.get("diverged", False))


def is_at_chance(trial: Trial) -> bool:
    """Return whether a run is no better than chance, as every diverged run is.

    Only divergence counts for a run whose chance level is not known. Runs of earlier versions do
    not say what a perfect objective is: it was 1.
    """
    chance, perfect = trial.attributes.get("chance"), trial.attributes.get("perfect", 1.0)
    if has_diverged(trial) or chance is None:
        return has_diverged(trial)
    assert trial.value is not None
    return bool(chance >= perfect or (trial.value - chance) / (perfect - chance) <= AT_CHANCE)


def share_at_chance(runs: Sequence[Trial]) -> float | None:
    """Return the part of the runs that are no better than chance; None where that is not known."""
    if any("chance" not in trial.attributes for trial in runs):
        return None
    return float(np.mean([is_at_chance(trial) for trial in runs]))


def _check_count(rows: int) -> None:
    if rows == 0:
        raise NoAnswer(
            "no measured configurations: importance needs finished runs of the phase measure"
        )
    if rows < MIN_ROWS:
        verb = "has" if rows == 1 else "have"
        raise NoAnswer(
            f"too few configurations: {rows} {verb} a finished run of the phase measure; at least "
            f"{MIN_ROWS} are needed"
        )


def _no_variation(rows: int, value: float, diverged: float) -> str:
    reason = ": every run diverged" if diverged == 1 else ""
    return f"nothing to compare: all {rows} configurations ended at {value:.4g}{reason}"
