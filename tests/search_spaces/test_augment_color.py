import torch
from torch.testing import assert_close

from training_factors.search_spaces.factors.augment_color import color_jitter


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def mid_range(*shape: int) -> torch.Tensor:
    """Return values that stay inside [0, 1] under all changes of these tests."""
    return 0.3 + 0.2 * torch.rand(shape, generator=seeded())


def test_brightness_scales_all_values_of_an_image_by_one_factor() -> None:
    images = mid_range(300, 3, 4, 4)
    factors = color_jitter(images, seeded(), brightness=0.5, contrast=0.0, saturation=0.0) / images
    assert_close(factors.amax((1, 2, 3)), factors.amin((1, 2, 3)))
    assert 0.5 <= factors.min() < 0.55
    assert 1.45 < factors.max() <= 1.5 + 1e-6


def test_contrast_keeps_the_mean_and_scales_the_spread() -> None:
    images = mid_range(300, 1, 6, 6)
    changed = color_jitter(images, seeded(), brightness=0.0, contrast=0.5, saturation=0.0)
    assert_close(changed.mean((1, 2, 3)), images.mean((1, 2, 3)))
    factors = changed.std((1, 2, 3)) / images.std((1, 2, 3))
    assert 0.5 <= factors.min() < 0.55
    assert 1.45 < factors.max() <= 1.5 + 1e-5


def test_saturation_changes_colour_and_not_luminance() -> None:
    images = mid_range(50, 3, 4, 4)
    changed = color_jitter(images, seeded(), brightness=0.0, contrast=0.0, saturation=0.5)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    assert_close((changed * weights).sum(1), (images * weights).sum(1))
    assert (changed - images).abs().amax((1, 2, 3)).min() > 0


def test_saturation_does_not_change_grey_images_or_other_channel_counts() -> None:
    for images in (mid_range(8, 1, 4, 4).expand(-1, 3, -1, -1), mid_range(8, 2, 4, 4)):
        changed = color_jitter(images, seeded(), brightness=0.0, contrast=0.0, saturation=0.6)
        assert_close(changed, images)


def test_the_order_is_brightness_then_contrast_about_the_mean_luminance() -> None:
    images = mid_range(20, 3, 4, 4)
    draws = torch.empty(3, 20, 1, 1, 1).uniform_(-1, 1, generator=seeded())
    bright = images * (1 + 0.2 * draws[0])
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    middle = (bright * weights).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    expected = middle + (bright - middle) * (1 + 0.2 * draws[1])
    assert_close(
        color_jitter(images, seeded(), brightness=0.2, contrast=0.2, saturation=0.0), expected
    )
