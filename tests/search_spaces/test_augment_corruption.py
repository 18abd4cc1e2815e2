import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from training_factors.search_spaces.factors.augment_corruption import (
    add_noise,
    erase_rectangle,
    gaussian_blur,
)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_noise_reaches_its_deviation_and_is_drawn_per_image() -> None:
    grey = torch.full((400, 1, 32, 32), 0.5)
    deviations = (add_noise(grey, seeded(), sigma=0.1) - grey).std((1, 2, 3))
    assert deviations.min() < 0.005
    assert 0.095 < deviations.max() < 0.105
    assert deviations.mean() == pytest.approx(0.05, abs=0.005)


def erased(area: float, height: int, width: int) -> Tensor:
    """Erase rectangles of white images, check their shape and return the black pixels per image."""
    images = erase_rectangle(torch.ones(500, 3, height, width), seeded(), area=area)
    assert set(images.unique().tolist()) == {0.0, 1.0}
    assert_close(images[:, :1].expand(-1, 3, -1, -1), images)
    black = images[:, 0] == 0
    rows, columns = black.any(2).sum(1), black.any(1).sum(1)
    assert_close(black.sum((1, 2)), rows * columns)
    return black.sum((1, 2))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (32, 32), (20, 60)])
def test_a_rectangle_of_the_right_area_is_erased(height: int, width: int) -> None:
    shares = erased(0.2, height, width) / (height * width)
    assert shares.mean() == pytest.approx(0.1, abs=0.015)
    # Each side of a rectangle is rounded by at most one pixel.
    longest = (0.2 * 2) ** 0.5
    assert shares.max() <= 0.2 + longest * (1 / height + 1 / width) + 1 / (height * width)


def test_a_tiny_area_erases_at_most_one_pixel() -> None:
    assert erased(0.0001, 32, 32).max() <= 1


def test_erased_rectangles_are_spread_over_the_image() -> None:
    black = erase_rectangle(torch.ones(2000, 1, 16, 16), seeded(), area=0.2)[:, 0] == 0
    share = black.float().mean(0)
    assert share.min() > 0
    assert_close(share.mean(0), share.mean(0).flip(0), atol=0.02, rtol=0)


def test_blur_keeps_constants_and_lowers_contrast_by_a_random_amount() -> None:
    constant = torch.full((10, 2, 12, 9), 0.7)
    assert_close(gaussian_blur(constant, seeded(), sigma=0.08), constant)
    image = torch.rand(1, 1, 32, 32, generator=seeded())
    spreads = gaussian_blur(image.expand(200, -1, -1, -1), seeded(), sigma=0.08).std((1, 2, 3))
    assert spreads.max() > 0.95 * image.std()
    assert spreads.min() < 0.25 * image.std()


def test_blur_is_a_gaussian_of_the_drawn_deviation() -> None:
    point = torch.zeros(200, 1, 33, 33)
    point[:, :, 16, 16] = 1
    blurred = gaussian_blur(point, seeded(), sigma=0.06)
    assert_close(blurred.sum((1, 2, 3)), torch.ones(200))
    profile = blurred[:, 0].sum(1)
    variance = (profile * (torch.arange(33) - 16).square()).sum(1)
    assert 0.8 * (0.06 * 33) < variance.max().sqrt() <= 0.06 * 33
    assert_close(blurred, blurred.transpose(2, 3))
