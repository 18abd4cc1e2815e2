"""Whether training images are made worse: noisy, partly hidden or blurred."""

from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from torch import Generator, Tensor
from torch.nn.functional import conv2d, pad

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import IMAGES
from training_factors.search_spaces.recipe import Augmentation, Recipe, unaugmented


def _uniform(count: int, images: Tensor, generator: Generator) -> Tensor:
    draws = torch.empty(count, len(images), 1, 1, 1, device=images.device, dtype=images.dtype)
    return draws.uniform_(generator=generator)


def add_noise(images: Tensor, generator: Generator, *, sigma: float) -> Tensor:
    """Normal noise on every value, its deviation drawn per image from [0, sigma]."""
    noise = torch.empty_like(images).normal_(generator=generator)
    return torch.addcmul(images, noise, _uniform(1, images, generator)[0] * sigma).clamp_(0, 1)


def hide(images: Tensor, generator: Generator, *, area: float) -> Tensor:
    """A black rectangle in each image, its area drawn from [0, area] of the image's.

    Its sides' ratio is drawn from [1/2, 2] of the image's, its place so that it lies within the
    image. A pixel is black when its centre is covered: of the right area on average, and at most
    a row and a column more.
    """
    height, width = images.shape[2:]
    covered, shape, top, left = _uniform(4, images, generator)
    side = (covered * area).sqrt()
    stretch = 2 ** (shape - 0.5)
    tall = (side * stretch * height).clamp(max=height)
    wide = (side / stretch * width).clamp(max=width)
    rows = torch.arange(height, device=images.device).view(1, 1, -1, 1) + 0.5
    columns = torch.arange(width, device=images.device).view(1, 1, 1, -1) + 0.5
    first_row, first_column = top * (height - tall), left * (width - wide)
    in_rows = (rows > first_row) & (rows < first_row + tall)
    in_columns = (columns > first_column) & (columns < first_column + wide)
    return images.masked_fill(in_rows & in_columns, 0)


def soften(images: Tensor, generator: Generator, *, sigma: float) -> Tensor:
    """A Gaussian blur, its deviation drawn per image from [0, sigma] of the shorter side."""
    count, channels, height, width = images.shape
    side = min(height, width)
    reach = min(max(1, round(2 * sigma * side)), side - 1)
    deviation = _uniform(1, images, generator)[0] * (sigma * side) + 1e-3
    offsets = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    kernels = torch.exp(-((offsets / deviation.view(-1, 1)) ** 2) / 2)
    kernels = (kernels / kernels.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    # One group per channel of every image, so that one convolution blurs each by its own kernel.
    stacked = pad(images, (reach, reach, reach, reach), mode="reflect").flatten(0, 1).unsqueeze(0)
    groups = count * channels
    stacked = conv2d(stacked, kernels.view(groups, 1, -1, 1), groups=groups)
    return conv2d(stacked, kernels.view(groups, 1, 1, -1), groups=groups).view_as(images)


def none(recipe: Recipe) -> Recipe:
    """Images as they are."""
    return replace(recipe, augment_corruption=unaugmented)


def noise(recipe: Recipe, sigma: Annotated[float, Uniform(0.0, 0.2)] = 0.05) -> Recipe:
    """x + ε, ε ~ N(0, s²), s up to `sigma` of the value range (Bishop, 1995)."""
    return _corrupting(recipe, partial(add_noise, sigma=sigma), sigma=sigma)


def erase(recipe: Recipe, area: Annotated[float, Uniform(0.0, 0.2)] = 0.1) -> Recipe:
    """Black out a rectangle of up to `area` of the image (Zhong et al., 2020)."""
    return _corrupting(recipe, partial(hide, area=area), area=area)


def blur(recipe: Recipe, sigma: Annotated[float, Uniform(0.0, 0.08)] = 0.03) -> Recipe:
    """Gaussian blur with a deviation of up to `sigma` of the shorter side."""
    return _corrupting(recipe, partial(soften, sigma=sigma), sigma=sigma)


def _corrupting(recipe: Recipe, made: Augmentation, **amounts: float) -> Recipe:
    for name, amount in amounts.items():
        if not 0 <= amount <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {amount}")
    return replace(recipe, augment_corruption=made)


FACTOR = Factor(
    "augment_corruption",
    topic="data augmentation",
    options=(none, noise, erase, blur),
    where=IMAGES,
)
