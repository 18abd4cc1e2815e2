"""How inputs are scaled before the network sees them."""

from dataclasses import replace

import torch
from torch import Tensor

from search_spaces.factor import Factor
from search_spaces.problem import IMAGES
from search_spaces.recipe import Recipe, Transform

SMALLEST = 1e-6
"""A spread below this is that of a constant: such inputs are centred and left unscaled."""


def _scaled(shift: Tensor, spread: Tensor) -> Transform:
    spread = torch.where(spread < SMALLEST, torch.ones_like(spread), spread)
    return lambda inputs: (inputs - shift) / spread


def _span(training_part: Tensor) -> tuple[Tensor, Tensor]:
    low, high = training_part.aminmax(dim=0)
    return low, high - low


def to_unit(training_part: Tensor) -> Transform:
    """Images are in [0, 1] already; columns of a table by their smallest and largest value."""
    if training_part.dim() == 4:
        return lambda inputs: inputs
    return _scaled(*_span(training_part))


def to_bytes(training_part: Tensor) -> Transform:
    """Images as their bytes, 0 to 255; tables as they are."""
    if training_part.dim() == 4:
        return lambda inputs: inputs * 255
    return lambda inputs: inputs


def to_signed_unit(training_part: Tensor) -> Transform:
    """`to_unit`, stretched to [-1, 1]."""
    unit = to_unit(training_part)
    return lambda inputs: unit(inputs) * 2 - 1


def to_standard(training_part: Tensor) -> Transform:
    """Mean 0 and variance 1 over the training part, by channel or by column."""
    axes = (0, 2, 3) if training_part.dim() == 4 else (0,)
    variance, mean = torch.var_mean(training_part, dim=axes, correction=0, keepdim=True)
    return _scaled(mean, variance.sqrt())


def to_own_standard(training_part: Tensor) -> Transform:
    """Mean 0 and variance 1 within every image."""

    def standardize(inputs: Tensor) -> Tensor:
        variance, mean = torch.var_mean(inputs, dim=(1, 2, 3), correction=0, keepdim=True)
        return (inputs - mean) / (variance.sqrt() + 1 / 255)

    return standardize


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
    """(x − mean) / standard deviation within each image."""
    return replace(recipe, normalize=to_own_standard)


FACTOR = Factor(
    "normalization",
    topic="normalization",
    options=(min_max, none, min_max_signed, standardize, per_image),
    restricted={per_image: IMAGES},
)
