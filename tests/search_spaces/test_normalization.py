import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from training_factors.search_spaces.factor import Option
from training_factors.search_spaces.factors.normalization import (
    FACTOR,
    fit_min_max,
    fit_min_max_signed,
    fit_per_image,
    fit_raw,
    fit_standard,
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


def test_images_are_scaled_by_the_byte_range_and_not_by_training_data() -> None:
    dark, given = images() / 2, images(1)
    assert_close(fit_min_max(dark)(given), given)
    assert_close(fit_raw(dark)(given), given * 255)
    assert_close(fit_min_max_signed(dark)(given), given * 2 - 1)


def test_standardized_channels_have_mean_0_and_variance_1() -> None:
    standard = fit_standard(images())(images())
    assert_close(standard.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    assert_close(standard.var((0, 2, 3), correction=0), torch.ones(3))


def test_columns_of_any_scale_are_scaled_to_the_target_range() -> None:
    seen = table()
    unit, signed, standard = (
        make(seen)(seen) for make in (fit_min_max, fit_min_max_signed, fit_standard)
    )
    assert_close(unit.amin(0), torch.zeros(4))
    assert_close(unit.amax(0), torch.ones(4))
    assert_close(signed.amin(0), -torch.ones(4), atol=1e-3, rtol=0)
    assert_close(signed.amax(0), torch.ones(4), atol=1e-3, rtol=0)
    assert_close(standard.mean(0), torch.zeros(4), atol=1e-3, rtol=0)
    assert_close(standard.var(0, correction=0), torch.ones(4), atol=1e-3, rtol=0)
    assert_close(fit_raw(seen)(seen), seen)


@pytest.mark.parametrize("make", [fit_min_max, fit_min_max_signed, fit_standard])
def test_statistics_come_from_the_training_part_only(make: Callable[[Tensor], Transform]) -> None:
    """A sample is scaled the same way, whatever else is in its batch."""
    normalize = make(table())
    others = table(1)
    assert_close(normalize(others)[:1], normalize(others[:1]))
    extreme = torch.cat([others[:1], others[:1] * 1000])
    assert_close(normalize(extreme)[:1], normalize(others[:1]))
    assert make(table())(others).equal(normalize(others))
    assert not make(table() * 2)(others).equal(normalize(others))


@pytest.mark.parametrize("make", [fit_min_max, fit_min_max_signed, fit_standard])
@pytest.mark.parametrize("constant", [0.0, 3.3, 1e6, -1e-7])
def test_a_constant_column_becomes_zero(
    make: Callable[[Tensor], Transform], constant: float
) -> None:
    seen = torch.full((1000, 2), constant)
    assert_close(make(seen)(seen), torch.zeros(1000, 2), atol=1e-1 * abs(constant) / 1e5, rtol=0)


def test_per_image_uses_the_image_s_own_statistics_and_keeps_a_constant_one_finite() -> None:
    given = images() * torch.linspace(0.1, 1, 200).view(-1, 1, 1, 1)
    own = fit_per_image(torch.zeros(1, 3, 6, 7))(given)
    assert_close(own.mean((1, 2, 3)), torch.zeros(200), atol=1e-5, rtol=0)
    assert_close(own.var((1, 2, 3), correction=0), torch.ones(200))
    assert fit_per_image(given)(torch.full((2, 3, 6, 7), 0.5)).abs().max() < 1e-4


@pytest.mark.parametrize("option", FACTOR.options, ids=lambda option: option.name)
def test_the_input_is_unchanged_and_the_scaling_can_be_pickled(option: Option) -> None:
    normalize = option.function(Recipe()).normalize(images())
    given = images(1)
    expected = normalize(given)
    assert given.equal(images(1))
    assert pickle.loads(pickle.dumps(normalize))(given).equal(expected)
