"""Images whose classes a table names, and groups that their names tell."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.data import line_of_refusal, notes_of
from training_factors.study.data.dataset import Dataset
from training_factors.study.data.division import divide
from training_factors.study.data.options import DataOptions
from training_factors.study.data.sources import load_dataset

SIZE = 40


def write_images(folder: Path, below: str = "") -> list[str]:
    """Write images that are dark or bright in turn; return their names."""
    names = [f"{below}img_{i:03}.png" for i in range(SIZE)]
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (200 * (i % 2) + i, 0, 0)).save(folder / name)
    return names


def write_table(path: Path, header: str, rows: list[str]) -> str:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return str(path)


def load(folder: Path, **options: Any) -> Dataset:
    return load_dataset(str(folder), DataOptions(**options))


def refusal(folder: Path, **options: Any) -> str:
    return line_of_refusal(load, folder, **options)


def check(dataset: Dataset) -> None:
    assert dataset.classes == ("bright", "dark")
    bright = dataset.inputs[:, 0].float().mean(dim=(1, 2)) > 100
    assert bright.tolist() == [dataset.classes[i] == "bright" for i in dataset.targets]


CLASSES = [("dark", "bright")[i % 2] for i in range(SIZE)]


@pytest.mark.parametrize(
    "spell",
    [
        lambda name: name,
        lambda name: Path(name).name,
        lambda name: Path(name).stem,
        lambda name: f"./{name}",
        lambda name: f"/elsewhere/pets/{name}",
        lambda name: "C:\\pets\\" + name.replace("/", "\\"),
    ],
)
@pytest.mark.parametrize("below", ["", "images/", "a/b/"])
def test_files_are_found_however_they_are_named(tmp_path: Path, spell: Any, below: str) -> None:
    names = write_images(tmp_path / "pets", below)
    rows = [f"{i},{spell(n)},{c}" for i, (n, c) in enumerate(zip(names, CLASSES, strict=True))]
    labels = write_table(tmp_path / "labels.csv", "nr,file,class", rows)
    dataset = load(tmp_path / "pets", labels=labels, target="class")
    check(dataset)
    assert len(dataset.targets) == SIZE and "beside the class (nr)" in notes_of(dataset)


@pytest.mark.parametrize("name", ["metadata.csv", "labels.csv"])
def test_a_table_beside_the_images_is_used_unasked(tmp_path: Path, name: str) -> None:
    names = write_images(tmp_path)
    rows = [f"{n},{c}" for n, c in zip(names, CLASSES, strict=True)]
    write_table(tmp_path / name, "file_name,label", rows)
    check(load(tmp_path))


def test_what_does_not_match_is_left_out_and_named(tmp_path: Path) -> None:
    names = write_images(tmp_path / "pets")
    rows = [f"{n},{c}" for n, c in zip(names, CLASSES, strict=True)]
    rows = [*rows[:-2], "gone.png,dark", rows[0], f"{names[-1]},"]
    labels = write_table(tmp_path / "pets" / "l.csv", "file,class", rows)
    (tmp_path / "pets" / "readme.md").write_text("Pets", encoding="utf-8")
    dataset = load(tmp_path / "pets", labels=labels)
    check(dataset)
    assert len(dataset.targets) == SIZE - 2
    assert "left out: 1 file is no image (readme.md)" in notes_of(dataset)
    said = notes_of(dataset)
    assert "without such a file (gone.png)" in said and f"({names[-2]})" in said
    assert "1 sample without a label" in said


def test_a_column_for_each_class(tmp_path: Path) -> None:
    names = write_images(tmp_path / "pets")
    rows = [f"{n},{i % 2:.1f},{1 - i % 2:.1f},0.0" for i, n in enumerate(names)]
    labels = write_table(tmp_path / "l.csv", "image,bright,dark,other", rows)
    dataset = load(tmp_path / "pets", labels=labels)
    check(dataset)
    assert "has a column of 0 and 1 for each class" in notes_of(dataset)


def test_numbers_parts_and_groups(tmp_path: Path) -> None:
    names = write_images(tmp_path / "pets")
    rows = [f"{n},{i * 1.5},{('train', 'train', 'val', 'test')[i // 10]},{i // 5}"
            for i, n in enumerate(names)]  # fmt: skip
    rows = [*rows, *(f"more_{i}.png,0.5,train,9" for i in range(20))]
    for i in range(20):
        Image.new("RGB", (8, 8)).save(tmp_path / "pets" / f"more_{i}.png")
    labels = write_table(tmp_path / "l.csv", "image,age,part,who", rows)
    dataset = load(tmp_path / "pets", labels=labels, target="age", split_column="part", group="who")
    assert dataset.classes is None and dataset.targets[3] == 4.5
    assert np.bincount(dataset.parts.numpy()).tolist() == [40, 10, 10]
    assert len(dataset.groups.unique()) == 9
    limited = load(tmp_path / "pets", labels=labels, target="age", limit=50)
    assert len(limited.targets) == 50


def test_wrong_tables(tmp_path: Path) -> None:
    names = write_images(tmp_path / "pets")
    labels = write_table(tmp_path / "l.csv", "file,class", [f"x{n},dark" for n in names])
    assert "names the 40 images" in refusal(tmp_path / "pets", labels=labels)
    rows = [f"{n},{c}" for n, c in zip(names, CLASSES, strict=True)]
    write_table(tmp_path / "l.csv", "file,class", [*rows, f"{names[0]},bright"])
    assert "two labels for 'img_000.png'" in refusal(tmp_path / "pets", labels=labels)
    assert "is no table" in refusal(tmp_path / "pets", labels="nowhere.csv")
    rows = [f"{n},{c},{c}" for n, c in zip(names, CLASSES, strict=True)]
    write_table(tmp_path / "l.csv", "file,class,other", rows)
    assert "--target COLUMN, one of: class, other" in refusal(tmp_path / "pets", labels=labels)


def test_groups_from_file_names(tmp_path: Path) -> None:
    for i in range(60):
        path = tmp_path / "pets" / "ab"[i % 2] / f"patient{i // 6:02}_{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 6), 3 * i).save(path)
    dataset = load(tmp_path / "pets", group_from=r"patient(\d+)")
    assert len(dataset.groups.unique()) == 10
    parts = divide(dataset, 0)
    places = [set(dataset.groups[part].tolist()) for part in parts]
    assert sum(map(len, places)) == 10
    assert "finds nothing in" in refusal(tmp_path / "pets", group_from="camera")
    assert "no regular expression" in refusal(tmp_path / "pets", group_from="(")
    assert "leave --group g out" in refusal(tmp_path / "pets", group="g")


def test_row_numbers_are_no_names_of_files(tmp_path: Path) -> None:
    """As `DataFrame.to_csv` writes them, beside files that are called by numbers."""
    (tmp_path / "pets").mkdir()
    for i in range(SIZE):
        Image.new("RGB", (8, 8), (200 * (i % 2) + i, 0, 0)).save(tmp_path / "pets" / f"{i}.png")
    order = np.random.default_rng(0).permutation(SIZE)
    rows = [f"{row},{i}.png,{CLASSES[i]}" for row, i in enumerate(order)]
    labels = write_table(tmp_path / "l.csv", ",file,label", rows)
    check(load(tmp_path / "pets", labels=labels, target="label"))
    rows = [f"{i % 2},{i}" for i in order]
    labels = write_table(tmp_path / "l.csv", "label,id", rows)
    assert load(tmp_path / "pets", labels=labels).targets.tolist() == [
        int(name.removesuffix(".png")) % 2 for name in sorted(f"{i}.png" for i in range(SIZE))
    ]
    labels = write_table(tmp_path / "l.csv", "0.png,dark", [f"{i}.png,{CLASSES[i]}" for i in order])
    assert "has no header line; add one" in refusal(tmp_path / "pets", labels=labels)
