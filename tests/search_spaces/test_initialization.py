from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from training_factors.search_spaces.factors.initialization import FACTOR, normal
from training_factors.search_spaces.recipe import Recipe

INPUTS, OUTPUTS, SIDE = 60, 40, 3
GAIN = 1.7


def linear() -> nn.Linear:
    return nn.Linear(300, 200)


def convolution() -> nn.Conv2d:
    return nn.Conv2d(INPUTS, OUTPUTS, SIDE)


LAYERS = pytest.mark.parametrize("make", [linear, convolution])
Make = Callable[[], nn.Linear | nn.Conv2d]


def initialized(name: str, make: Make, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return weights, shape (outputs, fan-in), and biases of a layer that held sevens before."""
    layer = make()
    for parameter in layer.parameters():
        nn.init.constant_(parameter, 7.0)
    initialize = FACTOR.option(name).function(Recipe()).initialize
    initialize(layer, GAIN, torch.Generator().manual_seed(seed))
    assert layer.bias is not None
    assert all(parameter.requires_grad for parameter in layer.parameters())
    return layer.weight.detach().flatten(1), layer.bias.detach()


def fans(make: Make) -> tuple[int, int]:
    return (300, 200) if make is linear else (INPUTS * SIDE**2, OUTPUTS * SIDE**2)


@LAYERS
@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("xavier_uniform", lambda fan_in, fan_out: 2 * GAIN**2 / (fan_in + fan_out)),
        ("xavier_normal", lambda fan_in, fan_out: 2 * GAIN**2 / (fan_in + fan_out)),
        ("he_uniform", lambda fan_in, fan_out: GAIN**2 / fan_in),
        ("he_normal", lambda fan_in, fan_out: GAIN**2 / fan_in),
        ("normal", lambda fan_in, fan_out: 0.05**2),
        ("framework_default", lambda fan_in, fan_out: 1 / (3 * fan_in)),
    ],
)
def test_weights_have_the_variance_of_the_formula(
    name: str, variance: Callable[[int, int], float], make: Make
) -> None:
    weights, _ = initialized(name, make)
    expected = variance(*fans(make)) ** 0.5
    assert float(weights.std()) == pytest.approx(expected, rel=0.03)
    assert abs(float(weights.mean())) < 0.03 * expected
    if "uniform" in name or name == "framework_default":
        assert float(weights.abs().max()) == pytest.approx(3**0.5 * expected, rel=0.01)
    else:
        assert float(weights.abs().max()) > 3 * expected


@LAYERS
def test_biases_are_zero_except_for_framework_default_and_normal(make: Make) -> None:
    for option in FACTOR.options[1:]:
        _, bias = initialized(option.name, make)
        zero = option.name not in ("framework_default", "normal")
        assert bool((bias == 0).all()) == zero, option.name
        assert not (bias == 7).any()


@LAYERS
def test_the_framework_default_is_that_of_torch(make: Make) -> None:
    """Weights and biases have the deviation and range of those of new torch layers."""
    torch.manual_seed(0)
    fresh = [make().requires_grad_(False) for _ in range(20)]
    ours = [initialized("framework_default", make, seed) for seed in range(20)]
    for own, theirs in (
        (torch.cat([w for w, _ in ours]), torch.cat([layer.weight.flatten(1) for layer in fresh])),
        (
            torch.cat([b for _, b in ours]),
            torch.cat([layer.bias for layer in fresh if layer.bias is not None]),
        ),
    ):
        assert float(own.std()) == pytest.approx(float(theirs.std()), rel=0.05)
        assert float(own.abs().max()) == pytest.approx(float(theirs.abs().max()), rel=0.01)


@LAYERS
def test_orthogonal_rows_are_orthogonal_and_have_the_gain_as_norm(make: Make) -> None:
    weights, _ = initialized("orthogonal", make)
    torch.testing.assert_close(
        weights @ weights.T, GAIN**2 * torch.eye(len(weights)), atol=1e-4, rtol=0
    )


@LAYERS
def test_weights_depend_on_the_seed_except_for_zeros(make: Make) -> None:
    for option in FACTOR.options[1:]:
        first, again, other = (initialized(option.name, make, seed)[0] for seed in (0, 0, 1))
        assert first.equal(again)
        assert first.equal(other) == (option.name == "zeros")


def test_a_layer_without_a_bias_is_initialized_too() -> None:
    for option in FACTOR.options[1:]:
        layer = nn.Linear(4, 3, bias=False)
        before = layer.weight.clone()
        option.function(Recipe()).initialize(layer, 1.0, torch.Generator().manual_seed(0))
        assert layer.weight.isfinite().all() and not layer.weight.equal(before)


@pytest.mark.parametrize("std", [0.0, -1.0])
def test_an_invalid_deviation_is_rejected(std: float) -> None:
    with pytest.raises(ValueError, match=f"std must be above 0, got {std}"):
        normal(Recipe(), std=std)
