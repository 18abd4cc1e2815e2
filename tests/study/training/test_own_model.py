"""A user's own model is given what it asks for; a wrong one is refused in one line."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe
from training_factors.search_spaces.space import named_space
from training_factors.study.training.model import open_model, try_model
from training_factors.study.training.network import Pointwise
from training_factors.study.training.own_model import (
    KEYWORDS,
    OwnModel,
    RepeatChannel,
    open_own_model,
    open_timm,
    open_torchvision,
)

TABLE = Problem((6,), 3, own_model=True)
REGRESSION = Problem((6,), None, own_model=True)
IMAGES = Problem((1, 8, 8), 10, own_model=True)
WIDE = Problem((3, 8, 12), 10, own_model=True)

WRONG = """
import torch
from torch import nn

number = 5
instance = nn.Linear(6, 3)

class Plain:
    pass

class Pair(nn.Linear):
    def __init__(self):
        super().__init__(6, 3)

    def forward(self, inputs):
        return super().forward(inputs), inputs

class PairInTraining(Pair):
    def forward(self, inputs):
        outputs = super().forward(inputs)
        return outputs if self.training else outputs[0]

class First(Pair):
    def forward(self, inputs):
        return super().forward(inputs)[0][:, 0]

class NeverReached(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(6, 3), nn.LazyLinear(3)

    def forward(self, inputs):
        return self.used(inputs)

def raises():
    raise KeyError("oops")

def raises_lines():
    raise RuntimeError("one\\ntwo\\nthree")

def wide(num_classes):
    return nn.Linear(6, num_classes + 1)

def needs(depth, num_classes, width=3):
    return nn.Linear(6, num_classes)

def nothing():
    return None

def meta():
    return nn.Linear(6, 3, device="meta")

def double():
    return nn.Linear(6, 3, dtype=torch.float64)

def meta_from_recipe(recipe):
    return nn.Linear(6, 3, device="meta")

def double_from_recipe(recipe):
    return nn.Linear(6, 3, dtype=torch.float64)

def frozen():
    return nn.Linear(6, 3).requires_grad_(False)

def empty():
    return nn.Sequential(nn.ReLU(), nn.Flatten())

def of_images(in_chans):
    return nn.Linear(in_chans, 3)

def of_tables(in_features):
    return nn.Linear(in_features, 3)

def part_without_default(act_layer):
    return nn.Sequential(act_layer(), nn.Linear(6, 3))

def positional(num_classes, /):
    return nn.Linear(6, num_classes)
"""

RIGHT = """
import random

import numpy
import torch
from torch import nn

def keep(
    num_classes=None, classes=None, in_chans=None, in_channels=None, in_features=None,
    input_shape=None, shape=None, img_size=None, image_size=None, act_layer=None, norm_layer=None,
    drop_rate=None, drop_path_rate=None, other="default", *arguments, **keywords,
):
    given = dict(locals())
    network = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
    network.given = given
    return network

def plain():
    return nn.Sequential(
        nn.Linear(6, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(), nn.Linear(4, 3)
    )

def mixed(act_layer=nn.ReLU):
    return nn.Sequential(nn.Linear(6, 4), nn.Tanh(), act_layer(inplace=True), nn.Linear(4, 3))

def reads(recipe, act_layer=None):
    network = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3))
    network.recipe, network.act_layer = recipe, act_layer
    return network

class Net(nn.Linear):
    def __init__(self, in_features, num_classes):
        super().__init__(in_features, num_classes)

class Factory:
    @staticmethod
    def build():
        return nn.Linear(6, 3)

def draws():
    network = nn.Linear(6, 3)
    network.drawn = torch.rand(()).item(), random.random(), numpy.random.random()
    return network

class LightningModule(nn.Module):
    pass

class Lit(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, inputs):
        return self.layer(inputs)
"""


def recipe(problem: Problem, **config: str) -> Recipe:
    space, _ = named_space("full").for_problem(problem)
    return space.build({**space.baseline(), **config}, problem)


def build(
    model: OwnModel, problem: Problem, given: Recipe | None = None, seed: int = 0
) -> nn.Module:
    weights, dropout = (torch.Generator().manual_seed(seed + part) for part in range(2))
    return model(given or recipe(problem), problem, weights, dropout)


def refusal(name: str, problem: Problem = TABLE) -> str:
    """Open and try a model as a study does; return the message with which it is refused."""
    with pytest.raises(ValueError) as caught:
        try_model(open_model(name, problem), recipe(problem), problem)
    (line,) = str(caught.value).splitlines()
    prefix = f"model {name!r} cannot be used: "
    assert line.startswith(prefix)
    return line.removeprefix(prefix)


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    (tmp_path / "right.py").write_text(RIGHT, encoding="utf-8")


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("number", "it is int, not a function or a class"),
        ("instance", "it is a network, and every run builds its own"),
        ("Plain", "class Plain is not an nn.Module"),
        ("absent", "wrong.py has no 'absent'; it has First, NeverReached"),
        ("raises", "KeyError: 'oops'"),
        ("raises_lines", "RuntimeError: one"),
        ("nothing", "it returns NoneType, not an nn.Module"),
        ("wide", "its outputs have the shape (2, 4) for 2 samples, not (2, 3)"),
        ("First", "its outputs have the shape (2,) for 2 samples, not (2, 3)"),
        ("Pair", "it returns a tuple, not a tensor"),
        ("PairInTraining", "it returns a tuple, not a tensor"),
        ("NeverReached", "unused.weight has no shape, since no input reaches its lazy module"),
        ("needs", "it needs arguments that a study does not have: depth; give them defaults"),
        ("positional", "TypeError: positional() got some positional-only arguments"),
        ("part_without_default", "its argument act_layer needs a default"),
        ("meta", "weight is on meta; build the network on the CPU"),
        ("double", "weight is float64; build the network in float32"),
        ("meta_from_recipe", "weight is on meta; build the network on the CPU"),
        ("double_from_recipe", "weight is float64; build the network in float32"),
        ("frozen", "it has no parameters to train"),
        ("empty", "it has no parameters to train"),
        ("of_images", "its argument in_chans needs images"),
    ],
)
def test_a_wrong_model_is_refused_in_one_line(name: str, words: str) -> None:
    assert words in refusal(f"wrong.py:{name}")


@pytest.mark.parametrize(
    ("name", "problem", "words"),
    [
        ("wrong.py:of_tables", IMAGES, "its argument in_features needs a table"),
        ("absent.py:build", TABLE, "No such file or directory: 'absent.py'"),
        ("no_such_package.module:build", TABLE, "No module named 'no_such_package'"),
        ("wrong.py:", TABLE, "is not of the form package.module:name or file.py:name"),
        ("torch.nn:Linear", TABLE, "it needs arguments that a study does not have: out_features"),
        ("torchvision:resnet81", IMAGES, "did you mean torchvision:resnet18?"),
        ("torchvision:zzz", IMAGES, "torchvision has no classifier 'zzz'; see torchvision's list"),
        ("torchvision:fasterrcnn_resnet50_fpn", IMAGES, "torchvision has no classifier"),
        ("torchvision:resnet18", TABLE, "torchvision's models need images"),
        ("timm:resnet18", TABLE, "timm's models need images"),
    ],
)
def test_a_wrong_name_is_refused_in_one_line(name: str, problem: Problem, words: str) -> None:
    assert words in refusal(name, problem)


def test_a_file_that_cannot_be_read_as_python_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def build(:", encoding="utf-8")
    assert refusal("broken.py:build").startswith("SyntaxError: ")


def kept(problem: Problem, **config: str) -> dict[str, object]:
    """The arguments that a function is given which takes every keyword but `recipe`."""
    network = build(open_own_model("right.py:keep", problem), problem, recipe(problem, **config))
    given = network.given
    assert isinstance(given, dict)
    return given


PARTS = {name for name, keyword in KEYWORDS.items() if keyword.part is not None}
"""The keywords that bring a part of the recipe."""


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (
            IMAGES,
            {"num_classes": 10, "classes": 10, "in_chans": 1, "in_channels": 1,
             "in_features": None, "input_shape": (1, 8, 8), "shape": (1, 8, 8), "img_size": 8,
             "image_size": 8},
        ),
        (
            WIDE,
            {"num_classes": 10, "classes": 10, "in_chans": 3, "in_channels": 3,
             "in_features": None, "input_shape": (3, 8, 12), "shape": (3, 8, 12),
             "img_size": (8, 12), "image_size": (8, 12)},
        ),
        (
            REGRESSION,
            {"num_classes": 1, "classes": None, "in_chans": None, "in_channels": None,
             "in_features": 6, "input_shape": (6,), "shape": (6,), "img_size": None,
             "image_size": None},
        ),
    ],
)  # fmt: skip
def test_keywords_describe_the_data(problem: Problem, expected: dict[str, object]) -> None:
    given = kept(problem)
    others = {"other", "arguments", "keywords", "generator"}
    assert {name: given[name] for name in set(given) - PARTS - others} == expected
    assert (given["other"], given["arguments"], given["keywords"]) == ("default", (), {})
    assert set(given) - others == set(KEYWORDS) - {"recipe", "generator"}


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_parts_that_stay_unchanged_keep_the_defaults_of_the_function() -> None:
    given = kept(IMAGES)
    for name in ("act_layer", "norm_layer", "drop_rate"):
        assert given[name] is None


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_keywords_bring_the_parts_of_the_recipe() -> None:
    given = kept(IMAGES, activation="tanh", batch_norm="group", dropout="dropout")
    act_layer, norm_layer = given["act_layer"], given["norm_layer"]
    assert callable(act_layer) and callable(norm_layer)
    activation = act_layer(inplace=True)
    assert isinstance(activation, Pointwise) and activation.function is torch.tanh
    assert isinstance(norm_layer(16, 1e-5, affine=True), nn.GroupNorm)
    assert given["drop_rate"] == 0.2
    assert kept(IMAGES, dropout="none")["drop_rate"] == 0.0


@pytest.mark.parametrize(
    ("problem", "kind"), [(IMAGES, nn.BatchNorm2d), (TABLE, nn.BatchNorm1d)]
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_norm_layer_fits_the_data(problem: Problem, kind: type[nn.Module]) -> None:
    norm_layer = kept(problem, batch_norm="batch")["norm_layer"]
    assert callable(norm_layer) and type(norm_layer(8)) is kind


def test_surgery_reaches_what_no_keyword_does() -> None:
    given = recipe(TABLE, activation="silu")
    model = open_own_model("right.py:mixed", TABLE)
    network = build(model, TABLE, given)
    assert [type(module) for module in network.children()] == [
        nn.Linear, nn.Tanh, Pointwise, nn.Linear,
    ]  # fmt: skip
    assert model.reach(given, TABLE) == {
        "activation": "keyword act_layer", "initialize": "2 modules",
    }  # fmt: skip
    everything = open_own_model("right.py:plain", TABLE)
    assert everything.reach(recipe(TABLE), TABLE) == {
        "activation": "1 module", "dropout": "1 module", "norm": "1 module",
        "initialize": "2 modules",
    }  # fmt: skip


def test_a_function_that_reads_the_recipe_is_left_alone_by_surgery() -> None:
    model = open_own_model("right.py:reads", TABLE)
    given = recipe(TABLE, activation="tanh", initialization="zeros")
    network = build(model, TABLE, given)
    assert model.reads_recipe and model.reach(given, TABLE) == {}
    kept_values = vars(network)
    assert kept_values["recipe"] is given and callable(kept_values["act_layer"])
    assert isinstance(network.get_submodule("1"), nn.ReLU)
    assert network.get_parameter("0.weight").any()


def test_a_class_is_its_own_function() -> None:
    network = build(open_own_model("right.py:Net", TABLE), TABLE)
    assert network.get_parameter("weight").shape == (3, 6)


def test_a_name_may_have_dots() -> None:
    assert isinstance(build(open_own_model("right.py:Factory.build", TABLE), TABLE), nn.Linear)


def test_a_file_is_found_in_its_folder_with_the_modules_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "beside_this_model.py").write_text("WIDTH = 3", encoding="utf-8")
    (folder / "model.py").write_text(
        "import beside_this_model\nfrom torch import nn\n"
        "def build():\n    return nn.Linear(6, beside_this_model.WIDTH)",
        encoding="utf-8",
    )
    for name in ("models/model.py:build", f"{folder}/model.py:build"):
        assert isinstance(build(open_own_model(name, TABLE), TABLE), nn.Linear)


def test_a_module_of_the_current_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "module_of_this_test.py").write_text(RIGHT, encoding="utf-8")
    model = open_own_model("module_of_this_test:plain", TABLE)
    assert isinstance(build(model, TABLE), nn.Sequential)


def test_a_model_draws_from_generators_seeded_by_the_run() -> None:
    model = open_own_model("right.py:draws", TABLE)
    first, again, other = (build(model, TABLE, seed=seed) for seed in (1, 1, 2))
    assert first.drawn == again.drawn and torch.equal(weights_of(first), weights_of(again))
    assert isinstance(first.drawn, tuple) and isinstance(other.drawn, tuple)
    assert all(one != two for one, two in zip(first.drawn, other.drawn, strict=True))
    assert not torch.equal(weights_of(first), weights_of(other))


def weights_of(network: nn.Module) -> torch.Tensor:
    return network.get_parameter("weight")


def test_building_a_model_leaves_the_global_generators_alone() -> None:
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()
    given = recipe(TABLE, initialization="he_normal")
    build(open_own_model("right.py:draws", TABLE), TABLE, given)
    assert torch.equal(torch.get_rng_state(), states[0]) and random.getstate() == states[1]
    assert str(np.random.get_state()) == str(states[2])


def test_unchanged_is_the_model_as_its_function_builds_it() -> None:
    model = open_own_model("right.py:plain", TABLE)
    torch.manual_seed(4)
    expected = model.make()
    assert isinstance(expected, nn.Module)
    network = build(model, TABLE, seed=4)
    assert str(network) == str(expected)
    state = expected.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_a_lightning_module_has_a_note() -> None:
    (note,) = open_own_model("right.py:Lit", TABLE).notes
    assert "its forward counts, not its training_step" in note
    assert open_own_model("right.py:Net", TABLE).notes == ()


def test_torchvision_models_are_classifiers_without_weights() -> None:
    for problem in (IMAGES, WIDE):
        model = open_torchvision("resnet18")
        network = build(model, problem)
        repeats = [module for module in network.modules() if isinstance(module, RepeatChannel)]
        assert len(repeats) == (problem is IMAGES)
        assert network(torch.rand(2, *problem.shape)).shape == (2, 10)
    again = build(model, WIDE)
    assert all(
        torch.equal(one, two)
        for one, two in zip(network.parameters(), again.parameters(), strict=True)
    )


def test_grey_images_are_shown_in_three_channels() -> None:
    grey = torch.rand(2, 1, 4, 4)
    colour = RepeatChannel()(grey)
    assert colour.shape == (2, 3, 4, 4) and torch.equal(colour, torch.cat([grey] * 3, dim=1))


def test_timm_models_are_built_by_name_without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("timm")
    problem = Problem((1, 32, 32), 5, own_model=True)
    for name in ("test_resnet", "test_resnet.r160_in1k"):  # what follows the dot names weights
        network = build(open_timm(name), problem)
        assert network(torch.rand(2, 1, 32, 32)).shape == (2, 5)
    assert "did you mean timm:test_resnet?" in refusal("timm:test_resnett", problem)
    monkeypatch.setitem(sys.modules, "timm", None)
    assert "timm is not installed; pip install" in refusal("timm:test_resnet", problem)
