"""Steps and batches, also what a GPU needs of them: no waiting, constant shapes and addresses."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from training_factors.search_spaces import flat_parameters
from training_factors.search_spaces.flat_parameters import flatten_parameters
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe
from training_factors.search_spaces.space import named_space
from training_factors.study.data.division import DataPart, Division, training_division
from training_factors.study.data.options import DataOptions
from training_factors.study.data.sources import load_dataset
from training_factors.study.training import loop
from training_factors.study.training.loop import batches, train, train_epoch, train_step
from training_factors.study.training.model import open_model
from training_factors.study.training.training_state import Training, start_training

CPU = torch.device("cpu")
GOOD: dict[str, Any] = {"initialization": "he_normal", "optimizer": "adam", "residual": "residual"}
DRAWING = {
    "augment_geometry": "affine", "augment_color": "jitter", "augment_corruption": "noise",
    "augment_mix": "mixup", "dropout": "dropout", "batch_norm": "batch", "gradient_clip": "norm",
    "penalty": "l2", "schedule": "cosine", "weight_average": "ema",
}  # fmt: skip
WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal", "is_nonzero")
"""Operations that wait for the GPU, since the program needs their result or its shape."""


@pytest.fixture(scope="module")
def digits() -> Division:
    return training_division(load_dataset("digits", DataOptions(limit=500)), 0, CPU)


def recipe(data: Division, **config: Any) -> Recipe:
    space, _ = named_space("full").for_problem(data.problem)
    return space.build({**space.baseline(), **GOOD, **config}, data.problem)


def started(data: Division, model: str = "cnn", **config: Any) -> Training:
    builder = open_model(model, data.problem)
    return start_training(recipe(data, **config), data.pool, data.problem, builder, 3, seed=0)


FACTORS = named_space("full").for_problem(Problem((3, 8, 8), 4))[0].factors
OPTIONS = [(factor.name, option.name) for factor in FACTORS for option in factor.options]
OPTIMIZERS = [option for factor, option in OPTIONS if factor == "optimizer"]


class Operations(TorchDispatchMode):
    """Records the operations that are called, with the shapes of their results."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[str, tuple[int, ...] | None]] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: Any = (), named: Any = None
    ) -> Any:
        result = function(*arguments, **(named or {}))
        shape = tuple(result.shape) if isinstance(result, Tensor) else None
        self.calls.append((function.__name__.partition(".")[0], shape))
        return result


@pytest.mark.parametrize(("factor", "option"), OPTIONS)
def test_steps_do_not_wait_and_have_constant_shapes(
    digits: Division, factor: str, option: str
) -> None:
    training = started(digits, **{**DRAWING, "weight_average": "none", factor: option})
    training.network.train()
    seen = []
    for inputs, targets in batches(training):
        with Operations() as operations:
            train_step(training, inputs, targets)
            training.average.update()
        seen.append(operations.calls)
    # The first step differs: it creates the optimizer's state and starts the average.
    second, third = seen[1:3]
    assert second == third
    waits = [name for name, _ in second if name in WAITS]
    assert waits == (["_local_scalar_dense"] if option == "ema" else [])  # a counter on the CPU


@pytest.mark.parametrize(("factor", "option"), OPTIONS)
def test_batches_are_made_without_waiting_for_the_device(
    digits: Division, factor: str, option: str
) -> None:
    training = started(digits, **{factor: option})
    with Operations() as operations:
        made_batches = list(batches(training))
    assert len(made_batches) == len(digits.pool.inputs) // training.batch_size
    assert not [name for name, _ in operations.calls if name in WAITS]


@pytest.mark.parametrize("size_bytes", [1, 2**16, 2**30])
def test_each_sample_is_used_once_however_many_batches_are_augmented_at_once(
    digits: Division, monkeypatch: pytest.MonkeyPatch, size_bytes: int
) -> None:
    monkeypatch.setattr(loop, "CPU_AUGMENTATION_BYTES", size_bytes)
    config: dict[str, Any] = {"batch_size.minibatch.samples": 32}
    training = started(digits, "cnn", **config)
    seen = torch.cat([inputs for inputs, _ in batches(training)])
    pool = {tuple(image.flatten().tolist()) for image in digits.pool.inputs[:] / 255}
    used = [tuple(image.flatten().tolist()) for image in seen]
    assert len(used) == len(set(used)) == len(pool) // 32 * 32
    assert set(used) <= pool


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_flattened_parameters_take_the_same_steps(
    digits: Division, monkeypatch: pytest.MonkeyPatch, model: str, optimizer: str
) -> None:
    def weights() -> Tensor:
        training = started(
            digits, model, **{**DRAWING, "gradient_clip": "none", "optimizer": optimizer}
        )
        for _ in range(2):
            train_epoch(training)
        return torch.cat(
            [parameter.detach().flatten() for parameter in training.network.parameters()]
        )

    flattened = weights()
    monkeypatch.setattr(
        flat_parameters, "flatten_parameters", lambda network: list(network.parameters())
    )
    assert flattened.equal(weights())


def test_flattened_parameters_are_views_of_one_buffer() -> None:
    first, last = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)
    network = nn.Sequential(first, nn.Flatten(), last)
    network.to(memory_format=torch.channels_last)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    last.bias.requires_grad_(False)
    (flat,) = flatten_parameters(network)
    assert flat.numel() == sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert all(p.equal(old) for p, old in zip(network.parameters(), before, strict=True))
    assert first.weight.is_contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        flat.zero_()
    assert not first.weight.any() and not last.weight.any()
    assert last.bias.equal(before[-1])


def test_parameters_of_different_types_are_not_flattened() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2).double())
    assert len(flatten_parameters(network)) == 4


@pytest.mark.parametrize(("every", "measured"), [(1, [0, 1, 2, 3, 4]), (2, [1, 3, 4]), (9, [4])])
def test_the_objective_is_measured_at_intervals_and_at_the_end(
    digits: Division, every: int, measured: list[int]
) -> None:
    curve: dict[int, float | None] = {}

    def report(epoch: int, value: float | None, take: object) -> bool:
        curve[epoch] = value
        return False

    builder = open_model("mlp", digits.problem)
    outcome = train(recipe(digits), digits, builder, 5, 0, report, every=every)
    assert [epoch for epoch, value in curve.items() if value is not None] == measured
    assert list(curve) == [0, 1, 2, 3, 4]
    assert outcome.value == curve[4]


def test_the_samples_left_over_differ_from_epoch_to_epoch(digits: Division) -> None:
    few = digits._replace(pool=DataPart(digits.pool.inputs[:100], digits.pool.targets[:100]))
    training = started(few, "mlp")
    first, second = ([inputs for inputs, _ in batches(training)] for _ in range(2))
    assert len(first) == len(second) == 1
    assert not first[0].equal(second[0])
