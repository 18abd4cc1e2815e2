"""Objective, chance, metrics and confusion matrix are those of scikit-learn."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from training_factors.search_spaces.problem import Problem
from training_factors.study.training.metrics import (
    MAX_CONFUSION_CELLS,
    chance,
    confusion,
    measure,
    objective,
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


def test_chance_is_predicting_the_most_frequent_class_or_the_mean() -> None:
    targets = torch.tensor([0, 1, 1, 2])
    assert chance(targets, Problem((2,), 3)) == 0.5
    assert chance(targets.float(), Problem((2,), None)) == 0.0


def test_a_regression_worse_than_the_mean_has_the_objective_0() -> None:
    targets = torch.tensor([1.0, 2.0, 3.0])
    wrong = -10 * targets.unsqueeze(1)
    assert float(objective(wrong, targets, Problem((2,), None))) == 0
    assert measure(wrong, targets, Problem((2,), None))["r2"] < -100


def test_metrics_of_two_classes() -> None:
    outputs = torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 1.0], [3.0, 0.0]])
    metrics = measure(outputs, torch.tensor([0, 1, 0, 0]), Problem((2,), 2))
    assert metrics["accuracy"] == 0.75
    assert metrics["auc"] == pytest.approx(1.0)
