"""Test our importance evaluator with Optuna's own functions and charts."""

from typing import Any

import matplotlib
import optuna
import pytest
from matplotlib import pyplot
from optuna.exceptions import ExperimentalWarning
from optuna.importance import get_param_importances
from optuna.visualization import matplotlib as matplotlib_charts
from optuna.visualization import plot_param_importances

from tests.support.optuna_programs import GROUPS, branch, random_study, training
from training_factors.study.analysis.answer import NoAnswer
from training_factors.study.analysis.optuna_evaluator import ShapleyImportanceEvaluator
from training_factors.study.analysis.optuna_study import analyse_optuna_study

pytestmark = pytest.mark.slow

EVALUATOR = ShapleyImportanceEvaluator(GROUPS)


@pytest.fixture(scope="module")
def study() -> optuna.Study:
    return random_study(branch, 64)


def test_all_parameters_have_their_part_of_the_group_s_share(study: optuna.Study) -> None:
    shares = EVALUATOR.evaluate(study)
    assert list(shares) == ["c", "z", "y", "x"]
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert all(type(share) is float for share in shares.values())
    factors = {f.name: f.share for f in analyse_optuna_study(study, groups=GROUPS).answer.factors}
    assert shares["c"] + shares["x"] + shares["y"] == pytest.approx(factors["opt"])
    assert shares["z"] == pytest.approx(factors["z"])


def test_with_optuna_s_function(study: optuna.Study) -> None:
    normalized = get_param_importances(study, evaluator=EVALUATOR)
    assert sum(normalized.values()) == pytest.approx(1)
    with pytest.warns(ExperimentalWarning, match="normalize"):
        plain = get_param_importances(study, evaluator=EVALUATOR, normalize=False)
    assert plain == EVALUATOR.evaluate(study)
    some = get_param_importances(study, evaluator=EVALUATOR, params=["x", "c"])
    assert list(some) == ["c", "x"]
    assert get_param_importances(study, evaluator=EVALUATOR, params=[]) == {}
    target = get_param_importances(study, evaluator=EVALUATOR, target=lambda t: t.params["z"])
    assert next(iter(target)) == "z"


def test_a_parameter_that_does_not_vary_has_no_importance() -> None:
    def objective(trial: optuna.Trial) -> float:
        trial.suggest_categorical("model", ["cnn"])
        return branch(trial)

    shares = ShapleyImportanceEvaluator().evaluate(random_study(objective, 32))
    assert shares["model"] == 0
    assert list(shares)[-1] == "model"


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (
            ["w"],
            ValueError,
            "parameter 'w' is none of the study's parameters; there are c, x, y, z",
        ),
        ("x", TypeError, "params must be a list"),
        ([1], TypeError, "params must be a list"),
    ],
)
def test_wrong_parameters_are_refused(
    study: optuna.Study, params: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        get_param_importances(study, evaluator=EVALUATOR, params=params)


def test_too_few_trials_are_no_answer() -> None:
    with pytest.raises(NoAnswer, match="too few trials"):
        EVALUATOR.evaluate(random_study(branch, 10))


def test_optuna_s_charts_show_the_shares(study: optuna.Study) -> None:
    normalized = get_param_importances(study, evaluator=EVALUATOR)
    (bars,) = plot_param_importances(study, evaluator=EVALUATOR).data
    assert dict(zip(bars.y, bars.x, strict=True)) == pytest.approx(normalized)
    with (
        matplotlib.rc_context({"backend": "agg"}),  # Optuna sets a style for the whole process
        pytest.warns(ExperimentalWarning, match="plot_param_importances"),
    ):
        axes = matplotlib_charts.plot_param_importances(study, evaluator=EVALUATOR)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["x", "y", "z", "c"]
    pyplot.close("all")


def test_several_objectives_are_drawn_one_by_one() -> None:
    def objective(trial: optuna.Trial) -> tuple[float, float]:
        return trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)

    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.optimize(objective, n_trials=32)
    first, second = plot_param_importances(study, evaluator=ShapleyImportanceEvaluator()).data
    assert (first.y[-1], second.y[-1]) == ("x", "y")


def test_a_program_that_is_minimized() -> None:
    shares = ShapleyImportanceEvaluator().evaluate(random_study(training, 40, "minimize"))
    assert next(iter(shares)) == "lr"
