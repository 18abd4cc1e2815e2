"""Shortcuts around the blocks of the network; the depth is the same with and without them."""

from dataclasses import replace

from torch import Tensor, nn

from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe, no_shortcut


class Residual(nn.Module):
    """A block with a shortcut: its output is added to its input.

    projection: maps the input to the shape of the output; the identity where the shapes agree.
    """

    def __init__(self, body: nn.Module, projection: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.projection = projection

    def forward(self, inputs: Tensor) -> Tensor:
        """Return body(x) + projection(x)."""
        outputs: Tensor = self.body(inputs) + self.projection(inputs)
        return outputs


def none(recipe: Recipe) -> Recipe:
    """Compute y = body(x), without a shortcut."""
    return replace(recipe, shortcut=no_shortcut)


def residual(recipe: Recipe) -> Recipe:
    """Compute y = body(x) + x (He et al., 2016).

    Where the shapes of body(x) and x differ, a linear layer (1×1 for images) projects x.
    """
    return replace(recipe, shortcut=Residual)


FACTOR = Factor("residual", topic="residual connections", options=(none, residual))
