"""Test the recommended settings and the level of evidence for them."""

from typing import Any

import pytest

from tests.support.reports import simulated_report
from training_factors.search_spaces.description import SpaceDescription
from training_factors.search_spaces.space import named_space
from training_factors.study.analysis.contrasts import Contrast
from training_factors.study.analysis.recommendation import evidence_for, recommend
from training_factors.study.analysis.verdict import (
    CONFIRMED,
    NOT_DISTINGUISHABLE,
    PROBABLE,
    UNTESTED,
)


def contrast(difference: float, p_value: float) -> Contrast:
    return Contrast("", "loss", 5, difference, (0, 0), p_value, 0.5)


class FactorStub:
    def __init__(self, matters: bool) -> None:
        self.matters = matters


@pytest.mark.parametrize(
    ("factor", "paired", "expected"),
    [
        (None, None, UNTESTED),
        (FactorStub(True), None, PROBABLE),
        (FactorStub(False), None, NOT_DISTINGUISHABLE),
        (FactorStub(False), True, CONFIRMED),
        (FactorStub(True), False, PROBABLE),
        (FactorStub(False), False, NOT_DISTINGUISHABLE),
    ],
)
def test_the_strongest_evidence_counts(factor: Any, paired: bool | None, expected: str) -> None:
    assert evidence_for(factor, paired) == expected


def test_every_factor_is_recommended_with_all_its_hyperparameters() -> None:
    described = named_space("full").describe()
    space = SpaceDescription(factors=(described.factor("loss"), described.factor("warmup")))

    class NoFactors:
        factors, effects, no_effects = (), (), None

    answer: Any = NoFactors()
    loss, warmup = recommend(answer, space, {"loss": "smoothed"}, None)
    assert (loss.option, loss.hyperparameters) == ("smoothed", {"loss.smoothed.amount": 0.1})
    assert (warmup.option, warmup.hyperparameters, warmup.evidence_level) == ("none", {}, UNTESTED)


def test_the_gain_is_that_of_the_option_that_is_set() -> None:
    report = simulated_report()
    assert report.answer is not None and report.best is not None
    space = report.space
    for option in ("sgd", "adam"):
        (setting,) = (
            one
            for one in recommend(report.answer, space, {"optimizer": option}, None)
            if one.factor == "optimizer"
        )
        (effect,) = (
            e
            for e in report.answer.effects
            if (e.factor, e.option, e.hyperparameter) == ("optimizer", option, None)
        )
        assert setting.gain == effect.points
    assert setting.gain != 0
