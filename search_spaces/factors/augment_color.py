"""Random changes of the brightness, contrast and saturation of training images."""

from functools import partial
from typing import Annotated

import torch
from torch import Generator, Tensor

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import COLOUR_IMAGES, IMAGES
from training_factors.search_spaces.recipe import Recipe, Stage, with_augmentation

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luminance of a pixel (ITU-R BT.601)."""


def color_jitter(
    images: Tensor, generator: Generator, *, brightness: float, contrast: float, saturation: float
) -> Tensor:
    """Scale brightness, contrast and saturation of each image, in this order.

    images: values in [0, 1], shape (batch, channels, height, width). The scale factors are drawn
    for each image from [1 − amount, 1 + amount]. Saturation changes images of three channels only.
    """
    count, channels = images.shape[:2]
    draws = torch.empty(3, count, 1, 1, 1, device=images.device, dtype=images.dtype)
    draws.uniform_(-1, 1, generator=generator)
    brightness_scale, contrast_scale, saturation_scale = (
        1 + draws[i] * amount for i, amount in enumerate((brightness, contrast, saturation))
    )
    grey = _grey(images)
    mean = grey.mean(dim=(2, 3), keepdim=True)
    if channels == 3:
        images = torch.lerp(grey, images, saturation_scale)
    # The brightened image b · x has the mean b · m. Scaling its contrast by c about that mean gives
    # b · m + c · (b · x − b · m), computed here in one pass.
    scale = brightness_scale * contrast_scale
    return torch.addcmul(mean * (brightness_scale - scale), images, scale).clamp_(0, 1)


def _grey(images: Tensor) -> Tensor:
    if images.shape[1] != 3:
        return images.mean(dim=1, keepdim=True)
    # The weights stay Python numbers: a tensor of them would have to be copied to the device, which
    # would wait for the copy.
    return sum(images[:, i : i + 1] * weight for i, weight in enumerate(LUMINANCE))  # type: ignore[return-value]


def none(recipe: Recipe) -> Recipe:
    """Leave the colours unchanged."""
    return recipe


def jitter(
    recipe: Recipe,
    brightness: Annotated[float, Uniform(0.0, 0.6)] = 0.3,
    contrast: Annotated[float, Uniform(0.0, 0.6)] = 0.3,
    saturation: Annotated[float, Uniform(0.0, 0.6), COLOUR_IMAGES] = 0.3,
) -> Recipe:
    """Scale brightness, contrast and saturation at random (Howard, 2013).

    The scale factors are drawn for each sample, from 1 − amount to 1 + amount.
    """
    amounts = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
    for name, amount in amounts.items():
        if not 0 <= amount <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {amount}")
    augment = partial(color_jitter, brightness=brightness, contrast=contrast, saturation=saturation)
    return with_augmentation(recipe, Stage.COLOR, augment)


FACTOR = Factor("augment_color", topic="data augmentation", options=(none, jitter), where=IMAGES)
