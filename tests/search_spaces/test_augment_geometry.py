import pytest
import torch
from torch import Tensor
from torch.nn.functional import affine_grid

from training_factors.search_spaces.factors.augment_geometry import _sampling_grid, random_affine


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def centre_of_mass(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return row and column of each image's centre of mass, relative to the centre, in pixels."""
    mass = images.sum(1)
    height, width = mass.shape[1:]
    rows = torch.arange(height) - (height - 1) / 2
    columns = torch.arange(width) - (width - 1) / 2
    total = mass.sum((1, 2))
    return (mass.sum(2) * rows).sum(1) / total, (mass.sum(1) * columns).sum(1) / total


def dots(height: int, width: int, row: int, column: int, count: int = 200) -> Tensor:
    """Return images with one white square of 3 × 3 pixels around (row, column)."""
    images = torch.zeros(count, 1, height, width)
    images[:, :, row - 1 : row + 2, column - 1 : column + 2] = 1
    return images


def test_a_shift_is_a_fraction_of_each_side() -> None:
    moved = random_affine(dots(40, 80, 20, 40), seeded(), rotation=0.0, shift=0.1, zoom=0.0)
    rows, columns = centre_of_mass(moved)
    rows, columns = rows - 0.5, columns - 0.5  # the square was half a pixel off centre
    assert 3.5 < rows.abs().max() <= 4.01
    assert 7 < columns.abs().max() <= 8.01
    assert rows.min() < 0 < rows.max()


@pytest.mark.parametrize(("height", "width"), [(41, 41), (41, 81), (81, 41)])
def test_a_rotation_keeps_distances_for_any_aspect_ratio(height: int, width: int) -> None:
    """The distance from the centre stays the same, and angles reach the bound but not more."""
    middle = height // 2, width // 2
    turned = random_affine(
        dots(height, width, middle[0], middle[1] + 15), seeded(), rotation=20.0, shift=0.0, zoom=0.0
    )
    rows, columns = centre_of_mass(turned)
    torch.testing.assert_close(
        torch.hypot(rows, columns), torch.full((200,), 15.0), atol=0.1, rtol=0
    )
    angles = torch.rad2deg(torch.atan2(rows, columns))
    assert 18 < angles.abs().max() <= 20.2
    assert angles.min() < 0 < angles.max()


def test_a_zoom_scales_about_the_centre() -> None:
    zoomed = random_affine(dots(41, 41, 20, 30), seeded(), rotation=0.0, shift=0.0, zoom=0.2)
    rows, columns = centre_of_mass(zoomed)
    torch.testing.assert_close(rows, torch.zeros(200), atol=0.05, rtol=0)
    assert 8 - 0.1 < columns.min() < 8.5
    assert 11.5 < columns.max() < 12 + 0.1


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 12), (1, 5), (32, 32)])
def test_pixels_are_taken_from_the_points_of_affine_grid(height: int, width: int) -> None:
    maps = torch.randn(6, 2, 3, generator=torch.Generator().manual_seed(0))
    expected = affine_grid(maps, [6, 1, height, width], align_corners=False)
    torch.testing.assert_close(_sampling_grid(maps, height, width), expected, rtol=0, atol=1e-6)
