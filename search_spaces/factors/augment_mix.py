"""Whether training samples are mixed with one another, and their targets with them."""

from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from torch import Generator, Tensor

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import IMAGES
from training_factors.search_spaces.recipe import Recipe, unmixed


def _shares(count: int, alpha: float, inputs: Tensor, generator: Generator) -> Tensor:
    """Beta(alpha, alpha) per sample: X / (X + Y) of two Gamma(alpha) draws.

    A small alpha gives draws that no float holds, so they stay logarithms: X = G · U^(1/alpha),
    G ~ Gamma(alpha + 1), and X / (X + Y) is the logistic function of log X − log Y.
    """
    shape = torch.full((2, count), alpha + 1, device=inputs.device)
    larger = torch._standard_gamma(shape, generator=generator).log()
    uniform = 1 - torch.rand(2, count, generator=generator, device=inputs.device)
    first, second = larger + uniform.log() / alpha
    share: Tensor = torch.sigmoid(first - second)
    return share.to(inputs.dtype)


def _partners(inputs: Tensor, generator: Generator) -> Tensor:
    return torch.randperm(len(inputs), generator=generator, device=inputs.device)


def blend(
    inputs: Tensor, targets: Tensor, generator: Generator, *, alpha: float
) -> tuple[Tensor, Tensor]:
    """Each sample with a partner, in shares of its own."""
    share = _shares(len(inputs), alpha, inputs, generator)
    partners = _partners(inputs, generator)
    kept = share.view(-1, *[1] * (inputs.dim() - 1))
    return (
        torch.lerp(inputs[partners], inputs, kept),
        torch.lerp(targets[partners], targets, share.view(-1, 1).to(targets.dtype)),
    )


def paste(
    inputs: Tensor, targets: Tensor, generator: Generator, *, alpha: float
) -> tuple[Tensor, Tensor]:
    """A rectangle of each image from its partner's; targets by the areas that are seen.

    The rectangle's centre lies anywhere in the image, so a part of it may fall outside.
    """
    count, _, height, width = inputs.shape
    side = (1 - _shares(count, alpha, inputs, generator)).sqrt().view(-1, 1, 1, 1)
    centre = torch.rand(2, count, 1, 1, 1, generator=generator, device=inputs.device)
    rows = (torch.arange(height, device=inputs.device).view(1, 1, -1, 1) + 0.5) / height
    columns = (torch.arange(width, device=inputs.device).view(1, 1, 1, -1) + 0.5) / width
    pasted = ((rows - centre[0]).abs() < side / 2) & ((columns - centre[1]).abs() < side / 2)
    partners = _partners(inputs, generator)
    share = 1 - pasted.to(targets.dtype).mean(dim=(2, 3))
    return (
        torch.where(pasted, inputs[partners], inputs),
        torch.lerp(targets[partners], targets, share),
    )


def none(recipe: Recipe) -> Recipe:
    """Samples as they are."""
    return replace(recipe, mix=unmixed)


def mixup(recipe: Recipe, alpha: Annotated[float, Uniform(0.05, 1.0)] = 0.2) -> Recipe:
    """λ x + (1 − λ) x′, targets alike, λ ~ Beta(alpha, alpha) per sample (Zhang et al., 2018)."""
    return replace(recipe, mix=partial(blend, alpha=_positive(alpha)))


def cutmix(recipe: Recipe, alpha: Annotated[float, Uniform(0.05, 1.0)] = 1.0) -> Recipe:
    """Paste an area 1 − λ of another image, λ ~ Beta(alpha, alpha) (Yun et al., 2019)."""
    return replace(recipe, mix=partial(paste, alpha=_positive(alpha)))


def _positive(alpha: float) -> float:
    if alpha <= 0:
        raise ValueError(f"alpha must be above 0, got {alpha}")
    return alpha


FACTOR = Factor(
    "augment_mix",
    topic="data augmentation",
    options=(none, mixup, cutmix),
    restricted={cutmix: IMAGES},
)
