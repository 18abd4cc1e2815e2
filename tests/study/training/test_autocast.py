"""Networks in bfloat16 learn as in float32, and group norms compute the same with their hooks."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from training_factors.search_spaces.space import named_space
from training_factors.storage.precision import BFLOAT16, BY_DEVICE, FLOAT32, Precision
from training_factors.study.data.division import Division, training_division
from training_factors.study.data.options import DataOptions
from training_factors.study.data.sources import load_dataset
from training_factors.study.training.autocast import forward_context, speed_up_group_norms
from training_factors.study.training.loop import predict, train
from training_factors.study.training.model import open_model, try_model
from training_factors.study.training.training_state import start_training

CPU = torch.device("cpu")


@cache
def digits() -> Division:
    return training_division(load_dataset("digits", DataOptions(limit=500)), 0, CPU)


@cache
def trained(name: str, precision: Precision, norm: str) -> float:
    """Return the validation accuracy after eight epochs."""
    problem = digits().problem
    space, _ = named_space("full").for_problem(problem)
    config = space.baseline() | {
        "initialization": "he_normal", "optimizer": "adam", "residual": "residual",
        "batch_norm": norm,
    }  # fmt: skip
    model = replace(open_model(name, problem), precision=precision)
    return train(space.build(config, problem), digits(), model, 8, 0, lambda *_: False).value


@pytest.mark.parametrize("norm", ["none", "batch", "group"])
@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_network_learns_as_well_in_bfloat16(name: str, norm: str) -> None:
    single = trained(name, FLOAT32, norm)
    half = trained(name, BFLOAT16, norm)
    assert single > 0.7
    assert half == pytest.approx(single, abs=0.05)


def test_a_study_of_an_earlier_version_is_in_float32_on_a_cpu() -> None:
    assert trained("cnn", BY_DEVICE, "none") == trained("cnn", FLOAT32, "none")


def test_the_context_is_that_of_the_precision_or_of_the_device() -> None:
    cuda = torch.device("cuda")
    assert not isinstance(forward_context(FLOAT32, cuda), torch.autocast)
    assert isinstance(forward_context(BFLOAT16, CPU), torch.autocast)
    assert not isinstance(forward_context(BY_DEVICE, CPU), torch.autocast)
    with (
        pytest.warns(UserWarning, match="CUDA is not available")
        if not (torch.cuda.is_available())
        else torch.no_grad()
    ):
        assert isinstance(forward_context(BY_DEVICE, cuda), torch.autocast)


def test_convolutions_and_products_give_bfloat16_and_outputs_are_float32() -> None:
    problem = digits().problem
    model = replace(open_model("cnn", problem), precision=BFLOAT16)
    space, _ = named_space("full").for_problem(problem)
    recipe = space.build(space.baseline(), problem)
    training = start_training(recipe, digits().pool, problem, model, 1, 0)
    seen: set[torch.dtype] = set()
    for module in training.network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(lambda _, __, outputs: seen.add(outputs.dtype))
    outputs = predict(training, digits().validation.inputs)
    assert seen == {torch.bfloat16} and outputs.dtype is torch.float32
    assert {each.dtype for each in training.network.parameters()} == {torch.float32}


def run_norm(norm: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    """Return the outputs of a norm, and the gradients of its input and of its parameters."""
    inputs = images.clone().requires_grad_()
    outputs = norm(inputs)
    loss = outputs.float().square().mul(torch.arange(outputs.shape[-1])).sum()
    return (outputs.detach(), *torch.autograd.grad(loss, [inputs, *norm.parameters()]))


@pytest.mark.parametrize("shape", [(4, 16, 8, 8), (4, 16)])
def test_group_norms_compute_the_same_with_channels_first(shape: tuple[int, ...]) -> None:
    norm = nn.GroupNorm(8, 16)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0)).bfloat16()
    if len(shape) == 4:
        images = images.contiguous(memory_format=torch.channels_last)
    names = list(norm.state_dict())
    before = run_norm(norm, images)
    speed_up_group_norms(norm)
    after = run_norm(norm, images)
    assert list(norm.state_dict()) == names
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, rtol=0.02, atol=0.02 * float(one.abs().max()))
    assert after[0].stride() == before[0].stride()


class Mixing(nn.Module):
    """A network that adds what a layer gives to a tensor of float32 in place."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.layer = nn.Linear(64, num_classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs of the layer."""
        outputs = torch.zeros(len(inputs), self.layer.out_features)
        return outputs.index_add(0, torch.arange(len(inputs)), self.layer(inputs.flatten(1)))


def test_a_model_that_fails_in_bfloat16_says_so() -> None:
    problem = digits().problem
    space, _ = named_space("full").for_problem(problem)
    recipe = space.build(space.baseline(), problem)
    model = open_model("python:Mixing", problem, given=Mixing)
    half = replace(model, precision=BFLOAT16)
    with pytest.raises(ValueError, match="cannot be used in bfloat16: RuntimeError: "):
        try_model(half, recipe, problem)
    assert try_model(model, recipe, problem) == model
