"""Random rotations, shifts and zooms of training images."""

from functools import partial
from typing import Annotated

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

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
    # `affine_grid` measures both sides from -1 to 1, so a rotation must correct for their ratio.
    ratio = height / width
    maps = torch.stack(
        [cosine, -sine * ratio, draws[2] * shift * 2, sine / ratio, cosine, draws[3] * shift * 2], 1
    ).view(count, 2, 3)
    grid = affine_grid(maps, list(images.shape), align_corners=False)
    return grid_sample(images, grid, align_corners=False)


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
