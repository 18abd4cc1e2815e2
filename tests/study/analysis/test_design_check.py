"""Test whether designed trials are told from adaptive ones."""

from itertools import product
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.samplers import GridSampler, RandomSampler, TPESampler
from scipy.stats import qmc

from tests.support.optuna_programs import branch, run, training
from training_factors.search_spaces.dimension import Integer, OneOf, Uniform
from training_factors.search_spaces.distribution import AnyDimension, LogInteger, Steps
from training_factors.study.analysis.design_check import DesignCheck, check_design
from training_factors.study.analysis.features import Array
from training_factors.study.analysis.optuna_trials import Parameter, read_parameters
from training_factors.study.running.design_sampler import DesignSampler

SPACE: dict[str, AnyDimension] = {
    "choice": OneOf("a", "b", "c"),
    "flag": OneOf("False", "True"),
    "width": LogInteger(1, 256),
    "layers": Integer(1, 5),
    "rate": Uniform(0, 1),
    "part": Steps(0, 1, 0.25),
    "only with a": Uniform(0, 1),
}


def tried(units: Array) -> list[Parameter]:
    """Return the parameters of trials at points of the unit cube; the last one is conditional."""
    values = [
        [dimension.decode(float(unit)) for dimension, unit in zip(SPACE.values(), row, strict=True)]
        for row in units
    ]
    columns = [list(column) for column in zip(*values, strict=True)]
    columns[-1] = [v if c == "a" else None for v, c in zip(columns[-1], columns[0], strict=True)]
    return [
        Parameter(name, dimension, tuple(column), ())
        for (name, dimension), column in zip(SPACE.items(), columns, strict=True)
    ]


def checked(study: optuna.Study) -> DesignCheck:
    return check_design(read_parameters(study.trials).varied)


@pytest.mark.slow
def test_random_trials_are_flagged_in_at_most_one_study_of_a_hundred() -> None:
    flagged = 0
    for seed in range(200):
        units = np.random.default_rng(seed).random((200, len(SPACE)))
        flagged += check_design(tried(units)).adaptive
    assert flagged <= 2


def test_quasi_random_trials_are_never_flagged() -> None:
    for seed in range(50):
        sampler = qmc.Sobol(len(SPACE), scramble=True, rng=np.random.default_rng(seed))
        assert not check_design(tried(sampler.random(256)[:200])).adaptive


@pytest.mark.parametrize("rows", [48, 64, 128])
def test_correlated_coordinates_of_a_quasi_random_sequence_are_no_sign_of_adaptation(
    rows: int,
) -> None:
    """In 64 rows of 25 coordinates some pairs are correlated, whatever the scrambling."""
    for seed in range(5):
        sampler = qmc.Sobol(25, scramble=True, rng=np.random.default_rng(seed))
        units = sampler.random_base2(7)[:rows]
        columns = [
            Parameter(f"x{i}", Uniform(0, 1), tuple(column), ())
            for i, column in enumerate(units.T.tolist())
        ]
        assert not check_design(columns).adaptive


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "seeds"), [(branch, 3), (training, 1)])
def test_trials_of_optuna_s_samplers(objective: object, seeds: int) -> None:
    for seed in range(seeds):
        assert not checked(run(objective, RandomSampler(seed=seed))).adaptive
        assert not checked(run(objective, DesignSampler(seed))).adaptive
        found = checked(run(objective, TPESampler(seed=seed), direction="minimize"))
        assert found.adaptive
        assert found.sentence.startswith("trials look adaptive (")
        assert found.not_uniform


def test_a_grid_is_designed_in_any_order() -> None:
    """Also one of a few floats that are not evenly spaced."""
    values: dict[str, list[Any]] = {
        "x": [0.001, 0.01, 0.1, 1.0],
        "n": [16, 32, 256],
        "c": ["a", "b"],
    }

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_categorical("c", ["a", "b"])
        return trial.suggest_float("x", 0, 1) + trial.suggest_int("n", 1, 256)

    shuffled = run(objective, GridSampler(values, seed=0), 24)
    assert not checked(shuffled).adaptive
    ordered = optuna.create_study()
    for point in product(*values.values()):
        ordered.enqueue_trial(dict(zip(values, point, strict=True)))
    ordered.optimize(objective, n_trials=24)
    assert not checked(ordered).adaptive


def test_a_parameter_that_drifts_or_depends_on_another_is_named() -> None:
    random = np.random.default_rng(0)
    drifting = np.linspace(0, 1, 200)
    units = random.random((200, len(SPACE)))
    units[:, 4] = np.clip(drifting, 0, 1 - 1e-9)
    assert check_design(tried(units)).drifting == ("rate",)
    units = random.random((200, len(SPACE)))
    units[:, 5] = units[:, 4]
    found = check_design(tried(units))
    assert found.dependent == (("rate", "part"),)
    assert "rate with part is correlated" in found.sentence


def test_too_few_trials_are_not_judged() -> None:
    assert not check_design(tried(np.full((19, len(SPACE)), 0.5))).adaptive
