"""Every kind of source gives a valid data set, or a one-line error that names the fault."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.data import line_of_refusal
from training_factors.search_spaces.problem import Problem
from training_factors.study.data import cache
from training_factors.study.data.named_datasets import SCIKIT_LEARN, dataset_names
from training_factors.study.data.options import DataOptions
from training_factors.study.data.sources import load_dataset

PROBLEMS = {
    "digits": Problem((1, 8, 8), 10),
    "wine": Problem((13,), 3),
    "breast_cancer": Problem((30,), 2),
    "diabetes": Problem((10,), None),
}


def refusal(source: str | Path, **options: Any) -> str:
    return line_of_refusal(load_dataset, str(source), DataOptions(**options))


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
    first, second = (
        load_dataset("digits", DataOptions(limit=205)),
        load_dataset("digits", DataOptions(limit=205)),
    )
    assert len(first.targets) == 205
    assert set(first.targets.bincount().tolist()) == {20, 21}
    assert first.fingerprint == second.fingerprint != load_dataset("digits").fingerprint
    assert len(load_dataset("diabetes", DataOptions(limit=60)).targets) == 60


def test_images_are_resized() -> None:
    assert load_dataset("digits", DataOptions(image_size=12)).problem.shape == (1, 12, 12)


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
        ("digits", {"target": "x"}, "leave --target x out"),
        ("no_such_module:data", {}, "package.module:function"),
        ("math:no_such_function", {}, "package.module:function"),
        ("math:pi", {}, "'math:pi' failed: TypeError"),
        ("os:getcwd", {}, "returned str; return (X, y)"),
    ],
)
def test_a_wrong_option_is_refused(source: str, options: dict[str, Any], message: str) -> None:
    assert message in refusal(source, **options)


def test_a_csv_of_classes(tmp_path: Path) -> None:
    rows = [f"{i % 7},{'red' if i % 3 else 'blue'},{'yes' if i % 2 else 'no'}" for i in range(40)]
    path = write_csv(tmp_path / "t.csv", ["size,colour,bought", *rows])
    dataset = load_dataset(path, DataOptions(target="bought"))
    assert dataset.classes == ("no", "yes")
    assert dataset.inputs[:2].tolist() == [[0, 0], [1, 1]]
    assert dataset.targets[:3].tolist() == [0, 1, 0]
    assert dataset.name == "t.csv"


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["2", "10"], ("2", "10")),
        (["2.0", "10.0"], ("2", "10")),
        (["01", "1"], ("01", "1")),
        ([str(i) for i in range(21)], None),
        (["0.5", "1.5"], None),
    ],
)
def test_a_csv_target_is_read_as_classes_or_numbers(
    tmp_path: Path, cells: list[str], classes: tuple[str, ...] | None
) -> None:
    rows = [f"{i % 9};{cells[i % len(cells)]}" for i in range(84)]
    dataset = load_dataset(write_csv(tmp_path / "t.csv", ["a;y", *rows]), DataOptions(target="y"))
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
        (["a,y", *["1,0", "1,1"] * 30], "y", "left out: constant columns (a)"),
        (["a,y", *["1,0", "2,1"] * 30], "y", "give the target away"),
        (["a,y", *["1,0", "inf,1"] * 30], "y", "has inf in data row 2; fill it"),
        (["a,y", *["1,0", "2,"] * 30], "y", "is missing in 30 of 60 samples"),
        (["a,y", *[f"name {i % 101},{i % 2}" for i in range(404)]], "y", "101 different texts"),
        (["a,y", *["1,0", "2,0"] * 30], "y", "only one class"),
        (["a,y", *["1,0", "2,1", "3,0", "2,0"] * 9], "y", "has 9 samples"),
        (["a,y", *["1,0.5", "2,0.5"] * 30], "y", "every target"),
        (["a,y", *["1,0.5", "2,2.5", "2,0.5"] * 6], "y", "18 samples"),
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
    rows = [(f"{i % 7},yes", f"{i % 7},no ") for i in range(20)]
    labels = []
    for first in (0, 1):
        lines = [rows[i][(i + first) % 2] for i in range(20)]
        write_csv(path, ["x,y", *lines])
        os.utime(path, (1, 1))
        dataset = load_dataset(str(path), DataOptions(target="y"))
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


TABLE = np.ones((2600, 2))


@pytest.mark.parametrize(
    ("targets", "task", "classes"),
    [
        (np.arange(60) % 6 + 3, None, ("3", "4", "5", "6", "7", "8")),
        (np.arange(60) % 3.0, None, ("0", "1", "2")),
        (np.arange(60) % 3.0, "regression", None),
        (np.arange(60) % 3 + 0.5, None, None),
        (np.arange(60) % 3 + 0.5, "classification", ("0.5", "1.5", "2.5")),
        (np.arange(60)[:, None] % 2, None, ("0", "1")),
        (np.eye(3)[np.arange(60) % 3], None, ("0", "1", "2")),
        (np.arange(2600) % 26, None, tuple(map(str, range(26)))),
        (np.arange(2600) % 26, "regression", None),
        (np.arange(246) % 123 * 10, None, None),
        (np.arange(2400) % 1200 + 3, None, None),
        (np.array(["b", "a"] * 20), None, ("a", "b")),
        (np.array([True, False] * 20), None, ("False", "True")),
    ],
)
def test_one_rule_says_what_are_classes(
    tmp_path: Path, targets: Any, task: str | None, classes: tuple[str, ...] | None
) -> None:
    """The same from an .npz and, where a column can hold them, from a .csv."""
    path = write_npz(tmp_path / "a.npz", X=TABLE[: len(targets)], y=targets)
    assert load_dataset(path, DataOptions(task=task)).classes == classes
    if targets.ndim == 1:
        lines = [f"{i % 7},{target}" for i, target in enumerate(targets.tolist())]
        path = write_csv(tmp_path / "t.csv", ["a,y", *lines])
        assert load_dataset(path, DataOptions(target="y", task=task)).classes == classes


def test_a_task_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["a,y", *["1,no", "2,yes"] * 30])
    assert "leave --task regression out" in refusal(path, target="y", task="regression")
    assert "leave --task regression out" in refusal("digits", task="regression")
    assert "leave --ignore x y out" in refusal("digits", ignore=("x", "y"))
    path = write_npz(tmp_path / "a.npz", X=TABLE[:60], y=np.eye(3)[np.arange(60) % 3])
    assert "several columns; leave --task regression out" in refusal(path, task="regression")
    assert "leave --fit out" in refusal("wine", fit="pad")


@pytest.mark.parametrize("missing", ["", "NA", "?", "nan"])
def test_rows_without_a_label_are_left_out_and_counted(tmp_path: Path, missing: str) -> None:
    rows = [f"{i**2},{missing if i % 10 == 3 else 'ab'[i % 2]}" for i in range(60)]
    dataset = load_dataset(write_csv(tmp_path / "t.csv", ["x,y", *rows]), DataOptions(target="y"))
    assert dataset.classes == ("a", "b")
    assert dataset.inputs[:5, 0].tolist() == [0, 1, 4, 16, 25]
    assert "left out: 6 samples without a label" in map(str, dataset.notes)


def test_a_rare_class_is_warned_about(tmp_path: Path) -> None:
    rows = [f"{i % 13},{'rare' if i < 10 else 'usual'}" for i in range(2000)]
    dataset = load_dataset(write_csv(tmp_path / "t.csv", ["x,y", *rows]), DataOptions(target="y"))
    (warning,) = (note.text for note in dataset.notes if note.kind == "warning")
    assert "'rare' has 10 of 2,000" in warning and "accuracy of 0.995" in warning
    assert "class_weight" in warning and "more runs do not help" in warning


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": PICTURES}, "has no array 'y' (it has X)"),
        ({"X": PICTURES, "y": LABELS[:-1]}, "do not match"),
        ({"X": PICTURES / 2.0 - 40, "y": LABELS}, "--scale=-40:"),
        ({"X": PICTURES / 1.0 * np.nan, "y": LABELS}, "not finite"),
        ({"X": PICTURES[..., :2], "y": LABELS}, "1, 3 or 4 channels"),
        ({"X": np.full((40, 2), np.inf), "y": LABELS}, "has inf in row 0, column 0"),
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
    (tmp_path / "a.mat").write_bytes(b"")
    assert "convert it" in refusal(tmp_path / "a.mat")


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
