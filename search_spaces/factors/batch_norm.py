"""The normalization of hidden features between each layer and its activation."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from torch import nn

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import OWN_MODELS
from training_factors.search_spaces.recipe import Recipe, no_norm_layer, unchanged_part

MAX_GROUPS = 8
"""Maximum number of groups that the option `group` divides the features into."""


BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
"""Layers that normalize over the batch, by the number of axes after that of the features."""


def over_batch(features: int, axes: int, *, momentum: float) -> nn.Module:
    """Return a layer that normalizes each feature over the batch and, for images, over pixels."""
    return BATCH_NORMS[axes](features, momentum=momentum)


def over_features(features: int, axes: int) -> nn.Module:
    """Return a layer that normalizes all features of a sample together."""
    return nn.GroupNorm(1, features) if axes else nn.LayerNorm(features)


def over_groups(features: int, axes: int) -> nn.Module:
    """Return a layer that normalizes groups of features: as many as divide them, at most 8."""
    groups = max(count for count in range(1, MAX_GROUPS + 1) if features % count == 0)
    return nn.GroupNorm(groups, features)


def unchanged(recipe: Recipe) -> Recipe:
    """Keep the normalization layers of your model as it has them."""
    return replace(recipe, norm=unchanged_part)


def none(recipe: Recipe) -> Recipe:
    """Do not normalize hidden features."""
    return replace(recipe, norm=no_norm_layer)


def batch(recipe: Recipe, momentum: Annotated[float, Uniform(0.01, 0.5)] = 0.1) -> Recipe:
    """Map x to a · (x − mean) / standard deviation + b over the batch (Ioffe & Szegedy, 2015).

    Mean and standard deviation are those of each feature; a and b are learned. Evaluation uses
    running statistics r, which each step updates: r ← (1 − momentum) · r + momentum · batch
    statistic.
    """
    if not 0 < momentum <= 1:
        raise ValueError(f"momentum must be in (0, 1], got {momentum}")
    return replace(recipe, norm=partial(over_batch, momentum=momentum))


def layer(recipe: Recipe) -> Recipe:
    """Map x to a · (x − mean) / standard deviation + b over all features (Ba et al., 2016).

    Mean and standard deviation are those of each sample.
    """
    return replace(recipe, norm=over_features)


def group(recipe: Recipe) -> Recipe:
    """Map x to a · (x − mean) / standard deviation + b over each group of features (Wu & He, 2018).

    There are as many groups as divide the number of features, at most 8.
    """
    return replace(recipe, norm=over_groups)


FACTOR = Factor(
    "batch_norm",
    topic="batch normalization",
    options=(unchanged, none, batch, layer, group),
    restricted={unchanged: OWN_MODELS},
    retune=True,
)
