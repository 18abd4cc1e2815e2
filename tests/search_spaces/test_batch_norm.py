import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from training_factors.search_spaces.factor import Option
from training_factors.search_spaces.factors.batch_norm import FACTOR, batch, group, layer
from training_factors.search_spaces.recipe import Recipe


def features(*shape: int) -> Tensor:
    return 3 + 2 * torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("option", FACTOR.options[1:], ids=lambda option: option.name)
@pytest.mark.parametrize(
    "shape", [(16, 24), (16, 24, 5), (16, 24, 5, 3), (16, 24, 5, 3, 2)], ids=str
)
def test_it_keeps_the_shape_whatever_the_axes(option: Option, shape: tuple[int, ...]) -> None:
    norm = option.function(Recipe()).norm(24, len(shape) - 2)
    assert norm(features(*shape)).shape == shape


@pytest.mark.parametrize(("shape", "axes"), [((64, 24), (0,)), ((64, 24, 5, 3), (0, 2, 3))])
def test_batch_normalizes_each_feature(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    normal = batch(Recipe()).norm(24, len(shape) - 2)(features(*shape))
    assert_close(normal.mean(axes), torch.zeros(24), atol=1e-5, rtol=0)
    assert_close(normal.var(axes, correction=0), torch.ones(24), atol=1e-3, rtol=0)


def test_momentum_is_the_weight_of_the_new_statistics() -> None:
    norm = batch(Recipe(), momentum=0.3).norm(24, 0)
    given = features(64, 24)
    norm(given)
    assert isinstance(norm, nn.BatchNorm1d) and norm.running_mean is not None
    assert_close(norm.running_mean, 0.3 * given.mean(0))


@pytest.mark.parametrize("shape", [(8, 24), (8, 24, 5, 3)], ids=str)
def test_layer_normalizes_each_sample(shape: tuple[int, ...]) -> None:
    normal = layer(Recipe()).norm(24, len(shape) - 2)(features(*shape)).flatten(1)
    assert_close(normal.mean(1), torch.zeros(8), atol=1e-5, rtol=0)
    assert_close(normal.var(1, correction=0), torch.ones(8), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("count", "groups"), [(64, 8), (24, 8), (12, 6), (7, 7), (11, 1), (1, 1)])
def test_group_makes_the_most_groups_that_divide_the_features_up_to_8(
    count: int, groups: int
) -> None:
    norm = group(Recipe()).norm(count, 2)
    assert isinstance(norm, nn.GroupNorm)
    assert norm.num_groups == groups


@pytest.mark.parametrize("momentum", [0.0, 1.5])
def test_an_invalid_momentum_is_rejected(momentum: float) -> None:
    with pytest.raises(ValueError, match=rf"momentum must be in \(0, 1\], got {momentum}"):
        batch(Recipe(), momentum=momentum)
