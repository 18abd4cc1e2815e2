from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from training_factors.search_spaces.factors.dropout import dropout
from training_factors.search_spaces.recipe import Recipe


def layer(rate: float, seed: int = 0) -> nn.Module:
    return dropout(Recipe(), rate=rate).dropout(torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5])
def test_values_are_zeroed_at_the_rate_and_the_others_scaled(
    rate: float, dtype: torch.dtype
) -> None:
    dropped = layer(rate)(torch.ones(1000, 200, dtype=dtype))
    assert dropped.dtype == dtype
    assert float((dropped == 0).float().mean()) == pytest.approx(rate, abs=0.003)
    kept = dropped[dropped != 0].float()
    assert_close(kept, torch.full_like(kept, 1 / (1 - rate)), atol=5e-3, rtol=0)


def test_evaluation_returns_the_inputs_unchanged() -> None:
    values = torch.randn(8, 8)
    assert layer(0.5).eval()(values).equal(values)


def test_a_rate_of_0_keeps_everything() -> None:
    values = torch.randn(64, 64)
    assert layer(0.0)(values).equal(values)


def test_each_step_draws_a_new_mask_from_the_given_generator() -> None:
    first, second = layer(0.5), layer(0.5)
    values = torch.ones(4, 50)
    once = first(values)
    assert not first(values).equal(once)
    torch.manual_seed(3)
    assert second(values).equal(once)


def test_gradients_pass_through_kept_values_only() -> None:
    values = torch.ones(100, requires_grad=True)
    dropped = layer(0.5)(values)
    dropped.sum().backward()
    assert values.grad is not None
    assert_close(values.grad, dropped.detach())


def test_a_deep_copy_keeps_the_evaluation_mode() -> None:
    network = nn.Sequential(nn.Linear(4, 4), layer(0.5)).eval()
    copied = deepcopy(network)
    values = torch.ones(3, 4)
    assert copied(values).equal(network(values))
    assert not copied[1].training


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_an_invalid_rate_is_rejected(rate: float) -> None:
    with pytest.raises(ValueError, match=rf"rate must be in \[0, 1\), got {rate}"):
        dropout(Recipe(), rate=rate)
