"""The loop that the benchmarks compare with can train whatever ours can on images."""

from typing import Any

import pytest

from benchmarks.plain_loop import Loop
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import named_space
from training_factors.storage.definition import Definition
from training_factors.study.running.preparation import PreparedStudy, prepare_study

OPTIONS = [
    (factor.name, option.name)
    for factor in named_space("documented").for_problem(Problem((1, 8, 8), 10))[0].factors
    for option in factor.options
]


@pytest.fixture(scope="module")
def prepared() -> PreparedStudy:
    return prepare_study(Definition(limit=200, epochs=1))


@pytest.mark.parametrize(("factor", "option"), OPTIONS)
def test_every_option_trains(prepared: PreparedStudy, factor: str, option: str) -> None:
    space, seen = prepared.space, list[float]()
    config: dict[str, Any] = {**space.baseline(), "optimizer": "adam", factor: option}
    recipe = space.build(config, prepared.dataset.problem)
    value = Loop(prepared).train(recipe, 0, lambda accuracy, epoch: seen.append(accuracy))
    assert seen in ([value], [])  # none where the loss was not finite
    assert 0 <= value <= 1


def test_a_study_tells_every_trial(prepared: PreparedStudy) -> None:
    config = prepared.space.baseline()
    values = Loop(prepared).optimize([config, config], [0, 1])
    assert len(values) == 2 and all(0 <= value <= 1 for value in values)
