"""Random rotations, shifts and zooms of training images."""

from functools import partial
from typing import Annotated

import torch
from torch import Generator, Tensor
from torch.nn.functional import grid_sample

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import IMAGES
from training_factors.search_spaces.recipe import Recipe, Stage, with_augmentation


def random_affine(
    images: Tensor, generator: Generator, *, rotation: float, shift: float, zoom: float
) -> Tensor:
    """Rotate, shift and zoom each image; pixels from outside the image are black.

    rotation: largest angle in degrees. shift: largest shift as a fraction of each side. zoom:
    largest change of scale. Actual amounts are drawn for each image from [−amount, amount].
    """
    count, _, height, width = images.shape
    draws = torch.empty(4, count, device=images.device, dtype=images.dtype)
    draws.uniform_(-1, 1, generator=generator)
    angle = draws[0] * (rotation * torch.pi / 180)
    scale = 1 / (1 + draws[1] * zoom)
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    # Both sides are measured from -1 to 1, so a rotation must correct for their ratio.
    ratio = height / width
    maps = torch.stack(
        [cosine, -sine * ratio, draws[2] * shift * 2, sine / ratio, cosine, draws[3] * shift * 2], 1
    ).view(count, 2, 3)
    return grid_sample(images, _sampling_grid(maps, height, width), align_corners=False)


def _sampling_grid(maps: Tensor, height: int, width: int) -> Tensor:
    """Return the point of the image that each pixel is taken from, (batch, height, width, 2).

    maps: from a pixel (x, y, 1) to its point (x, y), (batch, 2, 3). The numbers are those of
    torch's `affine_grid`, which multiplies a matrix for each image and takes 3 to 15 times as long
    (8 × 8 to 64 × 64 pixels, one core).
    """
    columns, rows = (
        torch.linspace(-1, 1, side, device=maps.device) * (side - 1) / side
        for side in (width, height)
    )
    of_column, of_row, shift = maps[..., None, None].unbind(2)
    points = of_column * columns + of_row * rows[:, None]
    return points.add_(shift).permute(0, 2, 3, 1)


def none(recipe: Recipe) -> Recipe:
    """Leave the images unchanged."""
    return recipe


def affine(
    recipe: Recipe,
    rotation: Annotated[float, Uniform(0.0, 20.0)] = 10.0,
    shift: Annotated[float, Uniform(0.0, 0.15)] = 0.08,
    zoom: Annotated[float, Uniform(0.0, 0.2)] = 0.1,
) -> Recipe:
    """Rotate by up to `rotation` degrees, shift by up to `shift` of the side, zoom by 1 ± `zoom`.

    The amounts are drawn for each sample (Simard et al., 2003).
    """
    for name, amount, largest in (("rotation", rotation, 180), ("shift", shift, 1)):
        if not 0 <= amount <= largest:
            raise ValueError(f"{name} must be in [0, {largest}], got {amount}")
    if not 0 <= zoom < 1:
        raise ValueError(f"zoom must be in [0, 1), got {zoom}")
    augment = partial(random_affine, rotation=rotation, shift=shift, zoom=zoom)
    return with_augmentation(recipe, Stage.GEOMETRY, augment)


FACTOR = Factor("augment_geometry", topic="data augmentation", options=(none, affine), where=IMAGES)
