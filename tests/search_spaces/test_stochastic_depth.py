from copy import deepcopy

import pytest
import torch
from torch import nn

from training_factors.search_spaces.factors.stochastic_depth import StochasticDepth, drop_path
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe
from training_factors.search_spaces.space import named_space
from training_factors.study.training.model import open_model

ONES = torch.ones(10_000, 3)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_samples_are_skipped_as_a_whole_at_the_rate() -> None:
    outputs = StochasticDepth(nn.Identity(), generator(), 0.25)(ONES)
    assert (outputs == outputs[:, :1]).all()
    assert (outputs[:, 0] == 0).float().mean() == pytest.approx(0.25, abs=0.02)
    assert outputs.mean() == pytest.approx(1.0, abs=0.02)


def test_evaluation_runs_the_body_and_copies_evaluate_like_the_original() -> None:
    original = StochasticDepth(nn.Linear(3, 3), generator(), 0.5).eval()
    copied = deepcopy(original)
    assert copied.body is not original.body
    assert copied(ONES).equal(original(ONES)) and original(ONES).equal(original.body(ONES))


@pytest.mark.parametrize(("residual", "wrapped"), [("none", 0), ("residual", 3)])
def test_only_blocks_with_a_shortcut_are_skipped(residual: str, wrapped: int) -> None:
    problem = Problem((1, 8, 8), 10)
    space, _ = named_space("full").for_problem(problem)
    config = {"residual": residual, "stochastic_depth": "drop_path"}
    recipe = space.build({**space.baseline(), **config}, problem)
    network = open_model("cnn", problem)(recipe, problem, generator(0), generator(1))
    assert sum(isinstance(module, StochasticDepth) for module in network.modules()) == wrapped


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_an_invalid_rate_is_rejected(rate: float) -> None:
    with pytest.raises(ValueError, match=rf"rate must be in \[0, 1\), got {rate}"):
        drop_path(Recipe(), rate=rate)
