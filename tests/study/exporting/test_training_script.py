"""train.py trains a configuration as a study does, with torch and safetensors alone."""

import ast
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from tests.support.scripts import Data, content_of, make_data, run_script, train_here
from tests.test_factors import options_for
from training_factors.search_spaces.dimension import Fixed
from training_factors.search_spaces.factor import Factor, Option
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import Config, named_space
from training_factors.storage.metrics import METRICS, Metric
from training_factors.storage.precision import BFLOAT16
from training_factors.study.exporting.line_wrapping import MAX_WIDTH
from training_factors.study.exporting.normalization import model_metadata
from training_factors.study.exporting.training_loop import STARTING_WEIGHTS
from training_factors.study.exporting.training_script import (
    TEMPLATE_NAMES,
    ScriptContent,
    render_training_script,
)
from training_factors.study.training import loop
from training_factors.study.training.loop import predict
from training_factors.study.training.metrics import measure
from training_factors.study.training.model import open_model
from training_factors.study.training.seeds import generator
from training_factors.study.training.training_state import Training

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
    monkeypatch.setattr(loop, "batches_at_once", lambda size, inputs: 2)


def same_weights(content: ScriptContent, data: Data) -> nn.Module:
    """Train in both ways, and compare the networks that are evaluated; return the script's."""
    text = render_training_script(content)
    assert max(map(len, text.splitlines())) <= MAX_WIDTH
    script = run_script(text)
    network, *_ = as_tuple(script.train(data, epochs=content.epochs))
    ours = evaluated(train_here(content, data))
    assert_equal_states(network.state_dict(), ours.state_dict())
    assert isinstance(network, nn.Module)
    return network


def as_tuple(trained: Any) -> tuple[Any, ...]:
    """Return what `train` of a script returned: the network, and perhaps its normalization."""
    return trained if isinstance(trained, tuple) else (trained,)


def evaluated(training: Training) -> nn.Module:
    """Return the network that is evaluated, without what averages its weights."""
    network = training.average.network()
    return network.module if isinstance(network, AveragedModel) else network


def assert_equal_states(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert list(one) == list(other)
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=1e-3, atol=1e-5, equal_nan=True)


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
    epochs = 2 if factor.topic == "learning rate schedule" else 1
    same_weights(content_of(config, problem, model, epochs=epochs), make_data(problem))


@st.composite
def configurations(draw: st.DrawFn, problem: Problem) -> Config:
    """Draw a point of the space `full`; networks that cannot learn are as good as others."""
    space, _ = named_space("full").for_problem(problem)
    count = len(space.coordinates())
    units = st.floats(0, 1, exclude_max=True, allow_subnormal=False)
    return space.decode(draw(st.lists(units, min_size=count, max_size=count)))


@settings(max_examples=10)
@given(data=st.data())
@pytest.mark.parametrize(
    ("model", "problem"),
    [("mlp", IMAGES), ("cnn", IMAGES), ("mlp:medium", TABLE), ("mlp", REGRESSION)],
    ids=["mlp", "cnn", "classes", "numbers"],
)
def test_any_configuration_predicts_as_in_a_study(
    model: str, problem: Problem, data: st.DataObject
) -> None:
    config = data.draw(configurations(problem))
    # The gradient of a bias before batch normalization is 0 but for rounding, which optimizers that
    # divide by its size turn into steps in any direction: only the first step can be compared.
    epochs, count = (1, 40) if config["batch_norm"] == "batch" else (2, 70)
    content = content_of(config, problem, model, epochs=epochs)
    script = run_script(render_training_script(content))
    samples = make_data(problem, count)
    trained = script.train(samples, content.epochs)
    outputs = script.predict(*as_tuple(trained), samples["validation.inputs"])
    expected = predict(train_here(content, samples), samples["validation.inputs"])
    if content.target_scale is not None:
        expected = expected * content.target_scale.deviation + content.target_scale.mean
    if expected.isfinite().all():
        assert (outputs - expected).norm() <= 1e-3 * expected.norm()
    else:
        assert not outputs.isfinite().all()


@pytest.mark.parametrize("norm", ["none", "batch", "group"])
@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_study_in_bfloat16_is_exported_in_bfloat16(name: str, norm: str) -> None:
    config = {**ACTIVE, "optimizer": "sgd", "batch_norm": norm}
    content = content_of(config, IMAGES, name, epochs=1)
    half = content._replace(model=replace(content.model, precision=BFLOAT16))
    data = make_data(IMAGES)
    script = run_script(render_training_script(half))
    outputs = script.predict(*as_tuple(script.train(data, 1)), data["validation.inputs"])
    expected = predict(train_here(half, data), data["validation.inputs"])
    single = predict(train_here(content, data), data["validation.inputs"])
    assert outputs.dtype is torch.float32 and not expected.equal(single)
    assert (outputs - expected).norm() <= 0.5 * (single - expected).norm()


@pytest.mark.parametrize("problem", [IMAGES, TABLE, REGRESSION], ids=["images", "rows", "numbers"])
def test_pool_and_validation_together(problem: Problem) -> None:
    content = content_of(ACTIVE, problem)._replace(on="all")
    same_weights(content, make_data(problem))
    assert 'for part in ("test",)' in render_training_script(content)


@pytest.mark.parametrize("option", ["weights", "frozen", "scratch"])
def test_training_starts_from_a_file_of_weights(option: str, tmp_path: Path) -> None:
    problem = TABLE._replace(has_weights=True)
    weights = open_model("mlp", problem)
    start = weights(
        content_of({}, TABLE).recipe, problem, generator(0, "weights"), generator(0, "dropout")
    ).state_dict()
    some = {name: torch.ones_like(tensor) * 0.1 for name, tensor in list(start.items())[:4]}
    save_file(some, tmp_path / STARTING_WEIGHTS)
    content = content_of({**ACTIVE, "start": option}, problem, weights=some)
    same_weights(content, make_data(problem))
    assert (STARTING_WEIGHTS in render_training_script(content)) == (option != "scratch")


@pytest.mark.parametrize("name", [metric.name for metric in METRICS])
def test_the_metric_is_that_of_the_study(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = TABLE if metric_named(name).task == "classification" else REGRESSION
    content = content_of(ACTIVE, problem)._replace(metric=metric_named(name))
    save_file(make_data(problem), "data.safetensors")
    monkeypatch.setattr(sys, "argv", ["train.py"])
    run_script(render_training_script(content)).main()
    lines = capsys.readouterr().out.splitlines()
    training = train_here(content, make_data(problem))
    for line, part in zip(lines[-3:-1], ("validation", "test"), strict=True):
        outputs = predict(training, make_data(problem)[f"{part}.inputs"])
        targets = make_data(problem)[f"{part}.targets"]
        if content.target_scale is not None:
            outputs = outputs * content.target_scale.deviation + content.target_scale.mean
        value = measure(outputs, targets, problem)[name]
        shown = float(line.removeprefix(f"{part} {name.replace('_', ' ')}: "))
        assert shown == pytest.approx(value, abs=2e-4, rel=1e-4)


def metric_named(name: str) -> Metric:
    return next(metric for metric in METRICS if metric.name == name)


def test_what_the_script_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    content = content_of({**ACTIVE, "normalization": "standardize"}, IMAGES, "cnn")
    save_file(make_data(IMAGES), "data.safetensors")
    monkeypatch.setattr(sys, "argv", ["train.py", "--epochs", "1", "--seed", "9"])
    run_script(render_training_script(content)).main()
    content = content._replace(epochs=1, seed=9)
    training = train_here(content, make_data(IMAGES))
    with safe_open("retrained.safetensors", "pt") as file:
        assert_equal_states(
            {name: file.get_tensor(name) for name in training.network.state_dict()},
            training.network.state_dict(),
        )
        assert file.metadata() == model_metadata(False, training.normalize)


def test_without_its_data_the_script_says_what_it_needs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py"])
    with pytest.raises(SystemExit):
        run_script(render_training_script(content_of({}, TABLE))).main()
    assert "data.safetensors is not there" in capsys.readouterr().err


def test_batches_that_are_augmented_one_by_one() -> None:
    content = content_of({"augment_crop_flip": "flip"}, IMAGES)
    assert "BATCHES_AT_ONCE" in render_training_script(content)
    text = render_training_script(content._replace(augmented_at_once=1))
    assert "BATCHES_AT_ONCE" not in text
    run_script(text).train(make_data(IMAGES), epochs=1)


def test_settings_are_those_of_the_chosen_options() -> None:
    config: Config = {"optimizer": "adam", "optimizer.adam.lr": 0.01, "optimizer.sgd.lr": 0.5}
    text = render_training_script(content_of(config, TABLE))
    assert "optimizer adam (lr 0.01)" in text
    assert "penalty" not in text and "placebo" not in text


def test_a_plain_configuration_is_about_a_page_and_names_what_it_uses() -> None:
    text = render_training_script(content_of({"optimizer": "sgd"}, IMAGES))
    assert len(text.splitlines()) < 170
    for word in ("identity", "no_penalty", "mixing", "scheduler", "average.", "training_factors"):
        assert word not in text, word
    assert "torch.optim.SGD(network.parameters(), lr=LEARNING_RATE, momentum=0.9)" in text


def test_template_names_are_reserved() -> None:
    """A name of a user's that a template binds would stand for something else."""
    cases: tuple[tuple[Config, Problem, str], ...] = (
        ({}, IMAGES, "mlp"),
        ({"augment_mix": "mixup", "schedule": "cosine", "penalty": "l2"}, IMAGES, "cnn"),
        ({"weight_average": "ema", "class_weight": "balanced"}, TABLE, "mlp"),
        ({"dropout": "dropout", "normalization": "standardize"}, REGRESSION, "mlp"),
    )
    texts = [render_training_script(content_of(*case)) for case in cases]
    templates = {"train", "main", "predict", "build_network", "block", "batches", "generator"}
    for text in texts:
        tree = ast.parse(text)
        bound = {
            node.id
            for each in tree.body
            if isinstance(each, ast.FunctionDef) and each.name in templates
            for node in ast.walk(each)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        assert bound <= TEMPLATE_NAMES
