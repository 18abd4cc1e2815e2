"""Analyse paired runs: the best configuration against itself with one factor changed.

And, where it was run, the path from the baseline to the best configuration.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t, ttest_rel

from training_factors.search_spaces.description import PLACEBO, factor_parameters
from training_factors.search_spaces.dimension import Value
from training_factors.storage.arms import CONTRAST, PATH, Arm, row_of_runs
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import rounded
from training_factors.study.analysis.best_configuration import MIN_SEEDS, test_values
from training_factors.study.analysis.features import Array
from training_factors.study.analysis.intervals import Interval
from training_factors.study.analysis.significance import holm
from training_factors.study.analysis.verdict import SIGNIFICANT


class Contrast(NamedTuple):
    """The decrease of the objective on the test part when one factor changes, with equal seeds.

    difference: mean of the best configuration less that of the arm, in percentage points of the
    objective, with its 95 % t-interval. p_value: of the paired t-test, Holm-corrected except
    for the placebo. better: fraction of the seeds with which the best configuration is ahead, ties
    counted half.
    """

    name: str
    factor: str
    seeds: int
    difference: float
    interval: Interval
    p_value: float
    better: float

    @property
    def is_of_a_factor(self) -> bool:
        """Return whether a factor was changed, not the placebo."""
        return self.factor != PLACEBO

    @property
    def confirmed(self) -> bool:
        """Return whether the best configuration is significantly better than the arm."""
        return self.difference > 0 and self.p_value < SIGNIFICANT


class PathStep(NamedTuple):
    """One step of the path: one factor more is set as in the best configuration.

    setting: the factor's parameters from here on. value: mean objective on the test part over the
    seeds, with its 95 % t-interval. gain: mean of the paired differences to the step before, in
    percentage points of the objective, with its 95 % t-interval. p_value: of the paired t-test,
    Holm-corrected for the number of steps.
    """

    factor: str
    setting: dict[str, Value]
    value: float
    interval: Interval
    gain: float
    gain_interval: Interval
    p_value: float

    @property
    def is_distinguishable(self) -> bool:
        """Return whether the step makes a significant difference."""
        return self.p_value < SIGNIFICANT

    @property
    def confirmed(self) -> bool:
        """Return whether the step makes the configuration significantly better."""
        return self.gain > 0 and self.is_distinguishable


class ConfirmedPath(NamedTuple):
    """The way from the baseline to the best configuration, one factor at a time, in paired runs.

    seeds: that all steps have in common. value: mean objective of the baseline on the test part,
    with its 95 % t-interval. total: mean of the paired differences between the best configuration
    and the baseline, the sum of all gains, in percentage points, with its 95 % t-interval.
    """

    seeds: int
    value: float
    interval: Interval
    steps: tuple[PathStep, ...]
    total: float
    total_interval: Interval


class Confirmation(NamedTuple):
    """The result of a confirmation.

    config: the best configuration. value: its mean objective on the test part over the seeds, with
    its 95 % interval. path: None where it was not run, or too few of its runs have ended.
    """

    config: dict[str, Value]
    seeds: int
    value: float
    interval: Interval
    contrasts: tuple[Contrast, ...]
    path: ConfirmedPath | None = None

    def of(self, factor: str) -> Contrast | None:
        """Return the factor's contrast, or None.

        The last one listed is the fairest: its learning rate was tuned again.
        """
        contrasts = [contrast for contrast in self.contrasts if contrast.factor == factor]
        return contrasts[-1] if contrasts else None

    def confirms(self, factor: str) -> bool | None:
        """Return whether paired runs show an effect of a factor; None where none changed it.

        They show one at the best configuration, or on the path that leads to it.
        """
        found = [one.confirmed for one in (self.of(factor), self.step(factor)) if one is not None]
        return any(found) if found else None

    @property
    def path_leads(self) -> bool:
        """Return whether the largest effect is a step of the path, not a change of the best."""
        steps = self.path.steps if self.path else ()
        gain = max((step.gain for step in steps if step.confirmed), default=0.0)
        names = {contrast.factor for contrast in self.contrasts if contrast.is_of_a_factor}
        drops = [self.of(name) for name in names]
        drop = max((one.difference for one in drops if one and one.confirmed), default=0.0)
        return gain > drop

    def step(self, factor: str) -> PathStep | None:
        """Return the step of the path that sets a factor, or None."""
        steps = self.path.steps if self.path else ()
        return next((step for step in steps if step.factor == factor), None)


def analyse_confirmation(arms: Sequence[Arm], trials: Sequence[Trial]) -> Confirmation | None:
    """Return the result of a confirmation's runs, or None while the best has too few seeds.

    The first contrast arm is the best configuration itself; the number of an arm is the row of its
    runs.
    """
    rows = [row for row, arm in enumerate(arms) if arm.purpose == CONTRAST]
    if not rows:
        return None
    best, *others = (test_values(trials, row) for row in rows)
    if len(best) < MIN_SEEDS:
        return None
    contrasts = [
        _contrast(arms[row], best, values)
        for row, values in zip(rows[1:], others, strict=True)
        if len(best.keys() & values.keys()) >= MIN_SEEDS
    ]
    corrected = holm({one.name: one.p_value for one in contrasts if one.is_of_a_factor})
    best_values = np.array(list(best.values()))
    confirmation: Confirmation = rounded(
        Confirmation(
            config=dict(arms[rows[0]].config),
            seeds=len(best_values),
            value=float(best_values.mean()),
            interval=mean_interval(best_values),
            contrasts=tuple(
                one._replace(p_value=corrected.get(one.name, one.p_value)) for one in contrasts
            ),
            path=_path(arms, trials),
        )
    )
    return confirmation


def _path(arms: Sequence[Arm], trials: Sequence[Trial]) -> ConfirmedPath | None:
    """Return the path over the seeds that all of its steps have, so that the gains add up."""
    rows = [row for row, arm in enumerate(arms) if arm.purpose == PATH]
    by_repeat = [test_values(trials, row_of_runs(arms, row)) for row in rows]
    if not rows:
        return None
    seeds = sorted(set.intersection(*(set(values) for values in by_repeat)))
    if len(seeds) < MIN_SEEDS:
        return None
    values = [np.array([of_step[seed] for seed in seeds]) for of_step in by_repeat]
    total = 100 * (values[-1] - values[0])
    steps = [
        _step(arms[row], before, after)
        for row, before, after in zip(rows[1:], values, values[1:], strict=False)
    ]
    corrected = holm({one.factor: one.p_value for one in steps})
    return ConfirmedPath(
        len(seeds), float(values[0].mean()), mean_interval(values[0]),
        tuple(one._replace(p_value=corrected[one.factor]) for one in steps),
        float(total.mean()), mean_interval(total),
    )  # fmt: skip


def _step(arm: Arm, before: Array, after: Array) -> PathStep:
    factor, gains = arm.factor or "", 100 * (after - before)
    return PathStep(
        factor, factor_parameters(arm.config, factor), float(after.mean()), mean_interval(after),
        float(gains.mean()), mean_interval(gains), _paired_p_value(after, before),
    )  # fmt: skip


def _contrast(arm: Arm, best: dict[int, float], changed: dict[int, float]) -> Contrast:
    seeds = sorted(best.keys() & changed.keys())
    best_values = np.array([best[seed] for seed in seeds])
    changed_values = np.array([changed[seed] for seed in seeds])
    differences = best_values - changed_values
    low, high = mean_interval(differences)
    return Contrast(
        name=arm.name,
        factor=arm.factor or "",
        seeds=len(seeds),
        difference=100 * float(differences.mean()),
        interval=(100 * low, 100 * high),
        p_value=_paired_p_value(best_values, changed_values),
        better=float(np.mean((differences > 0) + 0.5 * (differences == 0))),
    )


def mean_interval(values: Array) -> Interval:
    """Return the 95 % t-interval of a mean. values: two or more."""
    margin = float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)
    return float(values.mean()) - margin, float(values.mean()) + margin


def _paired_p_value(best: Array, changed: Array) -> float:
    """Return the p-value of the paired t-test; 0 or 1 where all differences are equal."""
    differences = best - changed
    if np.ptp(differences) == 0:
        return 1.0 if differences[0] == 0 else 0.0
    return float(ttest_rel(best, changed).pvalue)
