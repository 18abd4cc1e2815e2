from torch import nn

from training_factors.search_spaces.recipe import Recipe


def build(recipe: Recipe, shape: tuple[int, ...], classes: int) -> nn.Module:
    size = 1
    for length in shape:
        size *= length
    return nn.Sequential(nn.Flatten(), nn.Linear(size, classes))
