import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from training_factors.search_spaces.factors.gradient_clip import norm
from training_factors.search_spaces.recipe import Recipe


def clipped(largest: float, *gradients: list[float]) -> list[Tensor]:
    parameters = [nn.Parameter(torch.zeros(len(gradient))) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = torch.tensor(gradient)
    norm(Recipe(), largest=largest).clip(list(parameters))
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def test_large_gradients_are_scaled_by_one_factor() -> None:
    first, second = clipped(1.0, [3.0, 0.0], [4.0])
    assert_close(first, torch.tensor([0.6, 0.0]))
    assert_close(second, torch.tensor([0.8]))


def test_small_gradients_are_unchanged() -> None:
    (only,) = clipped(6.0, [3.0, 4.0])
    assert_close(only, torch.tensor([3.0, 4.0]))


def test_an_invalid_norm_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"largest must be above 0, got 0\.0"):
        norm(Recipe(), largest=0.0)
