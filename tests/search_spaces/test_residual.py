import torch
from torch import nn
from torch.testing import assert_close

from training_factors.search_spaces.factors.residual import none, residual
from training_factors.search_spaces.recipe import Recipe


def test_a_block_adds_its_way_around() -> None:
    body, projection = nn.Linear(4, 3), nn.Linear(4, 3)
    block = residual(Recipe()).shortcut(body, projection)
    inputs = torch.randn(5, 4)
    assert_close(block(inputs), body(inputs) + projection(inputs))
    assert len(list(block.parameters())) == 4


def test_without_it_a_block_is_its_body_and_the_projection_is_no_part_of_it() -> None:
    body = nn.Linear(4, 3)
    assert none(Recipe()).shortcut(body, nn.Linear(4, 3)) is body
