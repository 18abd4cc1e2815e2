import torch

from training_factors.search_spaces.factors.augment_crop_flip import (
    random_crop,
    random_flip,
    random_flip_and_crop,
)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def numbered(count: int, channels: int, height: int, width: int) -> torch.Tensor:
    """Return copies of an image whose pixels all have different values above 0."""
    pixels = torch.arange(1, channels * height * width + 1).float()
    return (pixels / pixels.max()).view(1, channels, height, width).expand(count, -1, -1, -1)


def test_about_half_of_the_images_are_flipped() -> None:
    images = numbered(400, 2, 3, 5)
    flipped = random_flip(images, seeded())
    mirrored = (flipped == images.flip(3)).all(dim=(1, 2, 3))
    kept = (flipped == images).all(dim=(1, 2, 3))
    assert (mirrored ^ kept).all()
    assert 160 < int(mirrored.sum()) < 240


def test_a_crop_is_a_window_of_the_padded_image_and_every_window_occurs() -> None:
    images = numbered(500, 2, 10, 20)
    cropped = random_crop(images, seeded(), padding=0.1)
    padded = torch.nn.functional.pad(images[0], (2, 2, 1, 1))
    windows = {
        (top, left): padded[:, top : top + 10, left : left + 20]
        for top in range(3)
        for left in range(5)
    }
    offsets = [
        next(offset for offset, window in windows.items() if window.equal(image))
        for image in cropped
    ]
    assert set(offsets) == set(windows)


def test_the_padding_is_at_least_one_pixel() -> None:
    cropped = random_crop(numbered(100, 1, 8, 8), seeded(), padding=0.03)
    assert len(cropped.flatten(1).unique(dim=0)) == 9


def test_crop_and_flip_also_gives_flipped_windows() -> None:
    cropped = random_flip_and_crop(numbered(500, 1, 8, 8), seeded(), padding=0.1)
    assert len(cropped.flatten(1).unique(dim=0)) == 18
