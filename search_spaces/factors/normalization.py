"""The scaling of inputs before they enter the network."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import IMAGES
from training_factors.search_spaces.recipe import Recipe, Transform, no_normalization

ROUNDING = 1e-6
"""Maximum spread, relative to the centre, of a column or channel that counts as constant: a spread
this small is rounding error."""

MIN_DEVIATION = 1 / 255
"""Minimum standard deviation that `per_image` divides by, one step of a byte, so that the noise of
an almost constant image is not amplified."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """The function (x − centre) · scale.

    centre, scale: one number for all values, or a tensor with one number per channel or column,
    shaped so that it can be broadcast to a batch.
    """

    centre: Tensor | float
    scale: Tensor | float

    def __call__(self, inputs: Tensor) -> Tensor:
        """Scale a batch of any number of samples."""
        return (inputs - self.centre) * self.scale


def _scaling(centre: Tensor, spread: Tensor) -> Scaling:
    """Return (x − centre) / spread; constant columns or channels become 0."""
    constant = spread <= ROUNDING * centre.abs()
    return Scaling(centre, torch.where(constant, 1.0, 1 / spread))


def fit_min_max(training_inputs: Tensor) -> Transform:
    """Return the scaling of each table column to [0, 1]; images are in [0, 1] already."""
    if training_inputs.dim() == 4:
        return no_normalization(training_inputs)
    low, high = training_inputs.aminmax(dim=0)
    return _scaling(low, high - low)


def fit_raw(training_inputs: Tensor) -> Transform:
    """Return the scaling of images to bytes, 0 to 255; tables keep their values."""
    return Scaling(0.0, 255.0) if training_inputs.dim() == 4 else no_normalization(training_inputs)


def fit_min_max_signed(training_inputs: Tensor) -> Transform:
    """Return the scaling to [−1, 1], of each table column and of the byte range of images."""
    if training_inputs.dim() == 4:
        return Scaling(0.5, 2.0)
    low, high = training_inputs.aminmax(dim=0)
    return _scaling(low + (high - low) / 2, (high - low) / 2)


def fit_standard(training_inputs: Tensor) -> Transform:
    """Return the scaling of each channel or column to mean 0 and variance 1."""
    axes = (0, 2, 3) if training_inputs.dim() == 4 else (0,)
    variance, mean = torch.var_mean(training_inputs, dim=axes, correction=0, keepdim=True)
    return _scaling(mean, variance.sqrt())


def standardize_per_image(images: Tensor) -> Tensor:
    """Scale each image to mean 0 and variance 1 over all its values."""
    variance, mean = torch.var_mean(images, dim=(1, 2, 3), correction=0, keepdim=True)
    return (images - mean) / variance.sqrt().clamp(min=MIN_DEVIATION)


def fit_per_image(training_inputs: Tensor) -> Transform:
    """Return `standardize_per_image`, which needs no statistics of the training inputs."""
    return standardize_per_image


def min_max(recipe: Recipe) -> Recipe:
    """Scale to [0, 1] by (x − min) / (max − min); for images, min = 0 and max = 255."""
    return replace(recipe, normalize=fit_min_max)


def none(recipe: Recipe) -> Recipe:
    """Keep raw values; those of images are 0 to 255."""
    return replace(recipe, normalize=fit_raw)


def min_max_signed(recipe: Recipe) -> Recipe:
    """Scale to [−1, 1] by 2 (x − min) / (max − min) − 1; for images, min = 0 and max = 255."""
    return replace(recipe, normalize=fit_min_max_signed)


def standardize(recipe: Recipe) -> Recipe:
    """Scale each channel or column by (x − mean) / standard deviation (LeCun et al., 1998).

    Mean and standard deviation are those of the training samples.
    """
    return replace(recipe, normalize=fit_standard)


def per_image(recipe: Recipe) -> Recipe:
    """Scale each image by (x − mean) / standard deviation, both over the image's own values.

    For images in [0, 1], the standard deviation is taken to be at least 1/255.
    """
    return replace(recipe, normalize=fit_per_image)


FACTOR = Factor(
    "normalization",
    topic="normalization",
    options=(min_max, none, min_max_signed, standardize, per_image),
    restricted={per_image: IMAGES},
)
