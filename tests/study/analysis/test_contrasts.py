"""Paired differences of controlled runs, and what follows from them."""

from typing import Any

import pytest
from scipy.stats import ttest_rel

from tests.support.reports import simulated_report
from training_factors.search_spaces.description import SpaceDescription
from training_factors.search_spaces.space import named_space
from training_factors.storage.arms import CONTRAST, RANK, Arm
from training_factors.storage.trials import Trial
from training_factors.study.analysis.contrasts import Contrast, analyse_confirmation
from training_factors.study.analysis.recommendation import evidence_for, recommend
from training_factors.study.analysis.verdict import (
    CONFIRMED,
    NOT_DISTINGUISHABLE,
    PROBABLE,
    UNTESTED,
)

BEST = [0.95, 0.96, 0.94, 0.97, 0.95]
WORSE = [0.91, 0.93, 0.90, 0.94, 0.92]
ARMS = [
    Arm(RANK, "trial 3", None, {"loss": "smoothed"}),
    Arm(CONTRAST, "best", None, {"loss": "smoothed"}),
    Arm(CONTRAST, "loss at its baseline", "loss", {"loss": "hard"}),
    Arm(CONTRAST, "placebo moved", "placebo", {"loss": "smoothed"}),
]


def run(row: int, repeat: int, test_value: float | None) -> Trial:
    return Trial(0, "COMPLETE", "confirm", row, repeat, 0, {}, 0.5, {}, {}, 1.0, {}, {}, test_value)


def trials(*values: list[float]) -> list[Trial]:
    return [run(row, i, v) for row, own in enumerate(values, 1) for i, v in enumerate(own)]


def test_differences_are_paired_by_seed() -> None:
    found = analyse_confirmation(ARMS, trials(BEST, WORSE, BEST)[::-1])
    assert found is not None
    assert (found.seeds, found.config) == (5, {"loss": "smoothed"})
    assert found.value == pytest.approx(0.954)
    loss, placebo = found.contrasts
    expected = ttest_rel(BEST, WORSE)
    interval = expected.confidence_interval()
    assert loss.difference == pytest.approx(3.4)
    assert loss.interval == pytest.approx((100 * interval.low, 100 * interval.high), rel=1e-5)
    assert loss.p_value == pytest.approx(expected.pvalue, rel=1e-5)
    assert (loss.better, loss.seeds, loss.confirmed) == (1.0, 5, True)
    assert (placebo.difference, placebo.p_value, placebo.confirmed) == (0, 1, False)


def test_a_run_that_failed_leaves_its_pair_out() -> None:
    found = analyse_confirmation(ARMS, [*trials(BEST, WORSE[:4]), run(3, 0, None)])
    assert found is not None
    assert [(one.factor, one.seeds) for one in found.contrasts] == [("loss", 4)]


@pytest.mark.parametrize("values", [[], [BEST[:2], WORSE[:2]]])
def test_too_few_seeds_say_nothing(values: list[list[float]]) -> None:
    assert analyse_confirmation(ARMS, trials(*values)) is None
    assert analyse_confirmation([], []) is None


def contrast(difference: float, p_value: float) -> Contrast:
    return Contrast("", "loss", 5, difference, (0, 0), p_value, 0.5)


class Known:
    def __init__(self, matters: bool) -> None:
        self.matters = matters


@pytest.mark.parametrize(
    ("factor", "seen", "expected"),
    [
        (None, None, UNTESTED),
        (Known(True), None, PROBABLE),
        (Known(False), None, NOT_DISTINGUISHABLE),
        (Known(False), contrast(2, 0.01), CONFIRMED),
        (Known(True), contrast(2, 0.2), NOT_DISTINGUISHABLE),
        (Known(True), contrast(-2, 0.01), NOT_DISTINGUISHABLE),
    ],
)
def test_controlled_runs_have_the_last_word(factor: Any, seen: Any, expected: str) -> None:
    assert evidence_for(factor, seen) == expected


def test_every_factor_is_recommended_with_all_its_knobs() -> None:
    described = named_space("full").describe()
    space = SpaceDescription(factors=(described.factor("loss"), described.factor("warmup")))

    class NoFactors:
        factors, effects = (), ()

    answer: Any = NoFactors()
    loss, warmup = recommend(answer, space, {"loss": "smoothed"}, None)
    assert (loss.option, loss.hyperparameters) == ("smoothed", {"loss.smoothed.amount": 0.1})
    assert (warmup.option, warmup.hyperparameters, warmup.standing) == ("none", {}, UNTESTED)


def test_the_gain_is_that_of_the_option_that_is_set() -> None:
    report = simulated_report()
    assert report.answer is not None and report.best is not None
    described = report.space
    for option in ("sgd", "adam"):
        (setting,) = (
            one
            for one in recommend(report.answer, described, {"optimizer": option}, None)
            if one.factor == "optimizer"
        )
        (effect,) = (
            e
            for e in report.answer.effects
            if (e.factor, e.option, e.hyperparameter) == ("optimizer", option, None)
        )
        assert setting.gain == effect.points
    assert setting.gain != 0
