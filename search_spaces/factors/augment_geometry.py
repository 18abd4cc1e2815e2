"""Whether training images are turned, moved and zoomed."""

from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import IMAGES
from training_factors.search_spaces.recipe import Recipe, unaugmented


def move(
    images: Tensor, generator: Generator, *, rotation: float, shift: float, zoom: float
) -> Tensor:
    """Each image by its own draws from [−amount, amount]; what comes into view is black."""
    count, _, height, width = images.shape
    draws = torch.empty(4, count, device=images.device, dtype=images.dtype)
    draws.uniform_(-1, 1, generator=generator)
    angle = draws[0] * (rotation * torch.pi / 180)
    scale = 1 / (1 + draws[1] * zoom)
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    # Coordinates run from -1 to 1 along each side, so turning needs the sides' ratio.
    ratio = height / width
    maps = torch.stack(
        [cosine, -sine * ratio, draws[2] * shift * 2, sine / ratio, cosine, draws[3] * shift * 2], 1
    ).view(count, 2, 3)
    grid = affine_grid(maps, list(images.shape), align_corners=False)
    return grid_sample(images, grid, align_corners=False)


def none(recipe: Recipe) -> Recipe:
    """Images as they are."""
    return replace(recipe, augment_geometry=unaugmented)


def affine(
    recipe: Recipe,
    rotation: Annotated[float, Uniform(0.0, 20.0)] = 10.0,
    shift: Annotated[float, Uniform(0.0, 0.15)] = 0.08,
    zoom: Annotated[float, Uniform(0.0, 0.2)] = 0.1,
) -> Recipe:
    """Turn by up to `rotation` degrees, move by `shift` of the side, zoom by 1 ± `zoom`.

    Every sample draws its own (Simard et al., 2003).
    """
    for name, amount, most in (("rotation", rotation, 180), ("shift", shift, 1)):
        if not 0 <= amount <= most:
            raise ValueError(f"{name} must be in [0, {most}], got {amount}")
    if not 0 <= zoom < 1:
        raise ValueError(f"zoom must be in [0, 1), got {zoom}")
    made = partial(move, rotation=rotation, shift=shift, zoom=zoom)
    return replace(recipe, augment_geometry=made)


FACTOR = Factor("augment_geometry", topic="data augmentation", options=(none, affine), where=IMAGES)
