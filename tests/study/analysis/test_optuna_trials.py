"""Test how trials of any Optuna study are read."""

import math
from typing import Any

import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from training_factors.search_spaces.dimension import Integer, LogUniform, OneOf, Uniform
from training_factors.search_spaces.distribution import Steps
from training_factors.study.analysis.optuna_trials import Direction, read_parameters, read_trials


def study_of(
    *states: TrialState, values: list[float] | None = None, direction: Direction = "maximize"
) -> optuna.Study:
    study = optuna.create_study(direction=direction)
    for i, state in enumerate(states):
        value = (values[i] if values else float(i)) if state is TrialState.COMPLETE else None
        study.add_trial(create_trial(state=state, value=value))
    return study


C, P, F, R = (
    TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING,
)  # fmt: skip


def test_trials_that_are_left_out_are_counted() -> None:
    read = read_trials(study_of(C, P, C, F, F, R), None, None)
    assert read.values == (0.0, 2.0)
    assert read.notes == (
        "2 of 6 trials are complete; 1 pruned, 2 failed, 1 running; pruned and failed trials are "
        "left out, which hides a part of the effect of whatever they were pruned and failed for",
    )
    assert read_trials(study_of(C, C), None, None).notes == ("2 of 2 trials are complete",)


def test_values_that_are_not_finite_are_left_out_and_counted() -> None:
    read = read_trials(study_of(C, C, C, values=[1.0, math.inf, 2.0]), None, None)
    assert read.values == (1.0, 2.0)
    assert read.notes[1].startswith("1 complete trial without a finite value is left out; return")


def test_the_direction_is_that_of_the_study_or_of_the_target() -> None:
    study = study_of(C, C, direction="minimize")
    assert read_trials(study, None, None).direction == "minimize"
    assert read_trials(study, lambda trial: 2.0, None).direction == "maximize"
    read = read_trials(study, lambda trial: trial.number + 0.5, "minimize")
    assert (read.values, read.direction) == ((0.5, 1.5), "minimize")
    with pytest.raises(ValueError, match="direction 'minimize' belongs to a target"):
        read_trials(study, None, "minimize")


def test_several_objectives_need_a_target() -> None:
    study = optuna.create_study(study_name="two", directions=["maximize", "minimize"])
    study.add_trial(create_trial(values=[1.0, 2.0]))
    with pytest.raises(ValueError, match="study 'two' has 2 objectives; choose one with target"):
        read_trials(study, None, None)
    assert read_trials(study, lambda trial: trial.values[1], None).values == (2.0,)


def parameters_of(*tried: tuple[Any, BaseDistribution]) -> Any:
    return read_parameters(
        [create_trial(value=0.0, params={"x": v}, distributions={"x": d}) for v, d in tried]
    )


@pytest.mark.parametrize(
    ("first", "second", "united"),
    [
        ((0.5, FloatDistribution(0, 1)), (3.0, FloatDistribution(0.5, 4)), Uniform(0, 4)),
        (
            (0.5, FloatDistribution(0.1, 1, log=True)), (3.0, FloatDistribution(0.5, 4, log=True)),
            LogUniform(0.1, 4),
        ),
        ((0.5, FloatDistribution(0.1, 1, log=True)), (3.0, FloatDistribution(0, 4)), Uniform(0, 4)),
        ((1, IntDistribution(0, 3)), (8, IntDistribution(2, 8)), Integer(0, 8)),
        ((2, IntDistribution(0, 4, step=2)), (8, IntDistribution(4, 8, step=2)), Steps(0, 8, 2)),
        ((2, IntDistribution(0, 4, step=2)), (8, IntDistribution(5, 8, step=3)), Integer(0, 8)),
        (
            ("a", CategoricalDistribution(("a", "b"))), ("c", CategoricalDistribution(("c", "a"))),
            OneOf("a", "b", "c"),
        ),
    ],
)  # fmt: skip
def test_changed_values_are_united_and_said(first: Any, second: Any, united: object) -> None:
    read = parameters_of(first, second)
    (parameter,) = read.varied
    assert parameter.dimension == united
    assert read.notes == (f"the values of x changed between trials; used are {united}",)


def test_a_value_outside_of_the_range_widens_it() -> None:
    read = parameters_of((0.5, FloatDistribution(0, 1)), (0.7, FloatDistribution(0, 1)))
    assert read.notes == ()
    outside = create_trial(
        value=0.0, params={"x": 1.0}, distributions={"x": FloatDistribution(0, 1)}
    )
    outside.params["x"] = 2.0  # as an enqueued trial may have it
    inside = create_trial(
        value=0.0, params={"x": 0.5}, distributions={"x": FloatDistribution(0, 1)}
    )
    (parameter,) = read_parameters([inside, outside]).varied
    assert parameter.dimension == Uniform(0, 2)
    assert parameter.notes == ("x has values outside of its range; used are 0 to 2",)


def test_different_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="'x' is a float and an integer in different trials; ren"):
        parameters_of((0.5, FloatDistribution(0, 1)), (1, IntDistribution(0, 3)))


def test_choices_that_are_equal_in_python_stay_apart() -> None:
    """Optuna itself stores the first of them when such a choice is suggested."""
    choices = CategoricalDistribution((1, True, None, "1"))
    (parameter,) = parameters_of(
        (1, choices), (True, choices), (None, choices), ("1", choices)
    ).varied
    assert parameter.values == ("1", "True", "None", "'1'")


def test_a_parameter_with_one_value_is_left_out() -> None:
    read = parameters_of((0.5, FloatDistribution(0, 1)), (0.5, FloatDistribution(0, 1)))
    assert (read.varied, read.constant, read.names) == ((), ("x",), ("x",))
    assert read.notes == ("x has one value in all trials, which shows no effect",)
