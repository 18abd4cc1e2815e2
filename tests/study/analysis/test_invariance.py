"""Test that names, units, order, and parameters without effect do not change an answer."""

import math
from typing import Any

import pytest

from tests.support.answers import simulated_answer
from tests.support.simulations import BRANCH, Simulation, axis, describe_space, simulate_trials
from training_factors.search_spaces.description import Coordinate, SpaceDescription
from training_factors.search_spaces.dimension import Dimension, LogUniform, Uniform
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import Answer
from training_factors.study.analysis.importance import analyse

ROWS = 32


def analysed(trials: list[Trial], space: SpaceDescription) -> Answer:
    return analyse(trials, space, seed=0, jobs=1)


@pytest.fixture(scope="module")
def plain() -> Answer:
    return simulated_answer("branch", ROWS)


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


def test_names_of_factors_hyperparameters_and_options(plain: Answer) -> None:
    names = {"opt": "chooser", "a": "first", "b": "second", "x": "rate", "z": "level"}
    space = describe_space(
        axis("chooser", None, "first", "second"),
        axis("chooser.first.rate", "first"),
        axis("chooser.second.y", "second"),
        axis("level", None, "low", "middle", "high"),
    )
    assert_equal(plain, analysed(renamed(simulate_trials(BRANCH, ROWS), names), space), names)


@pytest.mark.slow
def test_a_logarithm_stored_as_a_linear_number() -> None:
    low, high = 1e-4, 1e-1

    def with_rate(dimension: Dimension) -> SpaceDescription:
        coordinates = (
            one._replace(dimension=dimension) if one.name == "opt.a.x" else one
            for one in BRANCH.space.coordinates
        )
        return BRANCH.space._replace(coordinates=tuple(coordinates))

    log = with_rate(LogUniform(low, high))
    linear = with_rate(Uniform(math.log10(low), math.log10(high)))
    of_log = simulate_trials(Simulation(log, BRANCH.function), ROWS)
    of_linear = simulate_trials(Simulation(linear, BRANCH.function), ROWS)
    assert_equal(analysed(of_log, log), analysed(of_linear, linear), {})


@pytest.mark.parametrize(
    "extra", [axis("idle"), axis("idle", None, "only", "other")], ids=["number", "choice"]
)
def test_a_parameter_that_does_nothing_stays_within_the_intervals(
    plain: Answer, extra: Coordinate
) -> None:
    """It changes the random numbers of the surrogates, so shares move, within their intervals."""
    coordinates = BRANCH.space.coordinates
    space = describe_space(*coordinates[:-1], extra)

    def function(units: Any) -> Any:
        return BRANCH.function(units)

    found = analysed(simulate_trials(Simulation(space, function), ROWS), space)
    shares = {factor.name: factor for factor in found.factors}
    assert shares["idle"].share < 0.05
    for factor in plain.factors:
        low, high = factor.interval
        assert low <= shares[factor.name].share <= high
