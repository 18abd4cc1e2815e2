"""How inputs are scaled before the network sees them."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import IMAGES
from training_factors.search_spaces.recipe import Recipe, Transform, as_is

SMALLEST = 1e-6
"""A spread below this share of the mean or minimum is rounding: the input is a constant."""

DARKEST = 1 / 255
"""The least deviation that an image is divided by, so that an empty one is not blown up."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """(x − centre) · scale, with numbers per channel, per column or for all."""

    centre: Tensor | float
    scale: Tensor | float

    def __call__(self, inputs: Tensor) -> Tensor:
        """Inputs of any number of samples, mapped."""
        return (inputs - self.centre) * self.scale


def _scaling(centre: Tensor, spread: Tensor) -> Scaling:
    """(x − centre) / spread; constants are centred and left unscaled."""
    constant = spread <= SMALLEST * centre.abs()
    return Scaling(centre, torch.where(constant, 1.0, 1 / spread))


def to_unit(training_part: Tensor) -> Transform:
    """Images are in [0, 1] already; columns of a table by their smallest and largest value."""
    if training_part.dim() == 4:
        return as_is(training_part)
    low, high = training_part.aminmax(dim=0)
    return _scaling(low, high - low)


def to_bytes(training_part: Tensor) -> Transform:
    """Images as their bytes, 0 to 255; tables as they are."""
    return Scaling(0.0, 255.0) if training_part.dim() == 4 else as_is(training_part)


def to_signed_unit(training_part: Tensor) -> Transform:
    """`to_unit`, stretched to [-1, 1]."""
    if training_part.dim() == 4:
        return Scaling(0.5, 2.0)
    low, high = training_part.aminmax(dim=0)
    return _scaling(low + (high - low) / 2, (high - low) / 2)


def to_standard(training_part: Tensor) -> Transform:
    """Mean 0 and variance 1 over the training part, by channel or by column."""
    axes = (0, 2, 3) if training_part.dim() == 4 else (0,)
    variance, mean = torch.var_mean(training_part, dim=axes, correction=0, keepdim=True)
    return _scaling(mean, variance.sqrt())


def standardize_each(images: Tensor) -> Tensor:
    """Mean 0 and variance 1 within every image."""
    variance, mean = torch.var_mean(images, dim=(1, 2, 3), correction=0, keepdim=True)
    return (images - mean) / variance.sqrt().clamp(min=DARKEST)


def to_own_standard(training_part: Tensor) -> Transform:
    """By every image's own statistics; the training part has no say."""
    return standardize_each


def min_max(recipe: Recipe) -> Recipe:
    """Scale to [0, 1]: (x − min) / (max − min); for images min and max are those of a byte."""
    return replace(recipe, normalize=to_unit)


def none(recipe: Recipe) -> Recipe:
    """Leave raw values: 0 to 255 for images."""
    return replace(recipe, normalize=to_bytes)


def min_max_signed(recipe: Recipe) -> Recipe:
    """Scale to [−1, 1]: 2 (x − min) / (max − min) − 1."""
    return replace(recipe, normalize=to_signed_unit)


def standardize(recipe: Recipe) -> Recipe:
    """(x − mean) / deviation per channel, both of the training part (LeCun et al., 1998)."""
    return replace(recipe, normalize=to_standard)


def per_image(recipe: Recipe) -> Recipe:
    """(x − mean) / deviation within each image, the deviation taken as 1/255 at least."""
    return replace(recipe, normalize=to_own_standard)


FACTOR = Factor(
    "normalization",
    topic="normalization",
    options=(min_max, none, min_max_signed, standardize, per_image),
    restricted={per_image: IMAGES},
)
