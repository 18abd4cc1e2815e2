from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from training_factors.search_spaces.factors.penalty import l1, l2, none
from training_factors.search_spaces.recipe import Recipe

COSTS: list[tuple[Callable[..., Recipe], Callable[[Tensor], Tensor]]] = [
    (none, lambda w: 0 * w.sum()),
    (l2, lambda w: 0.3 / 2 * w.square().sum()),
    (l1, lambda w: 0.3 * w.abs().sum()),
]


@pytest.mark.parametrize(("option", "cost"), COSTS, ids=["none", "l2", "l1"])
def test_it_adds_the_gradient_of_the_penalty(
    option: Callable[..., Recipe], cost: Callable[[Tensor], Tensor]
) -> None:
    recipe = option(Recipe()) if option is none else option(Recipe(), weight=0.3)
    draws = torch.Generator().manual_seed(0)
    weights = [nn.Parameter(torch.randn(shape, generator=draws)) for shape in [(3, 4), (2, 1)]]
    loss = sum(weight.sin().sum() for weight in weights)
    assert isinstance(loss, Tensor)
    loss.backward()
    total = loss.detach() * 0 + sum(w.sin().sum() + cost(w) for w in weights)
    expected = torch.autograd.grad(total, weights)
    recipe.penalize(list(weights))
    for weight, gradient in zip(weights, expected, strict=True):
        assert weight.grad is not None
        assert_close(weight.grad, gradient)


@pytest.mark.parametrize("option", [l1, l2])
def test_weights_without_a_gradient_are_unchanged(option: Callable[..., Recipe]) -> None:
    used, unused = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    used.grad = torch.zeros(2, 2)
    option(Recipe(), weight=0.1).penalize([used, unused])
    assert unused.grad is None
    assert_close(used.grad, torch.full((2, 2), 0.1))


@pytest.mark.parametrize("option", [l1, l2])
def test_a_negative_penalty_is_rejected(option: Callable[..., Recipe]) -> None:
    with pytest.raises(ValueError, match=r"weight must be at least 0, got -0\.1"):
        option(Recipe(), weight=-0.1)
