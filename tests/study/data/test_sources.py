"""Every kind of source gives a valid data set, or a one-line error that names the fault."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training_factors.search_spaces.problem import Problem
from training_factors.study.data import cache
from training_factors.study.data.named_datasets import SCIKIT_LEARN, dataset_names
from training_factors.study.data.sources import load_dataset

PROBLEMS = {
    "digits": Problem((1, 8, 8), 10),
    "wine": Problem((13,), 3),
    "breast_cancer": Problem((30,), 2),
    "diabetes": Problem((10,), None),
}


def refusal(source: str | Path, **options: Any) -> str:
    with pytest.raises(ValueError) as caught:
        load_dataset(str(source), **options)
    line = str(caught.value)
    assert "\n" not in line and len(line) <= 300
    return line


def write_csv(path: Path, lines: list[str]) -> str:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def write_npz(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return str(path)


@pytest.mark.parametrize("name", SCIKIT_LEARN)
def test_built_in_sets(name: str) -> None:
    dataset = load_dataset(name)
    assert dataset.problem == PROBLEMS[name]
    assert len(dataset.inputs) == len(dataset.targets) == len(dataset.parts)
    assert dataset.fingerprint == load_dataset(name).fingerprint
    assert dataset.name == name


def test_digits_are_scaled_to_the_range_of_a_byte() -> None:
    inputs = load_dataset("digits").inputs
    assert inputs.dtype == torch.uint8
    assert (int(inputs.min()), int(inputs.max())) == (0, 255)


def test_a_limit_gives_the_same_balanced_subset_every_time() -> None:
    first, second = load_dataset("digits", limit=205), load_dataset("digits", limit=205)
    assert len(first.targets) == 205
    assert set(first.targets.bincount().tolist()) == {20, 21}
    assert first.fingerprint == second.fingerprint != load_dataset("digits").fingerprint
    assert len(load_dataset("diabetes", limit=60).targets) == 60


def test_images_are_resized() -> None:
    assert load_dataset("digits", image_size=12).problem.shape == (1, 12, 12)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("digit", {}, "did you mean 'digits'?"),
        ("xyz", {}, ", ".join(dataset_names())),
        ("./no/such/folder", {}, "does not exist"),
        ("no.csv", {}, "does not exist"),
        ("digits", {"limit": 2000}, "limit 2000 is larger than the data (1797 samples)"),
        ("digits", {"limit": 99}, "at least 100"),
        ("diabetes", {"limit": 49}, "at least 50"),
        ("wine", {"image_size": 8}, "leave --image-size out"),
        ("digits", {"target": "x"}, "leave --target out"),
        ("no_such_module:data", {}, "package.module:function"),
        ("math:no_such_function", {}, "package.module:function"),
        ("math:pi", {}, "did not return (X, y): TypeError"),
    ],
)
def test_a_wrong_option_is_refused(source: str, options: dict[str, Any], message: str) -> None:
    assert message in refusal(source, **options)


def test_a_csv_of_classes(tmp_path: Path) -> None:
    rows = [f"{i},{'red' if i % 3 else 'blue'},{'yes' if i % 2 else 'no'}" for i in range(40)]
    path = write_csv(tmp_path / "t.csv", ["size,colour,bought", *rows])
    dataset = load_dataset(path, target="bought")
    assert dataset.classes == ("no", "yes")
    assert dataset.inputs[:2].tolist() == [[0, 1, 0], [1, 0, 1]]
    assert dataset.targets[:3].tolist() == [0, 1, 0]
    assert dataset.name == "t.csv"


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["2", "10"], ("2", "10")),
        (["2.0", "10.0"], None),
        ([str(i) for i in range(21)], None),
        (["0.5", "1.5"], None),
    ],
)
def test_a_csv_target_is_read_as_classes_or_numbers(
    tmp_path: Path, cells: list[str], classes: tuple[str, ...] | None
) -> None:
    rows = [f"{i};{cells[i % len(cells)]}" for i in range(84)]
    dataset = load_dataset(write_csv(tmp_path / "t.csv", ["a;y", *rows]), target="y")
    assert dataset.classes == classes
    assert dataset.targets.dtype == (torch.int64 if classes else torch.float32)


@pytest.mark.parametrize(
    ("lines", "target", "message"),
    [
        (["a,bought", "1,2"], None, "needs --target COLUMN, one of: a, bought"),
        (["a,bought", "1,2"], "bougt", "did you mean 'bought'?"),
        (["a,y", "1,2"], "zzz", "use one of: a, y"),
        (["a,y"], "y", "no rows"),
        ([], "y", "no rows"),
        (["a,y", "1,2", "1"], "y", "data row 2"),
        (["y", *"01" * 30], "y", "no column besides its target"),
        (["a,y", *["1,0", ",1"] * 30], "y", "column 'a'"),
        (["a,y", *["1,0", "inf,1"] * 30], "y", "column 'a'"),
        (["a,y", *["1,0", "2,"] * 30], "y", "is empty in data row 2"),
        (["a,y", *[f"name {i},{i % 2}" for i in range(101)]], "y", "101 different texts"),
        (["a,y", *["1,0", "2,0"] * 30], "y", "only one class"),
        (["a,y", *["1,0", "2,1"] * 9], "y", "has 9 samples"),
        (["a,y", *["1,0.5"] * 60], "y", "every target"),
        (["a,y", *["1,0.5", "1,2.5"] * 9], "y", "18 samples"),
    ],
)
def test_a_wrong_table_is_refused(
    tmp_path: Path, lines: list[str], target: str | None, message: str
) -> None:
    assert message in refusal(write_csv(tmp_path / "t.csv", lines), target=target)


@pytest.mark.parametrize("full_bytes", [cache.MAX_FULL_BYTES, 0])
def test_a_table_rewritten_with_equal_size_and_time_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_bytes: int
) -> None:
    monkeypatch.setattr(cache, "MAX_FULL_BYTES", full_bytes)
    path = tmp_path / "t.csv"
    rows = [(f"{i},yes", f"{i},no ") for i in range(20)]
    labels = []
    for first in (0, 1):
        lines = [rows[i][(i + first) % 2] for i in range(20)]
        write_csv(path, ["x,y", *lines])
        os.utime(path, (1, 1))
        dataset = load_dataset(str(path), target="y")
        assert dataset.classes == ("no", "yes")
        labels.append(dataset.targets.tolist())
    assert labels == [[1, 0] * 10, [0, 1] * 10]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("https://example.org/data.zip", "is a URL; download it"),
        ("s3://bucket/images", "is a URL; download it"),
        ("C:\\Users\\me\\pets", "does not exist; check the path"),
        ("C:/Users/me/pets", "does not exist; check the path"),
    ],
)
def test_what_is_no_path_here(source: str, message: str) -> None:
    assert message in refusal(source)


def test_a_csv_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,y\n\xff\xfe,1\n")
    assert "UTF-8" in refusal(tmp_path / "t.csv", target="y")


LABELS = np.arange(40) % 2
PICTURES = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("inputs", "shape"),
    [
        (PICTURES, (3, 6, 5)),
        (PICTURES.transpose(0, 3, 1, 2), (3, 6, 5)),
        (PICTURES[..., 0], (1, 6, 5)),
        (PICTURES[:, :, 0, 0].astype(np.float64), (6,)),
    ],
)
def test_an_npz(tmp_path: Path, inputs: Any, shape: tuple[int, ...]) -> None:
    dataset = load_dataset(write_npz(tmp_path / "a.npz", X=inputs, y=LABELS))
    assert dataset.problem == Problem(shape, 2)
    if len(shape) == 3:
        assert dataset.inputs[0, 0].numpy().tolist() == PICTURES[0, :, :, 0].tolist()


def test_integers_are_classes_and_floats_are_regression_targets(tmp_path: Path) -> None:
    table = np.ones((60, 2))
    integers = load_dataset(write_npz(tmp_path / "a.npz", X=table, y=np.arange(60) % 6 + 3))
    assert integers.classes == ("3", "4", "5", "6", "7", "8")
    floats = load_dataset(write_npz(tmp_path / "b.npz", X=table, y=np.arange(60) % 6.0))
    assert floats.classes is None


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": PICTURES}, "has no array 'y' (it has X)"),
        ({"X": PICTURES, "y": LABELS[:-1]}, "do not match"),
        ({"X": PICTURES / 255, "y": LABELS}, "uint8 images"),
        ({"X": PICTURES[..., :2], "y": LABELS}, "uint8 images"),
        ({"X": np.full((40, 2), np.nan), "y": LABELS}, "has nan in row 0, column 0"),
        ({"X": PICTURES, "y": np.array([{}] * 40)}, "Python objects"),
        ({"X": PICTURES, "y": np.full(40, np.inf)}, "40 samples"),
        ({"X": np.ones((60, 2)), "y": np.full(60, np.inf)}, "not finite"),
    ],
)
def test_wrong_arrays_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    assert message in refusal(write_npz(tmp_path / "a.npz", **arrays))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"hello"])
def test_a_damaged_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    assert "a.npz" in refusal(tmp_path / "a.npz")


def test_a_file_of_another_type_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"")
    assert "convert it" in refusal(tmp_path / "a.parquet")


def test_a_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "users_module.py").write_text(
        "import torch\n"
        "def data(): return torch.zeros(40, 3), torch.arange(40) % 2\n"
        "def broken(): raise KeyError('no\\nway')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    request.addfinalizer(lambda: sys.modules.pop("users_module", None))
    assert load_dataset("users_module:data").problem == Problem((3,), 2)
    assert "KeyError" in refusal("users_module:broken")
