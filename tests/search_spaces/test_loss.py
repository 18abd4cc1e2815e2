import pytest
import torch
from torch.nn.functional import one_hot
from torch.testing import assert_close

from training_factors.search_spaces.factors.loss import hard, smoothed
from training_factors.search_spaces.recipe import Recipe

OUTPUTS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(6) % 4
TARGETS = one_hot(CLASSES, 4).float()


def test_hard_is_the_negative_log_probability_of_the_true_class() -> None:
    expected = -OUTPUTS.log_softmax(1)[torch.arange(6), CLASSES].mean()
    assert_close(hard(Recipe()).loss(OUTPUTS, TARGETS), expected)


def test_smoothed_spreads_the_amount_over_all_classes() -> None:
    softened = 0.8 * TARGETS + 0.2 / 4
    assert_close(
        smoothed(Recipe(), amount=0.2).loss(OUTPUTS, TARGETS),
        hard(Recipe()).loss(OUTPUTS, softened),
    )


def test_an_invalid_amount_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"amount must be in \[0, 1\), got 1\.0"):
        smoothed(Recipe(), amount=1.0)
