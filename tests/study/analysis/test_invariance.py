"""What must not change an answer: names, units, order, and parameters that do nothing."""

import copy
import math
from typing import Any

import pytest

from benchmarks.simulations import BRANCH, Simulation, axis, described, measure
from storage.tables import Trial
from study.analysis.answer import Answer
from study.analysis.headline import analyse

ROWS = 64


def analysed(trials: list[Trial], space: dict[str, Any]) -> Answer:
    return analyse(trials, space, seed=0, jobs=1)


@pytest.fixture(scope="module")
def plain() -> Answer:
    return analysed(measure(BRANCH, ROWS), BRANCH.space)


def renamed(trials: list[Trial], names: dict[str, str]) -> list[Trial]:
    def new(word: Any) -> Any:
        return ".".join(names.get(p, p) for p in word.split(".")) if isinstance(word, str) else word

    return [
        trial._replace(parameters={new(k): new(v) for k, v in trial.parameters.items()})
        for trial in trials
    ]


def assert_equal(one: Answer, other: Answer, names: dict[str, str]) -> None:
    shares = {names.get(factor.name, factor.name): factor for factor in one.factors}
    for factor in other.factors:
        same = shares[factor.name]
        assert factor.share == pytest.approx(same.share, abs=1e-9)
        assert factor.total == pytest.approx(same.total, abs=1e-9)
        assert factor.interval == pytest.approx(same.interval, abs=1e-9)
        assert factor.p_value == pytest.approx(same.p_value, abs=1e-9)


def test_names_of_factors_knobs_and_options(plain: Answer) -> None:
    names = {"opt": "chooser", "a": "first", "b": "second", "x": "knob", "z": "level"}
    space = described(
        axis("chooser", None, "first", "second"),
        axis("chooser.first.knob", "first"),
        axis("chooser.second.y", "second"),
        axis("level", None, "low", "middle", "high"),
    )
    assert_equal(plain, analysed(renamed(measure(BRANCH, ROWS), names), space), names)


def test_order_of_trials(plain: Answer) -> None:
    assert analysed(measure(BRANCH, ROWS)[::-1], BRANCH.space) == plain


def test_a_logarithm_stored_as_a_linear_number() -> None:
    low, high = 1e-4, 1e-1
    log, linear = copy.deepcopy(BRANCH.space), copy.deepcopy(BRANCH.space)
    for space, dimension in (
        (log, {"kind": "log_uniform", "low": low, "high": high}),
        (linear, {"kind": "uniform", "low": math.log10(low), "high": math.log10(high)}),
    ):
        (knob,) = (one for one in space["coordinates"] if one["name"] == "opt.a.x")
        knob["dimension"] = dimension
    of_log = measure(Simulation(log, BRANCH.function), ROWS)
    of_linear = measure(Simulation(linear, BRANCH.function), ROWS)
    assert_equal(analysed(of_log, log), analysed(of_linear, linear), {})


@pytest.mark.parametrize(
    "extra", [axis("idle"), axis("idle", None, "only", "other")], ids=["number", "choice"]
)
def test_a_parameter_that_does_nothing_stays_within_the_intervals(
    plain: Answer, extra: dict[str, Any]
) -> None:
    """It changes the surrogates' random numbers, so shares move, but not beyond their errors."""
    coordinates = BRANCH.space["coordinates"]
    space = described(*coordinates[:-1], extra)

    def function(units: Any) -> Any:
        return BRANCH.function(units)

    found = analysed(measure(Simulation(space, function), ROWS), space)
    shares = {factor.name: factor for factor in found.factors}
    assert shares["idle"].share < 0.05
    for factor in plain.factors:
        low, high = factor.interval
        assert low <= shares[factor.name].share <= high
