import pytest
import torch

from training_factors.search_spaces.factor import Option
from training_factors.search_spaces.factors.activation import FACTOR, elu, leaky_relu
from training_factors.search_spaces.recipe import RELU, Recipe

EACH = pytest.mark.parametrize("option", FACTOR.options[1:], ids=lambda option: option.name)


def gain(name: str, **hyperparameters: float) -> float:
    return FACTOR.option(name).function(Recipe(), **hyperparameters).activation.gain


def test_gains_agree_with_closed_forms() -> None:
    assert gain("relu") == pytest.approx(2**0.5, abs=1e-9)
    assert gain("relu") == pytest.approx(RELU.gain)
    for slope in (0.01, 0.3):
        assert gain("leaky_relu", slope=slope) == pytest.approx((2 / (1 + slope**2)) ** 0.5)


@EACH
def test_the_gain_keeps_the_mean_square_of_a_wide_layer(option: Option) -> None:
    activation = option.function(Recipe()).activation
    values = torch.randn(1_000_000, generator=torch.Generator().manual_seed(0))
    mean_square = (activation.gain * activation.function(values)).square().mean()
    assert float(mean_square) == pytest.approx(1, rel=0.01)


@EACH
def test_it_is_elementwise_and_keeps_shape_and_dtype(option: Option) -> None:
    function = option.function(Recipe()).activation.function
    values = torch.linspace(-5, 5, 24, dtype=torch.float64).view(2, 3, 4)
    assert function(values).shape == values.shape
    assert function(values).dtype == values.dtype
    torch.testing.assert_close(function(values)[1], function(values[1]))


def test_hyperparameters_change_negative_inputs() -> None:
    left = torch.tensor([-2.0])
    assert float(elu(Recipe(), alpha=0.5).activation.function(left)) == pytest.approx(
        0.5 * (torch.e**-2 - 1)
    )
    assert float(leaky_relu(Recipe(), slope=0.1).activation.function(left)) == pytest.approx(-0.2)
    assert gain("elu", alpha=2.0) < gain("elu", alpha=0.1)


def test_invalid_hyperparameters_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"alpha must be above 0, got 0\.0"):
        elu(Recipe(), alpha=0.0)
    with pytest.raises(ValueError, match=r"slope must be in \[0, 1\), got 1\.0"):
        leaky_relu(Recipe(), slope=1.0)
