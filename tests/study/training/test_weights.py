"""Weights to start from: reading their file, and what each option of `start` does with them."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from training_factors.search_spaces.factors.start import FACTOR, fitting_weights
from training_factors.search_spaces.recipe import Recipe
from training_factors.study.training.weights import describe_fit, read_weights


def network(classes: int = 2) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, classes))


@pytest.fixture
def saved() -> dict[str, Tensor]:
    return {name: torch.full_like(each, 7.0) for name, each in network(5).state_dict().items()}


@pytest.mark.parametrize("kind", ["plain", "nested", "safetensors"])
def test_a_file_is_read_whatever_its_kind(
    tmp_path: Path, saved: dict[str, Tensor], kind: str
) -> None:
    file = str(tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pt"))
    if kind == "safetensors":
        save_file(saved, file)
    else:
        torch.save({"epoch": 3, "state_dict": saved} if kind == "nested" else saved, file)
    read = read_weights(file)
    assert read.keys() == saved.keys()
    assert all(read[name].equal(saved[name]) for name in saved)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "network.pt")
    with pytest.raises(ValueError, match=r"network.pt' cannot be read .*; save network"):
        read_weights(str(tmp_path / "network.pt"))


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "cannot be read"), (b"hello", "cannot be read"), (None, "does not exist")],
)
def test_a_wrong_file_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "w.pt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read_weights(str(file))


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "w.pt")
    with pytest.raises(ValueError, match="holds no tensors"):
        read_weights(str(tmp_path / "w.pt"))


@pytest.mark.parametrize(
    ("option", "loaded", "trained"),
    [("weights", True, 4), ("frozen", True, 2), ("scratch", False, 4)],
)
def test_the_options_of_start(
    saved: dict[str, Tensor], option: str, loaded: bool, trained: int
) -> None:
    """The last layer has another number of outputs in the file, so it starts anew."""
    started = network()
    FACTOR.option(option).function(Recipe()).start(started, saved)
    first, last = (started.state_dict()[name] for name in ("0.weight", "2.weight"))
    assert bool(torch.eq(first, 7).all()) == loaded
    assert not torch.eq(last, 7).any()
    assert sum(parameter.requires_grad for parameter in started.parameters()) == trained


def test_the_last_layer_is_trained_even_if_the_file_has_it() -> None:
    started = network()
    FACTOR.option("frozen").function(Recipe()).start(started, network().state_dict())
    assert [parameter.requires_grad for parameter in started.parameters()] == [False] * 2 + [
        True
    ] * 2


def test_what_starts_anew_is_said(saved: dict[str, Tensor]) -> None:
    fitting = fitting_weights(network(), saved)
    words = describe_fit(network(), saved, fitting, "w.pt")
    assert words == "2 of 4 tensors start from w.pt; anew: 2.weight, 2.bias"
    with pytest.raises(ValueError, match="fits no part of the model"):
        describe_fit(network(), saved, {}, "w.pt")
