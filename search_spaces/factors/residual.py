"""Whether every block has a way around it."""

from dataclasses import replace

from torch import Tensor, nn

from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe, no_shortcut


class Residual(nn.Module):
    """The block's output added to its input, projected where their shapes differ."""

    def __init__(self, body: nn.Module, projection: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.projection = projection

    def forward(self, inputs: Tensor) -> Tensor:
        """body(x) + projection(x)."""
        outputs: Tensor = self.body(inputs) + self.projection(inputs)
        return outputs


def none(recipe: Recipe) -> Recipe:
    """y = body(x); the depth is the same either way."""
    return replace(recipe, shortcut=no_shortcut)


def residual(recipe: Recipe) -> Recipe:
    """y = body(x) + x, projected by a 1×1 layer where shapes differ (He et al., 2016)."""
    return replace(recipe, shortcut=Residual)


FACTOR = Factor("residual", topic="residual connections", options=(none, residual))
