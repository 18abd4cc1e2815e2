"""train.py trains a configuration as a study does, with torch and safetensors alone."""

import pytest
import torch
from torch import Tensor, nn

from tests.support.scripts import Data, content_of, make_data, run_script, train_here
from tests.test_factors import options_for
from training_factors.search_spaces.dimension import Fixed
from training_factors.search_spaces.factor import Factor, Option
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import Config
from training_factors.study.exporting.training_script import (
    ScriptContent,
    render_training_script,
)
from training_factors.study.training import loop

IMAGES = Problem((3, 8, 8), 4)
TABLE = Problem((6,), 3)
REGRESSION = Problem((6,), None)

ACTIVE: Config = {"optimizer": "adam", "residual": "residual", "initialization": "he_normal"}
"""Options with which small networks train, and on which other options depend."""

CASES = [
    (problem, factor, option)
    for problem in (IMAGES, TABLE, REGRESSION)
    for factor, option in options_for(problem)
    if problem is IMAGES or factor.name in ("split", "normalization", "augment_mix", "loss")
]


@pytest.fixture(autouse=True)
def batches_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_batches_at_once", lambda training: 2)


def same_weights(content: ScriptContent, data: Data) -> nn.Module:
    """Train in both ways, and compare the networks that are evaluated; return the script's."""
    script = run_script(render_training_script(content))
    trained = script.train(data, epochs=content.epochs)
    network = trained[0] if isinstance(trained, tuple) else trained
    ours = train_here(content, data).average.network()
    ours = getattr(ours, "module", ours) if type(ours).__name__ == "AveragedModel" else ours
    assert_equal_states(network.state_dict(), ours.state_dict())
    assert isinstance(network, nn.Module)
    return network


def assert_equal_states(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert list(one) == list(other)
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize(
    ("problem", "factor", "option"),
    CASES,
    ids=[f"{factor.name}.{option.name}-{len(problem.shape)}" for problem, factor, option in CASES],
)
def test_each_option_trains_as_in_a_study(problem: Problem, factor: Factor, option: Option) -> None:
    config = {**ACTIVE, factor.name: option.name}
    for hyperparameter in option.hyperparameters:
        name = f"{factor.name}.{option.name}.{hyperparameter.name}"
        assert not isinstance(hyperparameter.dimension, Fixed)
        config[name] = hyperparameter.dimension.decode(0.4)
    model = "cnn" if problem.is_image and factor.name in ("residual", "batch_norm") else "mlp"
    same_weights(content_of(config, problem, model, epochs=1), make_data(problem))
