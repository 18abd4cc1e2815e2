from copy import deepcopy

import pytest
import torch
from torch import nn

from training_factors.search_spaces.factors.optimizer import FACTOR, Lion
from training_factors.search_spaces.recipe import Recipe

NAMES = [option.name for option in (*FACTOR.options, *FACTOR.further)]


def optimizer_of(
    weights: list[nn.Parameter], name: str, **hyperparameters: object
) -> torch.optim.Optimizer:
    """Return the option's optimizer of a network with these parameters."""
    recipe = FACTOR.option(name).function(Recipe(), **hyperparameters)
    return recipe.optimizer(nn.ParameterList(weights))


def steps(name: str, count: int = 3, **hyperparameters: object) -> list[float]:
    """Return the path of a weight that starts at 1 with loss w² / 2, whose gradient is w."""
    weight = nn.Parameter(torch.ones(1))
    optimizer = optimizer_of([weight], name, **hyperparameters)
    path = []
    for _ in range(count):
        gradient = weight.detach().clone()
        if weight.grad is None:
            weight.grad = gradient
        else:
            weight.grad.copy_(gradient)  # a view of the optimizer's buffer
        optimizer.step()
        path.append(float(weight.detach()))
    return path


def test_sgd_follows_its_formula() -> None:
    assert steps("sgd", lr=0.1, momentum=0.0) == pytest.approx([0.9, 0.81, 0.729])
    # v: 1, 0.5 + 0.9 = 1.4, 0.7 + 0.76 = 1.46
    assert steps("sgd", lr=0.1, momentum=0.5) == pytest.approx([0.9, 0.76, 0.614])


def test_nesterov_changes_the_step_only_with_momentum() -> None:
    ahead = steps("sgd", 1, lr=0.1, momentum=0.5, nesterov=True)
    assert ahead == pytest.approx([1 - 0.1 * 1.5])
    assert steps("sgd", lr=0.1, momentum=0.0, nesterov=True) == steps("sgd", lr=0.1, momentum=0.0)


def test_adagrad_and_rmsprop_follow_their_formulas() -> None:
    second = 0.9 - 0.1 * 0.9 / (1 + 0.81) ** 0.5
    assert steps("adagrad", 2, lr=0.1) == pytest.approx([0.9, second])
    first = 1 - 0.01 / 0.1**0.5
    mean = 0.9 * 0.1 + 0.1 * first**2
    path = steps("rmsprop", 2, lr=0.01, alpha=0.9)
    assert path == pytest.approx([first, first - 0.01 * first / mean**0.5], rel=1e-5)


def test_adamw_decouples_weight_decay() -> None:
    assert steps("adam", 1, lr=0.01) == pytest.approx([0.99])
    assert steps("adamw", 1, lr=0.01) == pytest.approx([0.99 - 0.01 * 0.01])


@pytest.mark.parametrize("name", NAMES)
def test_invalid_hyperparameters_are_rejected_when_the_recipe_is_built(name: str) -> None:
    option = FACTOR.option(name)
    with pytest.raises(ValueError, match=r"lr must be above 0, got 0\.0"):
        option.function(Recipe(), lr=0.0)
    for hyperparameter in option.hyperparameters:
        if hyperparameter.name in ("momentum", "beta1", "alpha"):
            for wrong in (-0.5, 1.0):
                with pytest.raises(
                    ValueError, match=rf"{hyperparameter.name} must be in \[0, 1\), got {wrong}"
                ):
                    option.function(Recipe(), **{hyperparameter.name: wrong})


def test_lion_takes_steps_of_one_size() -> None:
    # m: 0.01, then 0.99 · 0.01 + 0.01 · 0.9
    assert steps("lion", 3, lr=0.1) == pytest.approx([0.9, 0.8, 0.7])
    # The mean of the gradients, 1 so far, outweighs the new gradient of −0.5.
    weight = nn.Parameter(torch.ones(1))
    optimizer = Lion([weight], lr=0.1, betas=(0.9, 0.0))
    for gradient in (1.0, -0.5):
        weight.grad = torch.tensor([gradient])
        optimizer.step()
    assert float(weight.detach()) == pytest.approx(0.8)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_muon_makes_the_steps_of_a_kernel_orthogonal(memory_format: torch.memory_format) -> None:
    layer = nn.Conv2d(3, 4, 3).to(memory_format=memory_format)
    before = layer.weight.detach().clone()
    optimizer = muon(layer)
    layer(
        torch.randn(8, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    ).square().sum().backward()
    optimizer.step()
    step = (before - layer.weight.detach()).flatten(1) / (0.01 * 0.2 * 27**0.5)
    # The five iterations of Newton and Schulz bring singular values into [0.7, 1.2].
    values = torch.linalg.svdvals(step)
    assert ((values > 0.6) & (values < 1.3)).all()
    assert layer.bias is not None and layer.bias.grad is not None


def muon(layer: nn.Module) -> torch.optim.Optimizer:
    return FACTOR.option("muon").function(Recipe(), lr=0.01, momentum=0.0).optimizer(layer)


def test_muon_resumes_with_both_of_its_states() -> None:
    layer, other = nn.Linear(3, 2), nn.Linear(3, 2)
    other.load_state_dict(layer.state_dict())
    first, second = muon(layer), muon(other)
    take_step(layer, first)
    second.load_state_dict(deepcopy(first.state_dict()))
    other.load_state_dict(layer.state_dict())
    first.param_groups[0]["lr"] = second.param_groups[0]["lr"] = 0.5
    take_step(layer, first)
    take_step(other, second)
    assert layer.weight.equal(other.weight) and layer.bias.equal(other.bias)


def take_step(layer: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad(set_to_none=False)
    layer(torch.eye(3)).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("name", NAMES)
def test_frozen_weights_are_unchanged(name: str) -> None:
    weights = [nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2), requires_grad=False)]
    optimizer = optimizer_of(weights, name)
    (weights[0] * 2).sum().backward()
    optimizer.step()
    assert weights[1].equal(torch.ones(2))
    assert (weights[0] < 1).all()


def test_the_optimizer_has_the_hyperparameters_of_the_recipe() -> None:
    weights = [nn.Parameter(torch.ones(1))]
    assert optimizer_of(weights, "sgd", lr=0.3).defaults["lr"] == 0.3
