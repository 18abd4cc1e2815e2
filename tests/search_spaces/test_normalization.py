import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from training_factors.search_spaces.factor import Option
from training_factors.search_spaces.factors.normalization import (
    FACTOR,
    to_bytes,
    to_own_standard,
    to_signed_unit,
    to_standard,
    to_unit,
)
from training_factors.search_spaces.recipe import Recipe, Transform

SPREADS = torch.tensor([1e-8, 0.1, 1.0, 50.0])
MEANS = torch.tensor([0.0, 5.0, -3.0, 1e4])


def images(seed: int = 0) -> Tensor:
    channels = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1)
    return channels * torch.rand(200, 3, 6, 7, generator=torch.Generator().manual_seed(seed))


def table(seed: int = 0) -> Tensor:
    draws = torch.randn(500, 4, generator=torch.Generator().manual_seed(seed))
    return draws * SPREADS + MEANS


def test_images_are_scaled_by_their_bytes_and_not_by_what_was_seen() -> None:
    dark, given = images() / 2, images(1)
    assert_close(to_unit(dark)(given), given)
    assert_close(to_bytes(dark)(given), given * 255)
    assert_close(to_signed_unit(dark)(given), given * 2 - 1)


def test_standardized_channels_have_mean_0_and_variance_1() -> None:
    standard = to_standard(images())(images())
    assert_close(standard.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    assert_close(standard.var((0, 2, 3), correction=0), torch.ones(3))


def test_columns_of_any_scale_are_mapped_to_their_bounds() -> None:
    seen = table()
    unit, signed, standard = (make(seen)(seen) for make in (to_unit, to_signed_unit, to_standard))
    assert_close(unit.amin(0), torch.zeros(4))
    assert_close(unit.amax(0), torch.ones(4))
    assert_close(signed.amin(0), -torch.ones(4), atol=1e-3, rtol=0)
    assert_close(signed.amax(0), torch.ones(4), atol=1e-3, rtol=0)
    assert_close(standard.mean(0), torch.zeros(4), atol=1e-3, rtol=0)
    assert_close(standard.var(0, correction=0), torch.ones(4), atol=1e-3, rtol=0)
    assert_close(to_bytes(seen)(seen), seen)


@pytest.mark.parametrize("make", [to_unit, to_signed_unit, to_standard])
def test_only_the_training_part_decides(make: Callable[[Tensor], Transform]) -> None:
    """The same sample is mapped alike, whatever else is in its batch."""
    normalize = make(table())
    others = table(1)
    assert_close(normalize(others)[:1], normalize(others[:1]))
    extreme = torch.cat([others[:1], others[:1] * 1000])
    assert_close(normalize(extreme)[:1], normalize(others[:1]))
    assert make(table())(others).equal(normalize(others))
    assert not make(table() * 2)(others).equal(normalize(others))


@pytest.mark.parametrize("make", [to_unit, to_signed_unit, to_standard])
@pytest.mark.parametrize("constant", [0.0, 3.3, 1e6, -1e-7])
def test_a_constant_column_becomes_zero(
    make: Callable[[Tensor], Transform], constant: float
) -> None:
    seen = torch.full((1000, 2), constant)
    assert_close(make(seen)(seen), torch.zeros(1000, 2), atol=1e-1 * abs(constant) / 1e5, rtol=0)


def test_every_image_has_its_own_mean_and_variance_and_an_empty_one_is_finite() -> None:
    given = images() * torch.linspace(0.1, 1, 200).view(-1, 1, 1, 1)
    own = to_own_standard(torch.zeros(1, 3, 6, 7))(given)
    assert_close(own.mean((1, 2, 3)), torch.zeros(200), atol=1e-5, rtol=0)
    assert_close(own.var((1, 2, 3), correction=0), torch.ones(200))
    assert to_own_standard(given)(torch.full((2, 3, 6, 7), 0.5)).abs().max() < 1e-4


@pytest.mark.parametrize("option", FACTOR.options, ids=lambda option: option.name)
def test_the_input_is_left_alone_and_the_map_can_be_stored(option: Option) -> None:
    normalize = option.function(Recipe()).normalize(images())
    given = images(1)
    expected = normalize(given)
    assert given.equal(images(1))
    assert pickle.loads(pickle.dumps(normalize))(given).equal(expected)
