"""Data sets that Hugging Face's `datasets` saved to disk."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, Value
from PIL import Image as PillowImage

from training_factors.study.data.options import DataOptions
from training_factors.study.data.sources import load_dataset

SIZE = 40
CLASSES = ClassLabel(names=["zebra", "ant"])


def images(count: int, sides: tuple[int, ...] = (12,)) -> Dataset:
    """Return images that are dark for `zebra` and bright for `ant`."""
    made = [
        PillowImage.new("RGB", (sides[i % len(sides)],) * 2, (200 * (i % 2), i, 0))
        for i in range(count)
    ]
    features = Features({"image": Image(), "label": CLASSES, "who": Value("int64")})
    columns = {"image": made, "label": [i % 2 for i in range(count)],
               "who": [i // 4 for i in range(count)]}  # fmt: skip
    return Dataset.from_dict(columns, features=features)


def rows(count: int, labelled: bool = True) -> Dataset:
    features = Features({"a": Value("float32"), "b": Value("string"), "label": CLASSES})
    columns = {"a": [i * i % 17 for i in range(count)], "b": ["pqr"[i % 3] for i in range(count)],
               "label": [i * i % 7 % 2 if labelled else -1 for i in range(count)]}  # fmt: skip
    return Dataset.from_dict(columns, features=features)


def load(saved: Any, folder: Path, **options: Any) -> Any:
    saved.save_to_disk(str(folder))
    return load_dataset(str(folder), DataOptions(**options))


def test_images_with_parts(tmp_path: Path) -> None:
    saved = DatasetDict(train=images(SIZE), test=images(20), unsupervised=images(4))
    dataset = load(saved, tmp_path / "pets")
    assert dataset.name == "pets" and dataset.classes == ("ant", "zebra")
    assert dataset.problem.shape == (3, 12, 12)
    assert np.bincount(dataset.parts.numpy()).tolist() == [SIZE, 0, 20]
    bright = dataset.inputs[:, 0].float().mean(dim=(1, 2)) > 100
    assert bright.tolist() == [dataset.classes[i] == "ant" for i in dataset.targets]
    said = "\n".join(map(str, dataset.notes))
    assert "(unsupervised)" in said and "columns beside the images (who)" in said


def test_images_of_several_sizes(tmp_path: Path) -> None:
    dataset = load(images(SIZE, (12, 16)), tmp_path / "pets", image_size=8, group="who")
    assert dataset.problem.shape == (3, 8, 8)
    assert dataset.groups.tolist() == [i // 4 for i in range(SIZE)]


def test_rows(tmp_path: Path) -> None:
    dataset = load(rows(60), tmp_path / "table")
    assert dataset.classes == ("ant", "zebra") and dataset.inputs.shape == (60, 4)
    assert dataset.inputs[:5, 0].tolist() == [0, 1, 4, 9, 16]


def test_a_part_without_labels_is_left_out(tmp_path: Path) -> None:
    saved = DatasetDict(train=rows(60), test=rows(20, labelled=False))
    dataset = load(saved, tmp_path / "table")
    assert len(dataset.targets) == 60
    assert "the test part has no labels (20 rows)" in "\n".join(map(str, dataset.notes))


@pytest.mark.parametrize(
    ("saved", "options", "message"),
    [
        (rows(60).remove_columns("label"), {}, "needs --target COLUMN, one of: a, b"),
        (DatasetDict(test=rows(60), more=rows(30)), {}, "none for training"),
        (images(SIZE).add_column("second", [1] * SIZE).cast_column("second", Value("int64"))
         .remove_columns("label"), {}, "needs --target"),
        (rows(60), {"scale": "0:1"}, "leave --scale 0:1 out"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, saved: Any, options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        load(saved, tmp_path / "data", **options)


def test_the_package_is_named_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(61).save_to_disk(str(tmp_path / "table"))  # in no cache
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match=r"pip install 'training-factors\[datasets\]'"):
        load_dataset(str(tmp_path / "table"))
