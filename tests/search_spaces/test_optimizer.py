import pytest
import torch
from torch import Tensor, nn

from training_factors.search_spaces.factors.optimizer import FACTOR, sgd
from training_factors.search_spaces.recipe import Recipe

NAMES = [option.name for option in FACTOR.options]


def steps(name: str, count: int = 3, **hyperparameters: object) -> list[float]:
    """Return the path of a weight that starts at 1 with loss w² / 2, whose gradient is w."""
    weight = nn.Parameter(torch.ones(1))
    optimizer = FACTOR.option(name).function(Recipe(), **hyperparameters).optimizer([weight])
    path = []
    for _ in range(count):
        weight.grad = weight.detach().clone()
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


@pytest.mark.parametrize("name", NAMES)
def test_weights_without_a_gradient_are_unchanged(name: str) -> None:
    weights = [nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))]
    optimizer = FACTOR.option(name).function(Recipe()).optimizer(list[Tensor](weights))
    weights[0].grad = torch.ones(2)
    optimizer.step()
    assert weights[1].equal(torch.ones(2))
    assert (weights[0] < 1).all()


def test_the_optimizer_has_the_hyperparameters_of_the_recipe() -> None:
    assert sgd(Recipe(), lr=0.3).optimizer([nn.Parameter(torch.ones(1))]).defaults["lr"] == 0.3
