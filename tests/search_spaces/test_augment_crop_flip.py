import torch

from training_factors.search_spaces.factors.augment_crop_flip import (
    cut_out,
    mirror,
    mirror_and_cut_out,
)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def numbered(count: int, channels: int, height: int, width: int) -> torch.Tensor:
    """Copies of an image in which every pixel has its own value above 0."""
    pixels = torch.arange(1, channels * height * width + 1).float()
    return (pixels / pixels.max()).view(1, channels, height, width).expand(count, -1, -1, -1)


def test_half_of_the_images_are_mirrored_and_the_others_are_not() -> None:
    images = numbered(400, 2, 3, 5)
    flipped = mirror(images, seeded())
    mirrored = (flipped == images.flip(3)).all(dim=(1, 2, 3))
    kept = (flipped == images).all(dim=(1, 2, 3))
    assert (mirrored ^ kept).all()
    assert 160 < int(mirrored.sum()) < 240


def test_a_crop_is_a_window_of_the_padded_image_and_every_window_occurs() -> None:
    images = numbered(500, 2, 10, 20)
    cropped = cut_out(images, seeded(), padding=0.1)
    framed = torch.nn.functional.pad(images[0], (2, 2, 1, 1))
    windows = {
        (top, left): framed[:, top : top + 10, left : left + 20]
        for top in range(3)
        for left in range(5)
    }
    found = [
        next(place for place, window in windows.items() if window.equal(image)) for image in cropped
    ]
    assert set(found) == set(windows)


def test_a_crop_moves_by_a_pixel_at_least() -> None:
    cropped = cut_out(numbered(100, 1, 8, 8), seeded(), padding=0.03)
    assert len(cropped.flatten(1).unique(dim=0)) == 9


def test_both_give_mirrored_windows_too() -> None:
    cropped = mirror_and_cut_out(numbered(500, 1, 8, 8), seeded(), padding=0.1)
    assert len(cropped.flatten(1).unique(dim=0)) == 18
