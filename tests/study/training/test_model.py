"""Trying a model finds a memory order that it takes, and refuses one that is not seeded."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe, default_recipe
from training_factors.search_spaces.space import named_space
from training_factors.study.data.division import DataPart
from training_factors.study.training.loop import batches, predict, train_step
from training_factors.study.training.model import Model, try_model
from training_factors.study.training.own_model import OwnModel
from training_factors.study.training.training_state import start_training

IMAGES = Problem((2, 8, 8), 3)


class Viewing(nn.Module):
    """Flattens by `view`, which needs the usual order in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(256, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.last(self.first(inputs).view(len(inputs), -1))
        return outputs


class Volume(nn.Module):
    """Has a parameter of five axes, for which there is no channels-last order."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv3d(1, 4, (2, 3, 3)), nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.last(self.first(inputs.unsqueeze(1)).mean((2, 3, 4)))
        return outputs


class Plain(nn.Module):
    """Takes any order in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(2, 4, 3), nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.last(self.first(inputs).mean((2, 3)))
        return outputs


class Unseeded(Plain):
    """Draws from a generator of its own, which goes on from one run to the next."""

    generator = torch.Generator()

    def forward(self, inputs: Tensor) -> Tensor:
        noise = torch.randn(inputs.shape, generator=self.generator)
        return super().forward(inputs + noise)


class Detached(Plain):
    """Its outputs do not depend on its parameters."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs).detach()


def recipe() -> Recipe:
    problem = IMAGES._replace(own_model=True)
    space, _ = named_space("documented").for_problem(problem)
    return space.build(space.baseline(), problem)


def model(make: Callable[[], nn.Module]) -> Model:
    own = OwnModel("mine", make, ())
    return Model("mine", own, own)


@pytest.mark.parametrize(
    ("make", "memory_format"),
    [
        (Viewing, torch.contiguous_format),
        (Volume, torch.contiguous_format),
        (Plain, torch.channels_last),
    ],
)
def test_a_model_is_trained_in_a_memory_order_that_it_takes(
    make: Callable[[], nn.Module], memory_format: torch.memory_format
) -> None:
    tried = try_model(model(make), recipe(), IMAGES)
    assert tried.memory_format == memory_format
    inputs = torch.randint(0, 256, (64, 2, 8, 8), dtype=torch.uint8)
    part = DataPart(inputs, torch.arange(64) % 3)
    training = start_training(recipe(), part, IMAGES, tried, 1, seed=0)
    assert train_step(training, *next(batches(training))).isfinite()
    assert predict(training, inputs).shape == (64, 3)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Unseeded, "the same seed gives other outputs"),
        (Detached, "its outputs depend on no parameter that is trained"),
    ],
)
def test_a_model_that_cannot_be_repeated_or_trained_is_refused(
    make: Callable[[], nn.Module], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        try_model(model(make), recipe(), IMAGES)


def test_parts_that_no_factor_sets_stay_as_the_model_has_them() -> None:
    """Without its factor a recipe has no normalization and zero weights."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(128, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    kept = model(lambda: network).keeping({"norm", "initialize", "activation", "dropout"})
    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]
    before = network.state_dict()
    built = kept(default_recipe(IMAGES), IMAGES, *generators)
    assert all(tensor.equal(before[name]) for name, tensor in built.state_dict().items())
    assert isinstance(built.get_submodule("2"), nn.BatchNorm1d)
