"""Objective, chance, metrics and confusion matrix are those of scikit-learn."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
)
from torch import Tensor

from training_factors.search_spaces.problem import Problem
from training_factors.storage.metrics import METRICS, choose_metric
from training_factors.study.data.division import TargetScale
from training_factors.study.training.metrics import (
    FORMULAS,
    MAX_CONFUSION_CELLS,
    confusion,
    measure,
    measure_chance,
    open_objective,
)


def outputs_for(predicted: list[int], classes: int) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.tensor(predicted), classes).float()


@given(st.integers(2, 20).flatmap(
    lambda classes: st.tuples(
        st.just(classes),
        st.lists(st.tuples(*[st.integers(0, classes - 1)] * 2), min_size=1, max_size=300),
    )
))  # fmt: skip
def test_the_confusion_matrix_is_scikit_learn_s(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    classes, samples = drawn
    true, predicted = (list(column) for column in zip(*samples, strict=True))
    cells = confusion(outputs_for(predicted, classes), torch.tensor(true), Problem((2,), classes))
    matrix = confusion_matrix(true, predicted, labels=range(classes))
    assert {(i, j): count for i, j, count in cells} == {
        (i, j): matrix[i, j] for i, j in zip(*matrix.nonzero(), strict=True)
    }
    assert list(cells) == sorted(cells, key=lambda cell: (-cell[2], cell[0], cell[1]))


def test_of_many_classes_the_largest_cells_are_kept() -> None:
    classes = 50
    pairs = [(i, j) for i in range(classes) for j in range(classes) if (i + j) % 5]
    true = [i for i, j in pairs for _ in range(1 + i * j % 7)]
    predicted = [j for i, j in pairs for _ in range(1 + i * j % 7)]
    cells = confusion(outputs_for(predicted, classes), torch.tensor(true), Problem((2,), classes))
    matrix = confusion_matrix(true, predicted, labels=range(classes))
    assert len(cells) == MAX_CONFUSION_CELLS
    assert (
        sorted((count for *_, count in cells), reverse=True)
        == sorted(matrix.flatten().tolist(), reverse=True)[:MAX_CONFUSION_CELLS]
    )
    assert all(matrix[i, j] == count for i, j, count in cells)


def test_all_cells_of_twenty_classes_are_kept() -> None:
    pairs = [(i, j) for i in range(20) for j in range(20)]
    true, predicted = (list(column) for column in zip(*pairs, strict=True))
    cells = confusion(outputs_for(predicted, 20), torch.tensor(true), Problem((2,), 20))
    assert list(cells) == [(i, j, 1) for i, j in pairs]


def test_regression_has_no_confusion_matrix() -> None:
    assert confusion(torch.zeros(3, 1), torch.zeros(3), Problem((2,), None)) == ()


# Formulas


def drawn_classification(
    classes: int, true: list[int], levels: list[list[int]]
) -> tuple[Tensor, Tensor, Problem]:
    """Outputs with few levels, so that many samples tie, for targets that may lack a class."""
    return torch.tensor(levels).float() / 2, torch.tensor(true), Problem((2,), classes)


CLASSIFICATION = st.integers(2, 6).flatmap(
    lambda classes: st.integers(1, 60).flatmap(
        lambda samples: st.builds(
            drawn_classification,
            st.just(classes),
            st.lists(st.integers(0, classes - 1), min_size=samples, max_size=samples),
            st.lists(
                st.lists(st.integers(-9, 9), min_size=classes, max_size=classes),
                min_size=samples, max_size=samples,
            ),
        )
    )
)  # fmt: skip


def formula(name: str, outputs: Tensor, targets: Tensor) -> float:
    return float(FORMULAS[name](outputs, targets, outputs.shape[1]))


@given(CLASSIFICATION)
def test_formulas_of_classification_are_scikit_learn_s(
    drawn: tuple[Tensor, Tensor, Problem],
) -> None:
    """AUC and kappa are not defined for every draw; then both say so."""
    outputs, targets, problem = drawn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        expected = measure(outputs, targets, problem)
    found = {name: formula(name, outputs, targets) for name in expected}
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


@given(
    st.lists(
        st.tuples(st.floats(-100, 100, width=32), st.floats(-100, 100, width=32)),
        min_size=2, max_size=50,
    )
)  # fmt: skip
def test_formulas_of_regression_are_scikit_learn_s(pairs: list[tuple[float, float]]) -> None:
    outputs, targets = torch.tensor(pairs, dtype=torch.float64).T
    outputs = outputs[:, None]
    expected = measure(outputs, targets, Problem((2,), None))
    errors = {name: formula(name, outputs, targets) for name in ("rmse", "mae")}
    assert errors == pytest.approx({name: expected[name] for name in errors}, rel=1e-9, abs=1e-12)
    if targets.std() > 1e-3:
        assert formula("r2", outputs, targets) == pytest.approx(expected["r2"], rel=1e-6, abs=1e-9)


@given(CLASSIFICATION)
def test_balanced_accuracy_is_scikit_learn_s(drawn: tuple[Tensor, Tensor, Problem]) -> None:
    outputs, targets, problem = drawn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # predictions of a class that is absent, and AUC
        expected = balanced_accuracy_score(targets, outputs.argmax(1))
        found = measure(outputs, targets, problem)["balanced_accuracy"]
    assert found == pytest.approx(expected)


def test_formulas_are_those_of_the_declared_metrics() -> None:
    assert list(FORMULAS) == [metric.name for metric in METRICS]


@pytest.mark.parametrize("name", ["log_loss", "accuracy"])
def test_extreme_outputs_have_a_finite_value(name: str) -> None:
    outputs, targets = torch.tensor([[1e30, -1e30], [1e30, -1e30]]), torch.tensor([0, 1])
    expected = measure(outputs, targets, Problem((2,), 2))[name]
    assert formula(name, outputs, targets) == pytest.approx(expected)


# Chance


@given(st.lists(st.integers(0, 4), min_size=2, max_size=60))
def test_chance_is_that_of_a_prediction_without_inputs(true: list[int]) -> None:
    """Of scikit-learn's DummyClassifier, which predicts the class frequencies."""
    targets, problem = torch.tensor(true), Problem((2,), 5)
    present = np.unique(true)
    if len(present) < 2:
        return
    inputs = np.zeros((len(true), 1))
    dummy = DummyClassifier(strategy="prior").fit(inputs, true)
    predicted = dummy.predict(inputs)
    chance = measure_chance(targets, problem)
    assert chance == pytest.approx(
        {
            "accuracy": accuracy_score(true, predicted),
            "balanced_accuracy": balanced_accuracy_score(true, predicted),
            "macro_f1": f1_score(true, predicted, average="macro", zero_division=0),
            "kappa": 0.0,
            "auc": 0.5,
            "log_loss": log_loss(true, dummy.predict_proba(inputs), labels=present),
        }
    )


def test_chance_of_regression_is_predicting_the_mean_or_the_median() -> None:
    scale = TargetScale(10.0, 2.0)
    targets = torch.tensor([-1.0, 0.0, 0.0, 3.0])
    chance = measure_chance(targets, Problem((2,), None), scale)
    source = targets.numpy() * 2 + 10
    assert chance == pytest.approx(
        {"r2": 0.0, "rmse": source.std(), "mae": np.abs(source - 10).mean()}
    )


def test_the_objective_without_a_metric_is_accuracy_or_r2() -> None:
    targets = torch.tensor([0, 1, 1, 2])
    by_class = open_objective(None, targets, Problem((2,), 3))
    by_number = open_objective(None, targets.float(), Problem((2,), None))
    assert (by_class.metric.objective, by_class.at_chance) == ("accuracy", 0.5)
    assert (by_number.metric.objective, by_number.at_chance) == ("r2", 0.0)


def test_a_regression_worse_than_the_mean_has_the_objective_0() -> None:
    targets, problem = torch.tensor([1.0, 2.0, 3.0]), Problem((2,), None)
    wrong = -10 * targets.unsqueeze(1)
    objective = open_objective(None, targets, problem)
    assert float(objective.evaluate(wrong, targets)) == 0
    stored = measure(wrong, targets, problem)
    assert stored["r2"] < -100 and objective.of(stored) == 0


@pytest.mark.parametrize("name", ["log_loss", "rmse", "mae"])
def test_a_loss_is_negative_and_never_below_chance(name: str) -> None:
    classes = 3 if name == "log_loss" else None
    problem, metric = Problem((2,), classes), choose_metric(name, classes)
    targets = torch.tensor([0, 1, 1, 2]) if classes else torch.tensor([1.0, 2.0, 2.0, 5.0])
    right = torch.eye(3)[targets.long()] * 9 if classes else targets[:, None]
    objective = open_objective(metric, targets, problem)
    wrong = right.flip(0) * 50
    for outputs in (right, wrong):
        value = float(objective.evaluate(outputs, targets))
        assert value == pytest.approx(objective.of(measure(outputs, targets, problem)))
        assert objective.at_chance <= value <= metric.perfect
    assert float(objective.evaluate(wrong, targets)) == pytest.approx(objective.at_chance)
    assert metric.objective == f"negative_{name}"


def test_metrics_of_two_classes() -> None:
    outputs = torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 1.0], [3.0, 0.0]])
    metrics = measure(outputs, torch.tensor([0, 1, 0, 0]), Problem((2,), 2))
    assert metrics["accuracy"] == 0.75
    assert metrics["auc"] == pytest.approx(1.0)
