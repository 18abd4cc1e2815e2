from collections.abc import Callable

import pytest
import torch
from scipy.stats import beta
from torch import Tensor
from torch.nn.functional import one_hot
from torch.testing import assert_close

from training_factors.search_spaces.factors.augment_mix import (
    _mixing_weights,
    cutmix,
    cutmix_batch,
    mixup,
    mixup_batch,
)
from training_factors.search_spaces.recipe import Recipe

COUNT = 64


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


CLASSES = one_hot(torch.arange(COUNT) % 8, 8).float()


@pytest.mark.parametrize("alpha", [0.05, 0.2, 1.0, 4.0])
def test_mixing_weights_follow_the_beta_distribution(alpha: float) -> None:
    shares = _mixing_weights(40_000, alpha, torch.zeros(1), seeded())
    assert shares.isfinite().all() and shares.min() >= 0 and shares.max() <= 1
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(shares.var()) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.02)
    points = torch.tensor([1e-6, 1e-3, 0.1, 0.3, 0.5, 0.8, 0.999])
    below = (shares.view(-1, 1) <= points).double().mean(0)
    law = torch.from_numpy(beta(alpha, alpha).cdf(points.double().numpy()))
    assert_close(below, law, atol=0.01, rtol=0)


def test_mixup_mixes_inputs_and_targets_with_the_same_weights() -> None:
    """Inputs that equal their targets before mixing equal them afterwards."""
    mixed, targets = mixup_batch(CLASSES, CLASSES, seeded(), alpha=1.0)
    assert_close(mixed, targets)
    assert_close(targets.sum(1), torch.ones(COUNT))
    assert len(targets.amax(1).unique()) > COUNT / 2, "every sample has a share of its own"


def test_mixup_works_on_images_tables_and_regression_targets() -> None:
    numbers = torch.linspace(-1, 1, COUNT).unsqueeze(1)
    for shape in [(3, 4, 5), (1, 1, 1), (7,)]:
        inputs = numbers.view(-1, *[1] * len(shape)).expand(-1, *shape)
        mixed, targets = mixup_batch(inputs, numbers, seeded(), alpha=0.4)
        assert mixed.shape == inputs.shape
        assert targets.shape == numbers.shape
        assert_close(mixed, targets.view(-1, *[1] * len(shape)).expand(-1, *shape))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (12, 30)])
def test_cutmix_weights_targets_by_visible_area(height: int, width: int) -> None:
    """If every pixel of an image equals its target, the mean of the mixed image is its target."""
    inputs = CLASSES.view(COUNT, 8, 1, 1).expand(-1, -1, height, width)
    mixed, targets = cutmix_batch(inputs, CLASSES, seeded(), alpha=1.0)
    assert set(mixed.unique().tolist()) == {0.0, 1.0}
    assert_close(mixed.mean((2, 3)), targets)
    assert_close(targets.sum(1), torch.ones(COUNT))
    assert len(targets.amax(1).unique()) > 5


def test_cutmix_pastes_one_rectangle() -> None:
    inputs = torch.arange(COUNT).float().view(COUNT, 1, 1, 1).expand(-1, 1, 10, 10)
    mixed, _ = cutmix_batch(inputs, CLASSES, seeded(), alpha=1.0)
    foreign = (mixed != inputs)[:, 0]
    assert_close(foreign.sum((1, 2)), foreign.any(1).sum(1) * foreign.any(2).sum(1))
    assert foreign.any()


@pytest.mark.parametrize("mix", [mixup_batch, cutmix_batch])
def test_the_result_depends_on_the_seed(mix: Callable[..., tuple[Tensor, Tensor]]) -> None:
    inputs = torch.rand(COUNT, 3, 6, 6, generator=seeded(5))
    first, again, other = (mix(inputs, CLASSES, seeded(s), alpha=1.0) for s in (1, 1, 2))
    assert first[0].equal(again[0]) and first[1].equal(again[1])
    assert not first[0].equal(other[0])


@pytest.mark.parametrize("option", [mixup, cutmix])
def test_an_alpha_of_zero_is_rejected(option: Callable[..., Recipe]) -> None:
    with pytest.raises(ValueError, match=r"alpha must be above 0, got 0\.0"):
        option(Recipe(), 0.0)
