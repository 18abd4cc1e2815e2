"""The built-in networks, in which every part is built as the recipe says."""

import math
from dataclasses import dataclass

from torch import Generator, Tensor, nn
from torch.nn.utils import skip_init

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe, Transform, no_shortcut


@dataclass(frozen=True)
class Architecture:
    """The shape of a built-in network before the recipe changes its depth and width.

    spatial: convolutional; else fully connected.
    features: of each stage. Every stage but the first halves the side of an image.
    blocks: number of blocks in each stage; a block has two hidden layers.
    """

    spatial: bool
    features: tuple[int, ...]
    blocks: int


ARCHITECTURES = {
    "mlp:small": Architecture(spatial=False, features=(64,), blocks=3),
    "mlp:medium": Architecture(spatial=False, features=(256,), blocks=4),
    "cnn:small": Architecture(spatial=True, features=(16, 32, 64), blocks=1),
    "cnn:medium": Architecture(spatial=True, features=(32, 64, 128), blocks=2),
}
"""The built-in networks; with at least six hidden layers, so that depth, normalization and residual
connections have something to act on."""


def build_network(
    name: str, recipe: Recipe, problem: Problem, weights: Generator, dropout: Generator
) -> nn.Module:
    """Build the network of `ARCHITECTURES` that has this name, on the CPU.

    weights, dropout: generators of initial weights and of dropout layers.
    """
    architecture = ARCHITECTURES[name]
    factory = _LayerFactory(recipe, weights, dropout, architecture.spatial)
    return factory.network(architecture, problem)


class Pointwise(nn.Module):
    """A layer that applies a function to every value, such as an activation."""

    def __init__(self, function: Transform) -> None:
        super().__init__()
        self.function = function

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the function."""
        return self.function(inputs)


@dataclass(frozen=True)
class _LayerFactory:
    """Builds the layers of one network as the recipe says.

    weights: generator of initial weights, drawn from in the order of the layers.
    dropout: generator that the network's dropout layers draw from.
    spatial: convolutions; else linear layers.
    """

    recipe: Recipe
    weights: Generator
    dropout: Generator
    spatial: bool

    def network(self, architecture: Architecture, problem: Problem) -> nn.Module:
        """Build all stages, and a linear layer to the outputs (after global average pooling)."""
        recipe = self.recipe
        blocks = recipe.depth(architecture.blocks)
        features = problem.shape[0] if self.spatial else math.prod(problem.shape)
        body: list[nn.Module] = [] if self.spatial else [nn.Flatten()]
        for stage, stage_features in enumerate(architecture.features):
            width = recipe.width(stage_features)
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                body.append(self.block(features, width, stride))
                features = width
        pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten()] if self.spatial else []
        head = self.initialized(skip_init(nn.Linear, features, problem.outputs), gain=1.0)
        return nn.Sequential(*body, *pool, head)

    def block(self, inputs: int, outputs: int, stride: int) -> nn.Module:
        """Build two hidden layers, with a shortcut around them if the recipe has one."""
        body: nn.Module = nn.Sequential(
            *self.hidden(inputs, outputs, stride), *self.hidden(outputs, outputs, 1)
        )
        same_shape = inputs == outputs and stride == 1
        projection = (
            nn.Identity() if same_shape else self.linear(inputs, outputs, 1, stride, gain=1.0)
        )
        if self.recipe.shortcut is no_shortcut:
            return body
        return self.recipe.shortcut(self.recipe.branch(body, self.dropout), projection)

    def hidden(self, inputs: int, outputs: int, stride: int) -> list[nn.Module]:
        """Build a linear map or convolution with its normalization, activation and dropout."""
        recipe = self.recipe
        return [
            self.linear(inputs, outputs, 3, stride, gain=recipe.activation.gain),
            recipe.norm(outputs, 2 if self.spatial else 0),
            Pointwise(recipe.activation.function),
            recipe.dropout(self.dropout),
        ]

    def linear(self, inputs: int, outputs: int, side: int, stride: int, gain: float) -> nn.Module:
        """Build a convolution with a kernel of this side, or a linear layer."""
        layer: nn.Linear | nn.Conv2d = (
            skip_init(nn.Conv2d, inputs, outputs, side, stride=stride, padding=side // 2)
            if self.spatial
            else skip_init(nn.Linear, inputs, outputs)
        )
        return self.initialized(layer, gain)

    def initialized(self, layer: nn.Linear | nn.Conv2d, gain: float) -> nn.Linear | nn.Conv2d:
        """Initialize the layer in place, and return it."""
        self.recipe.initialize(layer, gain, self.weights)
        return layer
