"""Mixing of training samples with one another, together with their targets."""

from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from torch import Generator, Tensor

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import IMAGES
from training_factors.search_spaces.recipe import Recipe, no_mixing


def _mixing_weights(count: int, alpha: float, inputs: Tensor, generator: Generator) -> Tensor:
    """Draw λ ~ Beta(alpha, alpha) for each sample, as X / (X + Y) with X, Y ~ Gamma(alpha).

    For a small alpha, X and Y underflow, so their logarithms are drawn: X = G · U^(1/alpha) with
    G ~ Gamma(alpha + 1), and X / (X + Y) is the logistic function of log X − log Y.
    """
    shape = torch.full((2, count), alpha + 1, device=inputs.device)
    log_gamma = torch._standard_gamma(shape, generator=generator).log()
    uniform = 1 - torch.rand(2, count, generator=generator, device=inputs.device)
    first, second = log_gamma + uniform.log() / alpha
    weights: Tensor = torch.sigmoid(first - second)
    return weights.to(inputs.dtype)


def _partners(inputs: Tensor, generator: Generator) -> Tensor:
    """Return the index of the sample that each sample is mixed with: a random permutation."""
    return torch.randperm(len(inputs), generator=generator, device=inputs.device)


def mixup_batch(
    inputs: Tensor, targets: Tensor, generator: Generator, *, alpha: float
) -> tuple[Tensor, Tensor]:
    """Replace each sample by λ · sample + (1 − λ) · partner, and its target likewise.

    inputs: any shape (batch, ...). targets: (batch, classes) or (batch, 1). λ is drawn for each
    sample from Beta(alpha, alpha).
    """
    weights = _mixing_weights(len(inputs), alpha, inputs, generator)
    partners = _partners(inputs, generator)
    input_weights = weights.view(-1, *[1] * (inputs.dim() - 1))
    target_weights = weights.view(-1, 1).to(targets.dtype)
    return (
        torch.lerp(inputs[partners], inputs, input_weights),
        torch.lerp(targets[partners], targets, target_weights),
    )


def cutmix_batch(
    inputs: Tensor, targets: Tensor, generator: Generator, *, alpha: float
) -> tuple[Tensor, Tensor]:
    """Replace a rectangle of each image by that of its partner; mix targets by visible area.

    The rectangle's area is 1 − λ of the image, λ drawn for each image from Beta(alpha, alpha). Its
    centre is uniform in the image, so a part of the rectangle may lie outside.
    """
    count, _, height, width = inputs.shape
    side = (1 - _mixing_weights(count, alpha, inputs, generator)).sqrt().view(-1, 1, 1, 1)
    centre = torch.rand(2, count, 1, 1, 1, generator=generator, device=inputs.device)
    rows = (torch.arange(height, device=inputs.device).view(1, 1, -1, 1) + 0.5) / height
    columns = (torch.arange(width, device=inputs.device).view(1, 1, 1, -1) + 0.5) / width
    pasted = ((rows - centre[0]).abs() < side / 2) & ((columns - centre[1]).abs() < side / 2)
    partners = _partners(inputs, generator)
    visible = 1 - pasted.to(targets.dtype).mean(dim=(2, 3))
    return (
        torch.where(pasted, inputs[partners], inputs),
        torch.lerp(targets[partners], targets, visible),
    )


def none(recipe: Recipe) -> Recipe:
    """Leave samples and targets unchanged."""
    return replace(recipe, mix=no_mixing)


def mixup(recipe: Recipe, alpha: Annotated[float, Uniform(0.05, 1.0)] = 0.2) -> Recipe:
    """Train on λ x + (1 − λ) x′, x′ another sample of the batch (Zhang et al., 2018).

    Targets are mixed likewise; λ is drawn for each sample from Beta(alpha, alpha).
    """
    return replace(recipe, mix=partial(mixup_batch, alpha=_check_alpha(alpha)))


def cutmix(recipe: Recipe, alpha: Annotated[float, Uniform(0.05, 1.0)] = 1.0) -> Recipe:
    """Paste a rectangle of another image of the batch into each image (Yun et al., 2019).

    Its area is 1 − λ of the image, λ ~ Beta(alpha, alpha); targets are mixed by visible area.
    """
    return replace(recipe, mix=partial(cutmix_batch, alpha=_check_alpha(alpha)))


def _check_alpha(alpha: float) -> float:
    if alpha <= 0:
        raise ValueError(f"alpha must be above 0, got {alpha}")
    return alpha


FACTOR = Factor(
    "augment_mix",
    topic="data augmentation",
    options=(none, mixup, cutmix),
    restricted={cutmix: IMAGES},
)
