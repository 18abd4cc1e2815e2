"""What controlled runs say: the best configuration against itself with one factor changed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t, ttest_rel

from training_factors.search_spaces.description import PLACEBO
from training_factors.storage.arms import CONTRAST, Arm
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import rounded
from training_factors.study.analysis.features import Array
from training_factors.study.analysis.significance import holm
from training_factors.study.analysis.uncertainty import Interval
from training_factors.study.analysis.verdict import SIGNIFICANT

LEAST_SEEDS = 3


class Contrast(NamedTuple):
    """What changing one factor costs on the test part, with the same seeds in both arms.

    difference: mean of best less arm, in hundredths of the objective, with its 95 % t-interval.
    p_value: of the paired t test, Holm-corrected. better: in which part of the seeds the best is
    ahead, ties counted half.
    """

    name: str
    factor: str
    seeds: int
    difference: float
    interval: Interval
    p_value: float
    better: float

    @property
    def confirmed(self) -> bool:
        """Whether the best is better for certain."""
        return self.difference > 0 and self.p_value < SIGNIFICANT


class Confirmation(NamedTuple):
    """value: mean objective of the best configuration on the test part, with its 95 % interval."""

    config: dict[str, object]
    seeds: int
    value: float
    interval: Interval
    contrasts: tuple[Contrast, ...]

    def of(self, factor: str) -> Contrast | None:
        """The factor's contrast, the fairest there is: the re-tuned one, which is listed last."""
        own = [contrast for contrast in self.contrasts if contrast.factor == factor]
        return own[-1] if own else None


def analyse_confirmation(arms: Sequence[Arm], trials: Sequence[Trial]) -> Confirmation | None:
    """What the contrasts' runs say; None while there are too few of them."""
    rows = [row for row, arm in enumerate(arms) if arm.purpose == CONTRAST]
    if not rows:
        return None
    best, *others = (_values(trials, row) for row in rows)
    if len(best) < LEAST_SEEDS:
        return None
    found = [
        _contrast(arms[row], best, values)
        for row, values in zip(rows[1:], others, strict=True)
        if len(best.keys() & values.keys()) >= LEAST_SEEDS
    ]
    corrected = holm({one.name: one.p_value for one in found if one.factor != PLACEBO})
    values = np.array(list(best.values()))
    confirmation: Confirmation = rounded(
        Confirmation(
            config=dict(arms[rows[0]].config),
            seeds=len(values),
            value=float(values.mean()),
            interval=_interval(values),
            contrasts=tuple(
                one._replace(p_value=corrected.get(one.name, one.p_value)) for one in found
            ),
        )
    )
    return confirmation


def _values(trials: Sequence[Trial], row: int) -> dict[int, float]:
    own = [trial for trial in trials if trial.row == row and trial.test_value is not None]
    return {trial.repeat: float(trial.test_value or 0.0) for trial in own}


def _contrast(arm: Arm, best: dict[int, float], other: dict[int, float]) -> Contrast:
    seeds = sorted(best.keys() & other.keys())
    one, two = (np.array([values[seed] for seed in seeds]) for values in (best, other))
    differences = one - two
    low, high = _interval(differences)
    return Contrast(
        name=arm.name,
        factor=arm.factor or "",
        seeds=len(seeds),
        difference=100 * float(differences.mean()),
        interval=(100 * low, 100 * high),
        p_value=_p_value(one, two),
        better=float(np.mean((differences > 0) + 0.5 * (differences == 0))),
    )


def _interval(values: Array) -> Interval:
    """The 95 % t-interval of a mean."""
    reach = float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)
    return float(values.mean()) - reach, float(values.mean()) + reach


def _p_value(one: Array, two: Array) -> float:
    """Of the paired t test; differences that are all equal leave nothing to test."""
    differences = one - two
    if np.ptp(differences) == 0:
        return 1.0 if differences[0] == 0 else 0.0
    return float(ttest_rel(one, two).pvalue)
