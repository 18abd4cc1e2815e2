"""Random corruption of training images: noise, an erased rectangle or blur."""

from functools import partial
from typing import Annotated

import torch
from torch import Generator, Tensor
from torch.nn.functional import conv2d, pad

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import IMAGES
from training_factors.search_spaces.recipe import Augmentation, Recipe, Stage, with_augmentation


def _uniform_draws(count: int, images: Tensor, generator: Generator) -> Tensor:
    """Return `count` numbers from [0, 1) per image, shape (count, batch, 1, 1, 1)."""
    draws = torch.empty(count, len(images), 1, 1, 1, device=images.device, dtype=images.dtype)
    return draws.uniform_(generator=generator)


def add_noise(images: Tensor, generator: Generator, *, sigma: float) -> Tensor:
    """Add normal noise to every value; its deviation is drawn for each image from [0, sigma]."""
    noise = torch.empty_like(images).normal_(generator=generator)
    deviation = _uniform_draws(1, images, generator)[0] * sigma
    return torch.addcmul(images, noise, deviation).clamp_(0, 1)


def erase_rectangle(images: Tensor, generator: Generator, *, area: float) -> Tensor:
    """Set a random rectangle of each image to 0.

    The rectangle's area is drawn from [0, area] as a fraction of the image's area, its aspect ratio
    from [1/2, 2] times that of the image, and its position so that it lies inside the image. A
    pixel is erased when its centre lies in the rectangle, so the erased area is right on average
    and exceeds the rectangle's area by at most one row and one column.
    """
    height, width = images.shape[2:]
    area_draw, ratio_draw, top_draw, left_draw = _uniform_draws(4, images, generator)
    side = (area_draw * area).sqrt()
    stretch = 2 ** (ratio_draw - 0.5)
    erased_height = (side * stretch * height).clamp(max=height)
    erased_width = (side / stretch * width).clamp(max=width)
    rows = torch.arange(height, device=images.device).view(1, 1, -1, 1) + 0.5
    columns = torch.arange(width, device=images.device).view(1, 1, 1, -1) + 0.5
    top, left = top_draw * (height - erased_height), left_draw * (width - erased_width)
    in_rows = (rows > top) & (rows < top + erased_height)
    in_columns = (columns > left) & (columns < left + erased_width)
    return images.masked_fill(in_rows & in_columns, 0)


def gaussian_blur(images: Tensor, generator: Generator, *, sigma: float) -> Tensor:
    """Blur each image with a Gaussian kernel.

    The kernel's standard deviation is drawn for each image from [0, sigma], as a fraction of the
    shorter side of the image.
    """
    count, channels, height, width = images.shape
    side = min(height, width)
    radius = min(max(1, round(2 * sigma * side)), side - 1)
    deviation = _uniform_draws(1, images, generator)[0] * (sigma * side) + 1e-3
    offsets = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    kernels = torch.exp(-((offsets / deviation.view(-1, 1)) ** 2) / 2)
    kernels = (kernels / kernels.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    # Every channel of every image is a group of its own, so that one convolution applies a
    # different kernel to each image.
    padded = pad(images, (radius, radius, radius, radius), mode="reflect")
    stacked = padded.flatten(0, 1).unsqueeze(0)
    groups = count * channels
    stacked = conv2d(stacked, kernels.view(groups, 1, -1, 1), groups=groups)
    return conv2d(stacked, kernels.view(groups, 1, 1, -1), groups=groups).view_as(images)


def none(recipe: Recipe) -> Recipe:
    """Leave the images unchanged."""
    return recipe


def noise(recipe: Recipe, sigma: Annotated[float, Uniform(0.0, 0.2)] = 0.05) -> Recipe:
    """Add noise from N(0, s²), s uniform in [0, sigma] for images in [0, 1] (Bishop, 1995)."""
    return _with_corruption(recipe, partial(add_noise, sigma=sigma), sigma=sigma)


def erase(recipe: Recipe, area: Annotated[float, Uniform(0.0, 0.2)] = 0.1) -> Recipe:
    """Set a random rectangle, at most `area` of the image, to black (Zhong et al., 2020)."""
    return _with_corruption(recipe, partial(erase_rectangle, area=area), area=area)


def blur(recipe: Recipe, sigma: Annotated[float, Uniform(0.0, 0.08)] = 0.03) -> Recipe:
    """Blur with a Gaussian: standard deviation uniform in [0, sigma] times the shorter side."""
    return _with_corruption(recipe, partial(gaussian_blur, sigma=sigma), sigma=sigma)


def _with_corruption(recipe: Recipe, augment: Augmentation, **amounts: float) -> Recipe:
    for name, amount in amounts.items():
        if not 0 <= amount <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {amount}")
    return with_augmentation(recipe, Stage.CORRUPTION, augment)


FACTOR = Factor(
    "augment_corruption",
    topic="data augmentation",
    options=(none, noise, erase, blur),
    where=IMAGES,
)
