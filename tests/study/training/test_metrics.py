"""What was taken for what, counted as scikit-learn does."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from training_factors.search_spaces.problem import Problem
from training_factors.study.training.metrics import MOST_CELLS, confusion


def outputs_for(predicted: list[int], classes: int) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.tensor(predicted), classes).float()


@given(st.integers(2, 20).flatmap(
    lambda classes: st.tuples(
        st.just(classes),
        st.lists(st.tuples(*[st.integers(0, classes - 1)] * 2), min_size=1, max_size=300),
    )
))  # fmt: skip
def test_a_confusion_is_scikit_learns(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    classes, samples = drawn
    true, predicted = (list(column) for column in zip(*samples, strict=True))
    found = confusion(outputs_for(predicted, classes), torch.tensor(true), Problem((2,), classes))
    matrix = confusion_matrix(true, predicted, labels=range(classes))
    assert {(i, j): count for i, j, count in found} == {
        (i, j): matrix[i, j] for i, j in zip(*matrix.nonzero(), strict=True)
    }
    assert list(found) == sorted(found, key=lambda cell: (-cell[2], cell[0], cell[1]))


def test_of_many_classes_the_largest_cells_stay() -> None:
    classes = 50
    pairs = [(i, j) for i in range(classes) for j in range(classes) if (i + j) % 5]
    true = [i for i, j in pairs for _ in range(1 + i * j % 7)]
    predicted = [j for i, j in pairs for _ in range(1 + i * j % 7)]
    found = confusion(outputs_for(predicted, classes), torch.tensor(true), Problem((2,), classes))
    matrix = confusion_matrix(true, predicted, labels=range(classes))
    assert len(found) == MOST_CELLS
    assert (
        sorted((count for *_, count in found), reverse=True)
        == sorted(matrix.flatten().tolist(), reverse=True)[:MOST_CELLS]
    )
    assert all(matrix[i, j] == count for i, j, count in found)


def test_all_cells_of_twenty_classes_fit() -> None:
    pairs = [(i, j) for i in range(20) for j in range(20)]
    true, predicted = (list(column) for column in zip(*pairs, strict=True))
    found = confusion(outputs_for(predicted, 20), torch.tensor(true), Problem((2,), 20))
    assert list(found) == [(i, j, 1) for i, j in pairs]


def test_numbers_are_not_confused() -> None:
    assert confusion(torch.zeros(3, 1), torch.zeros(3), Problem((2,), None)) == ()
