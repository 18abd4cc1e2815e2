"""Objective, chance, metrics and confusion matrix are those of scikit-learn."""

import math
import subprocess
import sys
import warnings
from collections.abc import Iterable

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
    cohen_kappa_score,
    confusion_matrix,
    f1_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
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


# Metrics

RELATIVE = 1e-12
"""Largest relative difference from scikit-learn, which adds in another order."""


def classification_by_scikit_learn(
    outputs: Tensor, targets: Tensor, classes: int
) -> dict[str, float]:
    """Return all metrics as scikit-learn computes them, NaN where it warns of one."""
    probabilities, true = outputs.double().softmax(1).numpy(), targets.numpy()
    predicted, labels = outputs.argmax(1).numpy(), list(range(classes))
    scores = probabilities[:, 1] if classes == 2 else probabilities
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        # balanced_accuracy_score warns of predictions of a class that is absent
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
        warnings.filterwarnings("ignore", "A single label was found")
        return {
            "accuracy": accuracy_score(true, predicted),
            "balanced_accuracy": balanced_accuracy_score(true, predicted),
            "macro_f1": f1_score(true, predicted, average="macro", zero_division=0),
            "kappa": cohen_kappa_score(true, predicted, labels=labels),
            "auc": roc_auc_score(true, scores, multi_class="ovr", labels=labels),
            "log_loss": log_loss(true, probabilities, labels=labels),
        }


def regression_by_scikit_learn(predicted: Tensor, targets: Tensor) -> dict[str, float]:
    numbers, true = predicted.double().numpy(), targets.double().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        return {
            "r2": r2_score(true, numbers),
            "rmse": root_mean_squared_error(true, numbers),
            "mae": mean_absolute_error(true, numbers),
        }


def logits_with_ties(classes: int) -> st.SearchStrategy[list[float]]:
    """Return outputs of one sample with few levels, so that many samples tie."""
    level = st.integers(-9, 9).map(lambda number: number / 2)
    return st.lists(level, min_size=classes, max_size=classes)


def any_logits(classes: int) -> st.SearchStrategy[list[float]]:
    """Return outputs of one sample, up to those whose probabilities are 0 and 1."""
    number = st.floats(-100, 100, width=32, allow_subnormal=False)
    return st.lists(number | st.sampled_from([-1e30, 1e30]), min_size=classes, max_size=classes)


@st.composite
def drawn_classification(draw: st.DrawFn) -> tuple[Tensor, Tensor, int]:
    """Draw outputs and targets, which may lack classes or be all of one."""
    classes, samples = draw(st.integers(2, 6)), draw(st.integers(1, 60))
    present = draw(st.lists(st.integers(0, classes - 1), min_size=1, unique=True))
    logits = draw(st.sampled_from([logits_with_ties, any_logits]))(classes)
    rows = st.lists(logits, min_size=samples, max_size=samples)
    constant = logits.map(lambda row: [row] * samples)
    true = st.lists(st.sampled_from(present), min_size=samples, max_size=samples)
    outputs = torch.tensor(draw(rows | constant), dtype=torch.float32)
    # Smaller differences than 1e-16 between logits tie as probabilities.
    outputs[outputs.abs() < 1e-6] = 0
    return outputs, torch.tensor(draw(true)), classes


def formulas(outputs: Tensor, targets: Tensor, names: Iterable[str]) -> dict[str, float]:
    return {name: float(FORMULAS[name](outputs, targets, outputs.shape[1])) for name in names}


@given(drawn_classification())
def test_metrics_of_classification_are_scikit_learn_s(drawn: tuple[Tensor, Tensor, int]) -> None:
    """AUC and kappa are not defined for every draw; then both say so."""
    outputs, targets, classes = drawn
    expected = classification_by_scikit_learn(outputs, targets, classes)
    found = measure(outputs, targets, Problem((2,), classes))
    assert found == pytest.approx(expected, rel=RELATIVE, abs=1e-14, nan_ok=True)
    assert found["accuracy"] == expected["accuracy"], "to the last digit"
    assert formulas(outputs, targets, found) == pytest.approx(found, rel=0, abs=0, nan_ok=True)


SOME_NUMBERS = st.floats(-100, 100, width=32) | st.integers(-3, 3).map(float)


@given(
    st.lists(st.tuples(SOME_NUMBERS, SOME_NUMBERS), min_size=1, max_size=300),
    st.sampled_from(["any", "equal targets", "equal predictions", "perfect"]),
)
def test_metrics_of_regression_are_scikit_learn_s(
    pairs: list[tuple[float, float]], kind: str
) -> None:
    """To the last digit: stored answers are compared so with the same study run again."""
    predicted, targets = torch.tensor(pairs, dtype=torch.float32).T
    predicted = predicted[:1].expand(len(pairs)) if kind == "equal predictions" else predicted
    targets = targets[:1].expand(len(pairs)) if kind == "equal targets" else targets
    predicted = targets if kind == "perfect" else predicted
    expected = regression_by_scikit_learn(predicted, targets)
    outputs = predicted[:, None]
    found = measure(outputs, targets, Problem((2,), None))
    assert found == pytest.approx(expected, rel=0, abs=0, nan_ok=True)
    if len(pairs) == 1:
        return
    by_formula = formulas(outputs, targets, found)
    r2, by_formula_r2 = found.pop("r2"), by_formula.pop("r2")
    assert by_formula == pytest.approx(found, rel=RELATIVE, abs=1e-14)
    # R² itself may be close to 0; the part that is not explained is not.
    assert 1 - by_formula_r2 == pytest.approx(1 - r2, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("extreme", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("classes", [2, 3, None])
def test_outputs_that_are_not_finite_are_refused(extreme: float, classes: int | None) -> None:
    outputs = torch.zeros(4, classes or 1)
    outputs[1, 0] = extreme
    targets = torch.tensor([0, 1, 0, 1])
    with pytest.raises(ValueError, match="infinite or NaN"):
        measure(outputs, targets if classes else targets.float(), Problem((2,), classes))


def test_metrics_do_not_load_scikit_learn() -> None:
    """Its import takes a second of every worker that is started anew."""
    program = (
        "import sys, training_factors.study.training.loop;"
        "print([name for name in sys.modules if name.startswith('sklearn')])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert shown.stdout.strip() == "[]", shown.stderr


def test_formulas_are_those_of_the_declared_metrics() -> None:
    assert list(FORMULAS) == [metric.name for metric in METRICS]


@pytest.mark.parametrize("name", ["log_loss", "accuracy"])
def test_extreme_outputs_have_a_finite_value(name: str) -> None:
    outputs, targets = torch.tensor([[1e30, -1e30], [1e30, -1e30]]), torch.tensor([0, 1])
    expected = classification_by_scikit_learn(outputs, targets, 2)[name]
    assert formulas(outputs, targets, [name]) == {name: pytest.approx(expected)}


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
