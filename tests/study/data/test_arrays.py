"""Arrays are found by their names, and images keep their values whatever their type and order."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.data import line_of_refusal, notes_of
from training_factors.study.data.arrays import as_images
from training_factors.study.data.dataset import Dataset
from training_factors.study.data.options import NO_OPTIONS, DataOptions
from training_factors.study.data.parts import PartLabel
from training_factors.study.data.sources import load_dataset

SIZE = 40
LABELS = np.arange(SIZE) % 2


def pictures(size: int = 8, count: int = SIZE) -> Any:
    """Return (samples, size, size, 3), a bright bar on the left or at the top over dark noise."""
    images = np.random.default_rng(0).integers(0, 40, (count, size, size, 3), dtype=np.uint8)
    images[0::2, :, : size // 4] += 180
    images[1::2, : size // 4] += 180
    return images


PICTURES = pictures()


def load(folder: Path, _options: DataOptions = NO_OPTIONS, **arrays: Any) -> Dataset:
    np.savez(folder / "a.npz", **arrays)
    return load_dataset(str(folder / "a.npz"), _options)


def refusal(folder: Path, _options: DataOptions = NO_OPTIONS, **arrays: Any) -> str:
    return line_of_refusal(load, folder, _options, **arrays)


@pytest.mark.parametrize(
    "names",
    [("X", "y"), ("x", "y"), ("data", "target"), ("images", "labels"), ("arr_0", "arr_1"),
     ("Features", "Targets")],
)  # fmt: skip
def test_names_of_two_arrays(tmp_path: Path, names: tuple[str, str]) -> None:
    dataset = load(tmp_path, **{names[0]: PICTURES, names[1]: LABELS, "info": [1]})
    assert dataset.problem.shape == (3, 8, 8) and dataset.problem.classes == 2
    assert "arrays of other names (info)" in notes_of(dataset)


@pytest.mark.parametrize(
    "names",
    [
        {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")},
        {"train": ("X_train", "Y_train"), "val": ("X_val", "Y_val"), "test": ("X_test", "Y_test")},
        {"train": ("train_images", "train_labels"), "test": ("test_images", "test_labels")},
        {"train": ("xtrain", "ytrain"), "test": ("xtest", "ytest")},
        {"train": ("train-data", "train-target"), "valid": ("valid-data", "valid-target")},
    ],
)
def test_names_of_parts(tmp_path: Path, names: dict[str, tuple[str, str]]) -> None:
    sizes = {"train": 20, "val": 12, "valid": 12, "test": 8}
    arrays = {}
    for part, (inputs, targets) in names.items():
        arrays.update({inputs: PICTURES[: sizes[part]], targets: LABELS[: sizes[part]]})
    dataset = load(tmp_path, **arrays)
    counts = np.bincount(dataset.parts.numpy(), minlength=4).tolist()
    expected = [20, 0, 0, 0]
    for part in names:
        if part != "train":
            place = PartLabel.TEST if part == "test" else PartLabel.VALIDATION
            expected[place] = sizes[part]
    assert counts == expected
    assert "the source has its own parts" in notes_of(dataset)


def test_wrong_names(tmp_path: Path) -> None:
    assert "no array 'y' of the test part" in refusal(
        tmp_path, x_train=PICTURES, y_train=LABELS, x_test=PICTURES
    )
    assert "no array 'X' of the training part" in refusal(
        tmp_path, x_val=PICTURES, y_val=LABELS, x_test=PICTURES, y_test=LABELS
    )
    assert "two arrays for inputs, 'X' and 'images'" in refusal(
        tmp_path, X=PICTURES, images=PICTURES, y=LABELS
    )
    assert "inputs of different shapes" in refusal(
        tmp_path, x_train=PICTURES, y_train=LABELS, x_test=PICTURES[:, :4], y_test=LABELS
    )


@pytest.mark.parametrize(
    ("images", "scale", "said"),
    [
        (PICTURES, None, ""),
        (PICTURES.astype(np.int64), None, "0 to 255"),
        (PICTURES.astype(np.uint16) * 257, None, "0 to 65535"),
        (PICTURES.astype(np.uint16) * 16, None, "0 to 4095"),
        (PICTURES / 255, None, "0 to 1"),
        (PICTURES.astype(np.float32), None, "0 to 255"),
        (PICTURES / 127.5 - 1, None, "-1 to 1"),
        (PICTURES * 3.0 - 100, "-100:665", "-100 to 665"),
        (PICTURES.transpose(0, 3, 1, 2) / 255, None, "0 to 1"),
    ],
)
def test_ranges_of_images(tmp_path: Path, images: Any, scale: str | None, said: str) -> None:
    dataset = load(tmp_path, DataOptions(scale=scale), X=images, y=LABELS)
    difference = dataset.inputs.numpy().astype(int) - PICTURES.transpose(0, 3, 1, 2)
    assert abs(difference).max() <= 1 and dataset.inputs.numpy().mean() > 50
    assert said in notes_of(dataset) and bool(said) == ("become 0 to 255" in notes_of(dataset))


def test_truth_values_and_grey_images(tmp_path: Path) -> None:
    bright = PICTURES[..., 0] > 100
    assert set(load(tmp_path, X=bright, y=LABELS).inputs.unique().tolist()) == {0, 255}
    assert load(tmp_path, X=PICTURES[..., 0] / 255.0, y=LABELS).problem.shape == (1, 8, 8)


@pytest.mark.parametrize("drawn_in", ["colour", "alpha over black", "alpha over white"])
def test_transparency(tmp_path: Path, drawn_in: str) -> None:
    alpha = np.full((*PICTURES.shape[:3], 1), 255, np.uint8)
    rgba = np.concatenate([PICTURES, alpha], axis=3)
    if drawn_in != "colour":
        level = 0 if drawn_in == "alpha over black" else 255
        rgba = np.concatenate([np.full_like(PICTURES, level), PICTURES[..., :1]], axis=3)
    dataset = load(tmp_path, X=rgba, y=LABELS)
    assert dataset.problem.shape == (3, 8, 8)
    assert dataset.inputs.float().std() > 20 and "laid over" in notes_of(dataset)


def test_fractions_a_little_above_one_need_a_scale(tmp_path: Path) -> None:
    assert "--scale=" in refusal(tmp_path, X=PICTURES / 200, y=LABELS)


@pytest.mark.parametrize("scale", ["1", "1:0", "a:b", "0:inf", "0:1:2"])
def test_wrong_scales(tmp_path: Path, scale: str) -> None:
    assert f"scale '{scale}' is not LOW:HIGH" in refusal(
        tmp_path, DataOptions(scale=scale), X=PICTURES, y=LABELS
    )


def test_small_images_with_channels_first(tmp_path: Path) -> None:
    small = pictures(4).transpose(0, 3, 1, 2)
    assert load(tmp_path, X=small[:, :1], y=LABELS).problem.shape == (1, 4, 4)
    assert load(tmp_path, X=small, y=LABELS).problem.shape == (3, 4, 4)


def test_groups_in_an_array(tmp_path: Path) -> None:
    groups = np.array([f"p{i // 4}" for i in range(SIZE)])
    options = DataOptions(group="patient")
    dataset = load(tmp_path, options, X=PICTURES, y=LABELS, patient=groups)
    assert dataset.groups.tolist() == [i // 4 for i in range(SIZE)]
    assert "no array 'patient'" in refusal(tmp_path, options, X=PICTURES, y=LABELS)


def test_missing_numbers_of_arrays(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(SIZE, 3))
    rows[3, 1] = np.nan
    dataset = load(tmp_path, X=rows, y=LABELS)
    assert "(column 1: 1)" in notes_of(dataset)
    assert "column 'column 1'" in refusal(tmp_path, DataOptions(impute="none"), X=rows, y=LABELS)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(5, 9),
    width=st.integers(5, 9),
    channels=st.sampled_from([0, 1, 3]),
    first=st.booleans(),
    kind=st.sampled_from(["uint8", "int16", "int64", "float32", "unit", "signed"]),
)
def test_images_of_any_order_and_type(
    height: int, width: int, channels: int, first: bool, kind: str
) -> None:
    shape = (4, 3, height, width)
    exact: Any = np.random.default_rng(height * width).integers(0, 256, shape)
    exact = exact[:, : max(channels, 1)]
    exact[0, 0, 0, :2] = (0, 255)
    images = exact[:, 0] if not channels else exact if first else exact.transpose(0, 2, 3, 1)
    if kind in ("unit", "signed"):
        images = images / 255 if kind == "unit" else images / 127.5 - 1
    else:
        images = images.astype(kind)
    assert as_images(images, "made")[0].tolist() == exact.tolist()
