"""What is normalized between a layer and its activation."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from torch import nn

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe, no_norm

MOST_GROUPS = 8
"""Groups that `group` makes, where their number divides the features."""


def over_batch(features: int, spatial: bool, *, momentum: float) -> nn.Module:
    """Each feature over the batch (and over the image)."""
    kind = nn.BatchNorm2d if spatial else nn.BatchNorm1d
    return kind(features, momentum=momentum)


def over_features(features: int, spatial: bool) -> nn.Module:
    """All features of each sample together."""
    return nn.GroupNorm(1, features) if spatial else nn.LayerNorm(features)


def over_groups(features: int, spatial: bool) -> nn.Module:
    """Groups of features of each sample: as many groups as divide them, up to 8."""
    groups = max(count for count in range(1, MOST_GROUPS + 1) if features % count == 0)
    return nn.GroupNorm(groups, features)


def none(recipe: Recipe) -> Recipe:
    """Normalize nothing."""
    return replace(recipe, norm=no_norm)


def batch(recipe: Recipe, momentum: Annotated[float, Uniform(0.01, 0.5)] = 0.1) -> Recipe:
    """(x − batch mean) / batch deviation per feature, then scaled (Ioffe & Szegedy, 2015).

    Evaluation uses running statistics: each step moves them by `momentum` of the way.
    """
    if not 0 < momentum <= 1:
        raise ValueError(f"momentum must be in (0, 1], got {momentum}")
    return replace(recipe, norm=partial(over_batch, momentum=momentum))


def layer(recipe: Recipe) -> Recipe:
    """(x − mean) / deviation over all features of a sample, then scaled (Ba et al., 2016)."""
    return replace(recipe, norm=over_features)


def group(recipe: Recipe) -> Recipe:
    """(x − mean) / deviation over each group of features, then scaled (Wu & He, 2018)."""
    return replace(recipe, norm=over_groups)


FACTOR = Factor(
    "batch_norm", topic="batch normalization", options=(none, batch, layer, group), retune=True
)
