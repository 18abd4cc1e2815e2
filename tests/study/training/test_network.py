"""Built-in networks are deep enough for every factor, and a wrong model is refused."""

import pytest
import torch
from torch import nn

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import named_space
from training_factors.study.training.model import open_model
from training_factors.study.training.network import ARCHITECTURES


def build(model: str, problem: Problem, residual: str) -> nn.Module:
    space, _ = named_space("full").for_problem(problem)
    config = {**space.baseline(), "initialization": "he_normal", "residual": residual}
    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]
    return open_model(model, problem)(space.build(config, problem), problem, *generators)


@pytest.mark.parametrize("model", ARCHITECTURES)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 20)])
def test_networks_have_at_least_six_hidden_layers(model: str, shape: tuple[int, ...]) -> None:
    network = build(model, Problem(shape, 5), residual="none")
    weights = [parameter for parameter in network.parameters() if parameter.dim() > 1]
    assert len(weights) - 1 >= 6


def test_residual_connections_keep_the_depth() -> None:
    depths = []
    for option in ("none", "residual"):
        network = build("cnn", Problem((1, 8, 8), 10), residual=option)
        depths.append(sum(weight.shape[2:] == (3, 3) for weight in network.parameters()))
    assert depths == [6, 6]


@pytest.mark.parametrize(
    ("name", "message"),
    [("mpl", "unknown"), ("no.such:module", "No module named"), ("cnn", "needs images")],
)
def test_a_wrong_model_is_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_model(name, Problem((4,), 2))
