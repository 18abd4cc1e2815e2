"""Training learns, repeats itself by seed, stops when asked to, and survives divergence."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe
from training_factors.search_spaces.space import named_space
from training_factors.storage.metrics import choose_metric, metrics_of
from training_factors.study.data.division import DataPart, Division, training_division
from training_factors.study.data.options import DataOptions
from training_factors.study.data.sources import load_dataset
from training_factors.study.training.loop import EpochCallback, Outcome, train
from training_factors.study.training.metrics import open_objective
from training_factors.study.training.model import open_model
from training_factors.study.training.training_state import SavedState

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits() -> Division:
    return training_division(load_dataset("digits", DataOptions(limit=600)), 0, CPU)


@pytest.fixture(scope="module")
def diabetes() -> Division:
    return training_division(load_dataset("diabetes"), 0, CPU)


def recipe(problem: Problem, **config: str | float) -> Recipe:
    space, _ = named_space("full").for_problem(problem)
    good = {"initialization": "he_normal", "optimizer": "adam", "residual": "residual"}
    return space.build({**space.baseline(), **good, **config}, problem)


def never(epoch: int, value: float | None, save: Callable[[], SavedState]) -> bool:
    return False


def trained(
    data: Division,
    model: str = "mlp",
    epochs: int = 4,
    seed: int = 0,
    report: EpochCallback = never,
    config: dict[str, str | float] | None = None,
) -> Outcome:
    builder = open_model(model, data.problem)
    return train(recipe(data.problem, **(config or {})), data, builder, epochs, seed, report)


EVERYTHING: dict[str, str | float] = {
    "split": "random",
    "split.random.train_fraction": 0.6,
    "augment_geometry": "affine",
    "augment_corruption": "noise",
    "augment_mix": "mixup",
    "dropout": "dropout",
    "batch_norm": "batch",
    "weight_average": "ema",
}


def test_the_outcome_depends_on_the_seed_alone(digits: Division) -> None:
    first, again = (trained(digits, seed=5, config=EVERYTHING) for _ in range(2))
    assert first == again
    assert trained(digits, seed=6, config=EVERYTHING).metrics != first.metrics


def test_training_leaves_the_global_generator_alone(digits: Division) -> None:
    before = torch.get_rng_state()
    trained(digits, epochs=1, config=EVERYTHING)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_classification_learns(digits: Division, model: str) -> None:
    outcome = trained(digits, model, epochs=10)
    assert outcome.value > 0.8
    assert outcome.metrics["accuracy"] == pytest.approx(outcome.value)
    assert set(outcome.metrics) == {
        "accuracy", "balanced_accuracy", "macro_f1", "kappa", "auc", "log_loss", "train_accuracy",
    }  # fmt: skip


def test_regression_learns(diabetes: Division) -> None:
    outcome = trained(diabetes, epochs=20)
    assert 0.2 < outcome.value < 0.8
    assert outcome.metrics["r2"] == pytest.approx(outcome.value, abs=1e-5)
    assert 30 < outcome.metrics["rmse"] < 90, "in the unit of the source"
    assert set(outcome.metrics) == {"r2", "rmse", "mae", "train_r2"}


@pytest.mark.parametrize("name", ["balanced_accuracy", "auc", "log_loss"])
def test_any_metric_of_classification_is_maximized(digits: Division, name: str) -> None:
    """The curve has the formula's values, the end the stored metric's: they agree."""
    curve: list[float] = []

    def report(epoch: int, value: float | None, save: object) -> bool:
        curve.append(value or 0.0)
        return False

    metric, model = choose_metric(name, 10), open_model("mlp", digits.problem)
    outcome = train(recipe(digits.problem), digits, model, 3, 0, report, metric=metric)
    assert outcome.value == metric.signed(outcome.metrics[name])
    assert outcome.value == pytest.approx(curve[-1], abs=1e-9)
    assert curve[-1] > curve[0]
    assert f"train_{name}" in outcome.metrics
    if metric.is_loss:
        assert outcome.value < 0 < outcome.metrics[f"train_{name}"] < outcome.metrics[name]


@pytest.mark.parametrize("name", ["rmse", "mae"])
def test_an_error_is_minimized_in_the_unit_of_the_source(diabetes: Division, name: str) -> None:
    curve: list[float] = []

    def report(epoch: int, value: float | None, save: object) -> bool:
        curve.append(value or 0.0)
        return False

    metric, model = choose_metric(name, None), open_model("mlp", diabetes.problem)
    outcome = train(
        recipe(diabetes.problem), diabetes, model, 20, 0, report, diabetes.validation, metric=metric
    )
    assert -90 < outcome.value == -outcome.metrics[name] < -30
    assert outcome.value == pytest.approx(curve[-1], rel=1e-6)
    assert outcome.test_value == outcome.value, "the validation part stands for the test part"


@pytest.mark.parametrize("name", ["log_loss", "balanced_accuracy"])
def test_a_run_that_diverges_has_every_metric_at_chance(digits: Division, name: str) -> None:
    wild = replace(recipe(digits.problem), schedule=lambda progress: float("inf"))
    metric, model = choose_metric(name, 10), open_model("mlp", digits.problem)
    outcome = train(wild, digits, model, 3, 0, never, digits.validation, metric=metric)
    assert outcome.diverged
    assert outcome.value == outcome.test_value == metric.signed(outcome.metrics[name])
    assert outcome.test == outcome.metrics


def test_a_run_that_diverges_counts_as_chance(digits: Division) -> None:
    wild = replace(recipe(digits.problem), schedule=lambda progress: float("inf"))
    outcome = train(wild, digits, open_model("mlp", digits.problem), 3, 0, never)
    assert outcome.diverged
    chance = open_objective(None, digits.validation.targets, digits.problem).at_chance
    assert outcome.value == outcome.metrics["accuracy"] == chance
    assert outcome.metrics.keys() == {metric.name for metric in metrics_of(10)}
    assert outcome.epochs < 3


def test_the_callback_can_stop_a_run(digits: Division) -> None:
    curve: list[tuple[int, float | None]] = []

    def report(epoch: int, value: float | None, save: object) -> bool:
        curve.append((epoch, value))
        return epoch == 1

    outcome = trained(digits, report=report)
    assert [epoch for epoch, _ in curve] == [0, 1]
    assert outcome.stopped and outcome.epochs == 2 and outcome.metrics == {}
    assert outcome.value == curve[-1][1]


def test_the_callback_cannot_stop_a_run_after_its_last_epoch(digits: Division) -> None:
    outcome = trained(digits, epochs=2, report=lambda epoch, value, save: epoch == 1)
    assert not outcome.stopped and outcome.metrics


def test_a_training_part_smaller_than_a_batch_becomes_one_batch(digits: Division) -> None:
    few = digits._replace(pool=DataPart(digits.pool.inputs[:20], digits.pool.targets[:20]))
    assert not trained(few, epochs=2, config={"batch_norm": "batch"}).diverged


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_the_confusion_matrix_counts_the_validation_part(digits: Division, model: str) -> None:
    outcome = trained(digits, model, epochs=2)
    samples = len(digits.validation.targets)
    right = sum(count for true, predicted, count in outcome.confusion if true == predicted)
    assert sum(count for *_, count in outcome.confusion) == samples
    assert right / samples == outcome.value
    assert outcome.test_confusion == ()


def test_the_test_part_has_its_own_confusion_matrix(digits: Division) -> None:
    few = DataPart(digits.validation.inputs[:20], digits.validation.targets[:20])
    builder = open_model("mlp", digits.problem)
    outcome = train(recipe(digits.problem), digits, builder, 1, 0, never, few)
    assert sum(count for *_, count in outcome.test_confusion) == 20
    assert sum(count for *_, count in outcome.confusion) == len(digits.validation.targets)


def test_diverged_runs_and_regression_have_no_confusion_matrix(
    digits: Division, diabetes: Division
) -> None:
    wild = replace(recipe(digits.problem), schedule=lambda progress: float("inf"))
    builder = open_model("mlp", digits.problem)
    diverged = train(wild, digits, builder, 2, 0, never, digits.validation)
    assert diverged.diverged
    for outcome in (diverged, trained(diabetes, epochs=1)):
        assert outcome.confusion == outcome.test_confusion == ()


def test_a_user_s_own_model_is_trained(digits: Division, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(__file__).rpartition("/")[0])
    outcome = trained(digits, "own_network:build", epochs=1)
    assert 0 <= outcome.value <= 1
