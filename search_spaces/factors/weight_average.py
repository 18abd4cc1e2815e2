"""Whether the network that is evaluated averages those of many steps."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from search_spaces.dimension import Uniform
from search_spaces.factor import Factor
from search_spaces.recipe import Averaged, Recipe, Unaveraged


@dataclass(frozen=True)
class MovingAverage:
    """A network and the moving average of its weights and running statistics."""

    trained: nn.Module
    averaged: AveragedModel

    def update(self) -> None:
        """Take in the trained network's weights after a step."""
        self.averaged.update_parameters(self.trained)

    def network(self) -> nn.Module:
        """The averaged network."""
        return self.averaged


def averaging(trained: nn.Module, *, decay: float) -> Averaged:
    """A moving average that starts at the network's present weights."""
    rule = get_ema_multi_avg_fn(decay)
    return MovingAverage(trained, AveragedModel(trained, multi_avg_fn=rule, use_buffers=True))


def none(recipe: Recipe) -> Recipe:
    """Evaluate the network of the last step."""
    return replace(recipe, average=Unaveraged)


def ema(recipe: Recipe, decay: Annotated[float, Uniform(0.9, 0.999)] = 0.99) -> Recipe:
    """Evaluate ā ← decay · ā + (1 − decay) · w, taken after each step (Polyak & Juditsky, 1992)."""
    if not 0 <= decay < 1:
        raise ValueError(f"decay must be in [0, 1), got {decay}")
    return replace(recipe, average=partial(averaging, decay=decay))


FACTOR = Factor("weight_average", topic="weight averaging", options=(none, ema))
