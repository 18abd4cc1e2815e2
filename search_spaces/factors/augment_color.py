"""Whether brightness, contrast and saturation of training images vary."""

from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from torch import Generator, Tensor

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import COLOUR_IMAGES, IMAGES
from training_factors.search_spaces.recipe import Recipe, unaugmented

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey (ITU-R BT.601)."""


def tint(
    images: Tensor, generator: Generator, *, brightness: float, contrast: float, saturation: float
) -> Tensor:
    """Each image by its own factors, drawn from [1 − amount, 1 + amount]."""
    count, channels = images.shape[:2]
    draws = torch.empty(3, count, 1, 1, 1, device=images.device, dtype=images.dtype)
    draws.uniform_(-1, 1, generator=generator)
    brighter, starker, fuller = (
        1 + draws[i] * amount for i, amount in enumerate((brightness, contrast, saturation))
    )
    grey = _grey(images)
    middle = grey.mean(dim=(2, 3), keepdim=True)
    if channels == 3:
        images = torch.lerp(grey, images, fuller)
    # b x scaled about its mean: m b + (b x − m b) c, in one pass.
    scale = brighter * starker
    return torch.addcmul(middle * (brighter - scale), images, scale).clamp_(0, 1)


def _grey(images: Tensor) -> Tensor:
    if images.shape[1] != 3:
        return images.mean(dim=1, keepdim=True)
    # Numbers, not a tensor of them: that would be copied to the device, which waits for it.
    return sum(images[:, i : i + 1] * weight for i, weight in enumerate(LUMINANCE))  # type: ignore[return-value]


def none(recipe: Recipe) -> Recipe:
    """Colours as they are."""
    return replace(recipe, augment_color=unaugmented)


def jitter(
    recipe: Recipe,
    brightness: Annotated[float, Uniform(0.0, 0.6)] = 0.3,
    contrast: Annotated[float, Uniform(0.0, 0.6)] = 0.3,
    saturation: Annotated[float, Uniform(0.0, 0.6), COLOUR_IMAGES] = 0.3,
) -> Recipe:
    """Scale brightness, contrast and saturation by 1 ± their amounts (Howard, 2013).

    Every sample draws its own.
    """
    amounts = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
    for name, amount in amounts.items():
        if not 0 <= amount <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {amount}")
    made = partial(tint, brightness=brightness, contrast=contrast, saturation=saturation)
    return replace(recipe, augment_color=made)


FACTOR = Factor("augment_color", topic="data augmentation", options=(none, jitter), where=IMAGES)
