import torch
from torch.nn.functional import cross_entropy, one_hot
from torch.testing import assert_close

from training_factors.search_spaces.factors.class_weight import balanced, none
from training_factors.search_spaces.recipe import Recipe

CLASSES = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1])


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    weights = balanced(Recipe()).class_weight(one_hot(CLASSES, 2).float())
    assert weights is not None
    assert_close(weights, torch.tensor([8 / (2 * 6), 8 / (2 * 2)]))


def test_every_class_counts_alike_in_the_loss() -> None:
    targets = one_hot(CLASSES, 2).float()
    weights = balanced(Recipe()).class_weight(targets)
    outputs = torch.zeros(8, 2)
    parts = [
        cross_entropy(outputs[k == CLASSES], targets[k == CLASSES], weight=weights, reduction="sum")
        for k in (0, 1)
    ]
    assert_close(parts[0], parts[1])


def test_a_class_without_samples_has_no_weight() -> None:
    weights = balanced(Recipe()).class_weight(one_hot(CLASSES, 3).float())
    assert weights is not None and weights.isfinite().all() and weights[2] == 0


def test_none_weights_nothing() -> None:
    assert none(Recipe()).class_weight(one_hot(CLASSES, 2).float()) is None
