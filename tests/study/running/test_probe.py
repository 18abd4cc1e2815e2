"""The probe leaves out what does not act on a model, and options that it cannot be built with."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe
from training_factors.search_spaces.space import Space, named_space
from training_factors.study.data.dataset import Dataset
from training_factors.study.data.sources import load_dataset
from training_factors.study.running.probe import NO_EFFECT, probe_space
from training_factors.study.training.model import Model
from training_factors.study.training.own_model import OwnModel

MODEL_FACTORS = {
    "activation", "dropout", "batch_norm", "initialization", "residual", "stochastic_depth",
    "depth", "width",
}  # fmt: skip


@pytest.fixture(scope="module")
def wine() -> Dataset:
    return load_dataset("wine")


class Functional(nn.Module):
    """Its activation and dropout are functions, which surgery cannot replace."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(13, 8), nn.Linear(8, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.last(nn.functional.dropout(relu(self.first(inputs)), 0.1))
        return outputs


class OnlyLayerNorm(nn.Module):
    """Needs a normalization layer with a learned weight, which `none` does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.last = nn.BatchNorm1d(13), nn.Linear(13, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.last(self.norm(inputs) * self.norm.weight)
        return outputs


def reading(recipe: Recipe) -> nn.Module:
    """Read the activation and, only if there is a shortcut, the depth."""
    blocks = recipe.depth(2) if "Residual" in str(recipe.shortcut) else 1
    network = nn.Sequential(nn.Linear(13, 8))
    for _ in range(blocks):
        network.append(nn.Linear(8, 8)).append(recipe.norm(8, 0))
    network.append(nn.Linear(8, 3))
    for layer in network:
        if isinstance(layer, nn.Linear):
            recipe.initialize(layer, 1.0, torch.Generator().manual_seed(0))
    return network


def probed(make: object, wine: Dataset, *extra: Factor) -> tuple[Space, dict[str, str]]:
    keywords = ("recipe",) if make is reading else ()
    own = OwnModel("mine", make, keywords)  # type: ignore[arg-type]
    problem = wine.problem._replace(own_model=make is not reading)
    space, _ = named_space("full").for_problem(problem)
    space = replace(space, factors=(*space.factors, *extra))
    found, left_out = probe_space(space, Model("mine", own, own), wine)
    return found, dict(left_out)


def acting(space: Space) -> set[str]:
    return {factor.name for factor in space.factors} & MODEL_FACTORS


def test_factors_without_modules_are_left_out(wine: Dataset) -> None:
    space, left_out = probed(Functional, wine)
    assert acting(space) == {"initialization"}
    assert left_out == dict.fromkeys(MODEL_FACTORS - {"initialization"}, NO_EFFECT)


def test_options_that_fail_are_left_out_with_the_reason(wine: Dataset) -> None:
    space, left_out = probed(OnlyLayerNorm, wine)
    names = [option.name for option in space.factor("batch_norm").options]
    assert names == ["unchanged", "batch", "layer", "group"]
    assert "AttributeError" in left_out["batch_norm.none"]


def test_a_factor_may_act_only_together_with_another_one(wine: Dataset) -> None:
    space, left_out = probed(reading, wine)
    assert acting(space) == {"batch_norm", "depth", "initialization", "residual"}
    assert left_out.keys() == MODEL_FACTORS - acting(space)


def idle(recipe: Recipe) -> Recipe:
    """Change nothing."""
    return replace(recipe, loss=lambda *arguments, **named: recipe.loss(*arguments, **named))


def doubled(recipe: Recipe) -> Recipe:
    """Double the loss."""
    return replace(recipe, loss=lambda *arguments, **named: 2 * recipe.loss(*arguments, **named))


def plain(recipe: Recipe) -> Recipe:
    """Leave the loss as it is."""
    return recipe


@pytest.mark.parametrize(("option", "acts"), [(idle, False), (doubled, True)])
def test_a_factor_of_the_users_own_has_to_change_the_steps(
    wine: Dataset, option: object, acts: bool, tmp_path: Path
) -> None:
    mine = Factor("mine", topic="loss", options=(plain, option), source="mine.py")  # type: ignore[arg-type]
    space, left_out = probed(Functional, wine, mine)
    assert ("mine" in {factor.name for factor in space.factors}) == acts
    assert ("mine" in left_out) != acts
    assert {"loss", "class_weight"} <= {factor.name for factor in space.factors}


class Overwriting(nn.Module):
    """Its function overwrites what most activations, but not its own, need for gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.activation, self.last = nn.Linear(13, 8), nn.SiLU(), nn.Linear(8, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.activation(self.first(inputs))
        outputs: Tensor = self.last(nn.functional.dropout(hidden, 0.1, self.training, inplace=True))
        return outputs


def test_an_option_whose_gradients_fail_is_left_out(wine: Dataset) -> None:
    _, left_out = probed(Overwriting, wine)
    assert "inplace operation" in left_out["activation.sigmoid"]
    assert "activation.gelu" not in left_out
