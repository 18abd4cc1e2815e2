"""torchvision's data sets are read, or the files to fetch are named, without a network."""

import struct
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
from torchvision import datasets

from training_factors.study.data.cache import cache_folder
from training_factors.study.data.named_datasets import TORCHVISION
from training_factors.study.data.parts import PartLabel
from training_factors.study.data.sources import load_dataset


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize("name", TORCHVISION)
def test_without_a_network_the_files_to_fetch_are_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: Any) -> None:
        raise URLError("no network")

    dataset_class = getattr(datasets, TORCHVISION[name])
    monkeypatch.setattr(dataset_class, "download", unreachable)
    with pytest.raises(ValueError, match="cannot be downloaded; put ") as caught:
        load_dataset(name)
    line = str(caught.value)
    assert "\n" not in line and str(cache_folder() / "torchvision") in line
    assert len(line.replace(str(cache_folder()), "")) <= 230
    wanted = (
        [file for file, _ in dataset_class.resources] if hasattr(dataset_class, "resources") else []
    )
    assert all(file in line for file in wanted)
    assert wanted or any(file in line for file in ("_32x32.mat", ".tar.gz"))


def idx_file(path: Path, array: Any) -> None:
    """Write MNIST's format: element type and number of dimensions, the sizes, the bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(head + array.astype(np.uint8).tobytes())


def test_torchvision_s_own_test_part_is_labelled() -> None:
    raw = cache_folder() / "torchvision" / "MNIST" / "raw"
    for split, samples in (("train", 120), ("t10k", 40)):
        images = np.arange(samples)[:, None, None] + np.zeros((1, 28, 28))
        idx_file(raw / f"{split}-images-idx3-ubyte", images)
        idx_file(raw / f"{split}-labels-idx1-ubyte", np.arange(samples) % 10)
    dataset = load_dataset("mnist")
    assert dataset.problem.shape == (1, 28, 28)
    assert dataset.classes is not None and dataset.classes[3] == "3 - three"
    assert dataset.inputs[:, 0, 0, 0].tolist() == [*range(120), *range(40)]
    assert dataset.parts.tolist() == [PartLabel.POOL] * 120 + [PartLabel.TEST] * 40
