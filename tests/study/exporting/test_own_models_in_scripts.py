"""train.py builds a user's own model, and those of libraries, as a study does."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy
import pytest
import torchvision

from tests.study.exporting.test_training_script import as_tuple, assert_equal_states
from tests.support.scripts import Data, content_of, make_data, run_script, train_here
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import Config
from training_factors.study.exporting.own_network import own_model_module
from training_factors.study.exporting.training_script import (
    ScriptContent,
    render_training_script,
)
from training_factors.study.training import loop

IMAGES = Problem((3, 8, 8), 4)
GREY = Problem((1, 8, 8), 4)
TABLE = Problem((6,), 3)

MODELS = """
import random

import numpy
import torch
from torch import nn


class Surgery(nn.Module):
    def __init__(self, num_classes, in_chans):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.features = nn.Sequential(
            nn.Conv2d(in_chans, 8, 3, padding=1), nn.BatchNorm2d(8), self.relu, nn.Dropout(0.1),
            nn.Conv2d(8, 12, 3, padding=1), nn.BatchNorm2d(12), self.relu, nn.MaxPool2d(2),
        )
        self.head = nn.LazyLinear(num_classes)

    def forward(self, inputs):
        return self.head(self.features(inputs).flatten(1))


class Backwards(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.last, self.first = nn.Linear(8, classes), nn.Linear(6, 8)
        self.unused, self.gate = nn.ReLU(), nn.LeakyReLU()
        self.norm, self.other = nn.LayerNorm(8), nn.BatchNorm1d(8)

    def forward(self, rows):
        return self.last(self.norm(self.gate(self.other(self.first(rows)))))


class Tokens(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.attend = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.head = nn.Linear(8, num_classes)

    def forward(self, images):
        return self.head(self.attend(images.flatten(1, 2).view(len(images), -1, 8)).mean(1))


def keywords(num_classes, shape, act_layer=nn.ReLU, norm_layer=nn.BatchNorm2d, drop_rate=0.0,
             generator=None):
    return nn.Sequential(
        nn.Conv2d(shape[0], 8, 3), norm_layer(8), act_layer(inplace=True), nn.Dropout(drop_rate),
        nn.Flatten(), nn.Linear(8 * (shape[1] - 2) * (shape[2] - 2), num_classes),
    )


class Draws(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.layer, self.scale = nn.Linear(6, num_classes), random.random() + numpy.random.random()

    def forward(self, rows):
        noise = random.random() + numpy.random.random() if self.training else 0
        return self.layer(nn.functional.dropout(rows, 0.2, self.training)) * self.scale + noise


def from_recipe(recipe):
    return nn.Linear(6, 3)
"""

FULL: Config = {
    "optimizer": "adam", "batch_norm": "layer", "activation": "elu", "dropout": "dropout",
    "initialization": "he_normal", "normalization": "standardize",
}  # fmt: skip


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nets.py").write_text(MODELS, encoding="utf-8")
    monkeypatch.setattr(loop, "batches_at_once", lambda size, inputs: 2)


def module_of(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compare(content: ScriptContent, data: Data, **also: Any) -> str:
    """Train in both ways, compare the weights, and return the script."""
    text = render_training_script(content)
    own = {"nets": module_of(Path("nets.py")), **also}
    network, *_ = as_tuple(run_script(text, also=own).train(data, content.epochs))
    ours = train_here(content, data).average.network()
    assert_equal_states(network.state_dict(), ours.state_dict())
    return text


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize("norm", ["unchanged", "batch", "layer", "group", "none"])
def test_replaced_modules_are_written(norm: str) -> None:
    config = {**FULL, "batch_norm": norm}
    text = compare(content_of(config, IMAGES, "nets.py:Surgery", epochs=1), make_data(IMAGES))
    assert "network.set_submodule(path, " in text


@pytest.mark.parametrize("model", ["nets.py:Surgery", "nets.py:keywords", "nets.py:Tokens"])
@pytest.mark.filterwarnings("ignore:Lazy modules", "ignore:enable_nested_tensor")
def test_a_model_that_stays_as_it_is(model: str) -> None:
    text = compare(content_of({}, IMAGES, model, epochs=1), make_data(IMAGES))
    assert "set_submodule" not in text
    assert "GAIN" not in text


def test_layers_are_initialized_in_the_order_in_which_they_run() -> None:
    config = {**FULL, "batch_norm": "group"}
    text = compare(content_of(config, TABLE, "nets.py:Backwards", epochs=1), make_data(TABLE))
    assert 'paths = ["first", "last"]' in text


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_norms_of_tokens(norm: str) -> None:
    config = {**FULL, "batch_norm": norm}
    text = compare(content_of(config, IMAGES, "nets.py:Tokens", epochs=1), make_data(IMAGES))
    assert "FeaturesLast(" in text
    assert "set_fastpath_enabled(False)" in text


def test_keywords_become_arguments_of_the_call() -> None:
    text = compare(content_of(FULL, IMAGES, "nets.py:keywords", epochs=1), make_data(IMAGES))
    assert "drop_rate=0.2" in text
    assert "shape=(3, 8, 8)" in text


def test_a_model_that_draws_from_the_global_generators_is_seeded() -> None:
    text = compare(content_of({}, TABLE, "nets.py:Draws"), make_data(TABLE), numpy=numpy)
    assert "numpy.random.seed" in text


def test_a_model_that_takes_the_recipe_is_refused() -> None:
    with pytest.raises(ValueError, match="let it take act_layer"):
        render_training_script(content_of({}, TABLE, "nets.py:from_recipe"))


def test_a_model_of_torchvision() -> None:
    content = content_of({**FULL, "activation": "gelu"}, GREY, "torchvision:resnet18", epochs=1)
    text = compare(content, make_data(GREY, 64), torchvision=torchvision)
    assert "isinstance(module, nn.BatchNorm2d)" in text


def test_a_model_of_timm() -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    content = content_of(FULL, GREY, "timm:test_resnet", epochs=1)
    text = compare(content, make_data(GREY, 64), timm=timm)
    assert "timm.create_model(" in text


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("nets.py:Net", "nets"),
        ("folder/my-net.py:Net", "my_net"),
        ("train.py:Net", "train_model"),
        ("json.py:Net", "json_model"),
        ("2d.py:Net", "model_2d"),
    ],
)
def test_the_copy_of_a_model_has_a_name_that_can_be_imported(name: str, module: str) -> None:
    assert own_model_module(name) == module
