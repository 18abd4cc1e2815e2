"""Random horizontal flips and random crops of training images."""

from functools import partial
from typing import Annotated

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import IMAGES
from training_factors.search_spaces.recipe import Recipe, Stage, with_augmentation


def random_flip(images: Tensor, generator: Generator) -> Tensor:
    """Flip each image from left to right with probability 1/2."""
    draws = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)
    return torch.where(draws < 0.5, images.flip(3), images)


def random_crop(images: Tensor, generator: Generator, *, padding: float) -> Tensor:
    """Pad each image with black and cut out a window of the original size at a random position.

    padding: width of the padding on each side as a fraction of the image's side; it is at least
        one pixel.
    """
    count, channels, height, width = images.shape
    rows, columns = (max(1, round(padding * side)) for side in (height, width))
    padded = pad(images, (columns, columns, rows, rows))
    draws = torch.rand(2, count, 1, 1, generator=generator, device=images.device)
    top = (draws[0] * (2 * rows + 1)).long()
    left = (draws[1] * (2 * columns + 1)).long()
    row_indices = top + torch.arange(height, device=images.device).view(1, -1, 1)
    column_indices = left + torch.arange(width, device=images.device).view(1, 1, -1)
    # One gather along the flattened padded image is 3.6 times as fast as indexing by sample, row
    # and column (128 × 3 × 32 × 32, one core).
    pixels = (row_indices * padded.shape[3] + column_indices).view(count, 1, -1)
    return padded.flatten(2).gather(2, pixels.expand(-1, channels, -1)).view(images.shape)


def random_flip_and_crop(images: Tensor, generator: Generator, *, padding: float) -> Tensor:
    """Flip each image at random, then crop it at random."""
    return random_crop(random_flip(images, generator), generator, padding=padding)


def none(recipe: Recipe) -> Recipe:
    """Leave the images unchanged."""
    return recipe


def flip(recipe: Recipe) -> Recipe:
    """Flip each image from left to right with probability 1/2."""
    return with_augmentation(recipe, Stage.CROP, random_flip)


def crop(recipe: Recipe, padding: Annotated[float, Uniform(0.03, 0.13)] = 0.1) -> Recipe:
    """Pad with black and crop back to the original size at random (He et al., 2016).

    The padding on each side is `padding` times the image's side, at least one pixel.
    """
    augment = partial(random_crop, padding=_check_padding(padding))
    return with_augmentation(recipe, Stage.CROP, augment)


def crop_and_flip(recipe: Recipe, padding: Annotated[float, Uniform(0.03, 0.13)] = 0.1) -> Recipe:
    """Apply `flip`, then `crop`."""
    augment = partial(random_flip_and_crop, padding=_check_padding(padding))
    return with_augmentation(recipe, Stage.CROP, augment)


def _check_padding(padding: float) -> float:
    if not 0 <= padding <= 1:
        raise ValueError(f"padding must be in [0, 1], got {padding}")
    return padding


FACTOR = Factor(
    "augment_crop_flip",
    topic="data augmentation",
    options=(none, flip, crop, crop_and_flip),
    where=IMAGES,
)
