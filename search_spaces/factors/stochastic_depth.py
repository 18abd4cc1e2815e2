"""Random skipping of residual blocks during training."""

from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from torch import Generator, Tensor, nn

from training_factors.search_spaces.dimension import Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import OWN_MODELS
from training_factors.search_spaces.recipe import Recipe, unchanged_part, whole_branch


class StochasticDepth(nn.Module):
    """The body of a block, which random samples skip; it draws from a given generator."""

    def __init__(self, body: nn.Module, generator: Generator, rate: float) -> None:
        super().__init__()
        self.body = body
        self.generator = generator
        self.rate = rate

    def __deepcopy__(self, memo: dict[int, object]) -> "StochasticDepth":
        # Copies are only evaluated, which draws nothing, so a copy may share the generator.
        copied = StochasticDepth(deepcopy(self.body, memo), self.generator, self.rate)
        return copied.train(self.training)

    def forward(self, inputs: Tensor) -> Tensor:
        """Zero the outputs of each sample with probability `rate`; scale others by 1 / (1 − rate).

        In evaluation mode, return the outputs unchanged.
        """
        outputs: Tensor = self.body(inputs)
        if not self.training:
            return outputs
        shape = (len(outputs), *[1] * (outputs.dim() - 1))
        draws = torch.rand(shape, generator=self.generator, device=outputs.device)
        return outputs * (draws >= self.rate) / (1 - self.rate)


def unchanged(recipe: Recipe) -> Recipe:
    """Keep the stochastic depth of your model as it has it."""
    return replace(recipe, branch=unchanged_part)


def none(recipe: Recipe) -> Recipe:
    """Run every block for every sample."""
    return replace(recipe, branch=whole_branch)


def drop_path(recipe: Recipe, rate: Annotated[float, Uniform(0.02, 0.4)] = 0.1) -> Recipe:
    """Skip a residual block for each sample with probability `rate` (Huang et al., 2016).

    What is skipped is its body, not its shortcut; other outputs of the body are scaled by
    1 / (1 − rate). Evaluation runs all blocks. Blocks without a shortcut are never skipped.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"rate must be in [0, 1), got {rate}")
    return replace(recipe, branch=partial(StochasticDepth, rate=rate))


FACTOR = Factor(
    "stochastic_depth",
    topic="residual connections",
    options=(unchanged, none),
    further=(drop_path,),
    restricted={unchanged: OWN_MODELS},
)
