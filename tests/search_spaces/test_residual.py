import torch
from torch import nn
from torch.testing import assert_close

from training_factors.search_spaces.factors.residual import none, residual
from training_factors.search_spaces.recipe import Recipe


def test_a_residual_block_adds_the_projected_input() -> None:
    body, projection = nn.Linear(4, 3), nn.Linear(4, 3)
    block = residual(Recipe()).shortcut(body, projection)
    inputs = torch.randn(5, 4)
    assert_close(block(inputs), body(inputs) + projection(inputs))
    assert len(list(block.parameters())) == 4


def test_without_a_shortcut_the_block_is_its_body_alone() -> None:
    body = nn.Linear(4, 3)
    assert none(Recipe()).shortcut(body, nn.Linear(4, 3)) is body
