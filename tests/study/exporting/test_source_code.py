"""Functions of this package and of the user's files are written as source that runs by itself."""

import ast
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy
import pytest
import torch

from tests.study.exporting.test_training_script import assert_equal_states, same_weights
from tests.support.scripts import content_of, make_data, run_script, train_here
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.factors.augment_crop_flip import random_crop
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.registry import known_factors
from training_factors.search_spaces.user_code import import_module
from training_factors.study.exporting.line_wrapping import wrap_long_lines
from training_factors.study.exporting.module_source import Import, Target
from training_factors.study.exporting.source_code import (
    SourceCode,
    collect_source,
    import_block,
    short_name,
)
from training_factors.study.exporting.source_trimming import trimmed
from training_factors.study.exporting.training_script import (
    IMPORTS,
    TEMPLATE_NAMES,
    render_training_script,
)

TABLE = Problem((6,), 3)
IMAGES = Problem((1, 8, 8), 3)

FACTORS_FILE = '''
from __future__ import annotations

import math as m
import torch.nn.functional as F
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn, optim

from training_factors import Factor, Uniform

LIMITS = (-2.0, 2.0)
"""Bounds of the gate."""


def train(inputs: Tensor) -> Tensor:
    """Return inputs within limits; its name is one that scripts have, too."""
    return inputs.clamp(*LIMITS)


def gate(inputs: Tensor, *, slope: float) -> Tensor:
    return F.softplus(train(inputs) * slope) / m.pi


def gated(recipe, slope: Annotated[float, Uniform(0.5, 2.0)] = 1.0):
    """Use a gate."""
    function = partial(gate, slope=slope)
    return replace(recipe, activation=recipe.activation._replace(function=function))


class Centre(nn.Module):
    """Subtracts the mean of the features."""

    def __init__(self, features: int, rate: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.rate = rate

    def forward(self, inputs: Tensor) -> Tensor:
        return self.weight * (inputs - self.rate * inputs.mean(1, keepdim=True))


def centre(features: int, axes: int, rate: float) -> nn.Module:
    return Centre(features, rate)


def centred(recipe):
    """Subtract means."""
    return replace(recipe, norm=partial(centre, rate=0.5))


class Sgd(optim.SGD):
    """Descends with a step of its own size."""


def descend(network: nn.Module, *, lr: float):
    return Sgd(list(network.parameters()), lr=lr * np.exp(0.0))


def own(recipe):
    """Descend."""
    return replace(recipe, optimizer=partial(descend, lr=0.05))


class Average:
    """Keeps the last weights."""

    def __init__(self, trained: nn.Module) -> None:
        self.trained = trained

    def update(self) -> None:
        pass

    def network(self) -> nn.Module:
        return self.trained


def last(recipe):
    """Evaluate the last weights."""
    return replace(recipe, average=Average)


def keep(recipe):
    """Keep all as it is."""
    return recipe


@dataclass(frozen=True)
class Shift:
    by: Tensor
    factor: float
    name: str

    def __call__(self, inputs: Tensor) -> Tensor:
        return (inputs - self.by) * self.factor


def fit_shift(inputs: Tensor, name: str) -> Shift:
    return Shift(inputs.mean(0), float(inputs.max()), name)


def shift(recipe):
    """Shift inputs by their mean."""
    return replace(recipe, normalize=partial(fit_shift, name="mean"))


def scale(inputs, by, of):
    return inputs * by


def fit_scale(inputs):
    return partial(scale, by=1 / inputs.std(0), of="std")


def scaled(recipe):
    """Scale inputs by their deviation."""
    return replace(recipe, normalize=fit_scale)


def fit_closure(inputs):
    mean = inputs.mean()
    return lambda batch: batch - mean


def closure(recipe):
    """Subtract the mean in a closure."""
    return replace(recipe, normalize=fit_closure)


def inline(recipe):
    """Use a lambda."""
    return replace(recipe, clip=lambda parameters: None)


FACTORS = [
    Factor("my_gate", topic="mine", options=(keep, gated)),
    Factor("my_norm", topic="mine", options=(keep, centred)),
    Factor("my_optimizer", topic="mine", options=(keep, own)),
    Factor("my_average", topic="mine", options=(keep, last)),
    Factor("my_scale", topic="mine", options=(keep, shift, scaled, closure)),
    Factor("my_clip", topic="mine", options=(keep, inline)),
]
'''


@pytest.fixture
def factors(tmp_path: Path) -> tuple[Factor, ...]:
    (tmp_path / "mine.py").write_text(FACTORS_FILE, encoding="utf-8")
    return tuple(each for each in known_factors(["mine.py"]) if each.source)


def collected(*values: object) -> SourceCode:
    return collect_source(values, TEMPLATE_NAMES, IMPORTS)


def run(code: SourceCode, expression: str) -> object:
    body = "\n\n".join([*code.definitions, f"result = {expression}"])
    names = {target: name for name, target in IMPORTS.items()} | dict(code.names)
    return run_script(f"{import_block(names, body)}\n\n{body}\n").result


def test_factors_of_a_users_file(factors: tuple[Factor, ...]) -> None:
    config = {
        "my_gate": "gated", "my_norm": "centred", "my_optimizer": "own", "my_average": "last",
        "my_scale": "shift", "initialization": "he_normal", "residual": "residual",
    }  # fmt: skip
    content = content_of({**config}, TABLE, factors=factors)
    text = render_training_script(content)
    network, _ = run_script(text, also={"numpy": numpy}).train(make_data(TABLE))
    assert_equal_states(
        network.state_dict(), train_here(content, make_data(TABLE)).network.state_dict()
    )
    for words in ("def train_2(", "train_2(inputs)", "import math as m", "Average(network)"):
        assert words in text


@pytest.mark.parametrize("option", ["shift", "scaled"])
def test_normalizations_of_a_users_file(factors: tuple[Factor, ...], option: str) -> None:
    config = {"my_scale": option, "initialization": "he_normal"}
    content = content_of({**config}, TABLE, factors=factors)
    same_weights(content, make_data(TABLE))
    statistics = {
        "shift": '{"by": normalize.by.tolist(), "factor": normalize.factor}',
        "scaled": '{"by": normalize.keywords["by"].tolist()}',
    }
    assert f"statistics = {statistics[option]}" in render_training_script(content)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"my_scale": "closure"}, "fit_closure.<locals>.<lambda>.*functools.partial"),
        ({"my_clip": "inline"}, "inline.<locals>.<lambda>.*define it with def"),
    ],
)
def test_what_has_no_name_is_refused_in_one_line(
    factors: tuple[Factor, ...], config: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        render_training_script(content_of({**config}, TABLE, factors=factors))
    assert "\n" not in str(caught.value)


def test_a_factor_without_a_file_is_refused() -> None:
    console = ModuleType("console")
    exec("def clip(parameters): pass", console.__dict__)
    console.__dict__["clip"].__module__ = "console"
    with pytest.raises(ValueError, match="clip of console cannot be written into a script"):
        collected(console.__dict__["clip"])


def test_two_functions_of_one_name(tmp_path: Path) -> None:
    for number in (1, 2):
        text = f"def _scale(x):\n    return x * {number}\n\ndef first(x):\n    return _scale(x)\n"
        (tmp_path / f"part{number}.py").write_text(text, encoding="utf-8")
    one, two = (import_module(f"part{number}.py") for number in (1, 2))
    code = collected(one.first, two.first)
    assert run(code, f"({code.call(one.first, '5')}, {code.call(two.first, '5')})") == (5, 10)


def test_a_name_stays_where_a_local_variable_has_the_plain_one(tmp_path: Path) -> None:
    text = (
        "def _grey(x):\n    return x + 1\n\ndef first(x):\n    grey = _grey(x)\n    return grey\n"
    )
    (tmp_path / "grey.py").write_text(text, encoding="utf-8")
    first = import_module("grey.py").first
    assert run(collected(first), "first(1)") == 2


def test_values_become_expressions() -> None:
    tensor = torch.tensor([[1.5, 2.0]])
    value = (1, 2.5, "a\n", None, [True], {"k": float("inf")}, tensor, torch.float64)
    made = run(collected(value), collected(value).expression(value))
    assert isinstance(made, tuple)
    assert made[:6] == value[:6]
    assert made[6].equal(tensor) and made[7] is torch.float64


def test_partials_and_calls() -> None:
    held = partial(random_crop, padding=0.1)
    code = collected(held)
    assert code.expression(held) == "partial(random_crop, padding=0.1)"
    assert code.call(held, "images", "draws") == "random_crop(images, draws, padding=0.1)"
    assert code.call(held, "images", named={"padding": "P"}) == "random_crop(images, padding=P)"
    assert code.call(partial(held, 3), "draws", without=["padding"]) == "random_crop(3, draws)"


def test_names_of_torch_are_short() -> None:
    made = (torch.nn.BatchNorm1d, torch.sigmoid, torch.nn.functional.gelu, torch.optim.SGD, len)
    assert list(map(short_name, made)) == [
        "nn.BatchNorm1d", "torch.sigmoid", "functional.gelu", "torch.optim.SGD", "len",
    ]  # fmt: skip


def test_imports_are_those_that_are_used_the_standard_library_first() -> None:
    names: dict[Target, str] = {Import(name, None): name for name in ("torch", "math", "os")}
    names[Import("torch", "nn")] = "layers"
    text = "x = math.pi + torch.pi\ny = layers"
    assert import_block(names, text) == (
        "import math\n\nimport torch\nfrom torch import nn as layers"
    )


def test_trimming_keeps_the_first_paragraph_and_plain_annotations() -> None:
    text = (
        "def f(a: Alias, b: int) -> Alias:  # type: ignore[misc]\n"
        '    """Do it.\n\n    Long.\n    """\n'
        "    return a  # fmt: skip"
    )
    assert trimmed(text, {"Alias"}) == 'def f(a, b: int):\n    """Do it."""\n    return a'


@pytest.mark.parametrize(
    "line",
    [
        "x = f(" + ", ".join(f"argument_{i}=value_{i}" for i in range(9)) + ")",
        "x = [" + ", ".join(f'"a.b.c{i}"' for i in range(30)) + "]",
        "def f(" + ", ".join(f"a{i}: int" for i in range(12)) + ") -> tuple[int, str]: pass",
        "x = {name: value.contiguous().clone() for name, value in other_name."
        + "a" * 20
        + "().items()}",
    ],
)
def test_long_lines_are_broken_at_commas(line: str) -> None:
    wrapped = wrap_long_lines(line)
    assert max(map(len, wrapped.splitlines())) <= 100
    assert ast.dump(ast.parse(wrapped)) == ast.dump(ast.parse(line))
