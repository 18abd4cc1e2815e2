"""Image folders of all usual layouts are read, and wrong ones are refused."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from training_factors.storage.database import open_database
from training_factors.study.data import cache
from training_factors.study.data.dataset import Dataset
from training_factors.study.data.options import DataOptions
from training_factors.study.data.parts import PartLabel
from training_factors.study.data.sources import load_dataset


def picture(path: Path, size: tuple[int, int] = (8, 8), mode: str = "RGB", value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value, 10, 20)).save(path)


def folder(root: Path, tops: tuple[str, ...] = ("",), per_class: int = 12, **how: Any) -> Path:
    for top in tops:
        for name in ("cat", "dog"):
            for i in range(per_class):
                picture(root / top / name / f"{i:02}.png", value=i, **how)
    return root


def load(root: Path, **options: Any) -> Dataset:
    return load_dataset(str(root), DataOptions(**options))


def refusal(root: Path, **options: Any) -> str:
    with pytest.raises(ValueError) as caught:
        load(root, **options)
    assert "\n" not in str(caught.value) and len(str(caught.value)) <= 300
    return str(caught.value)


def test_class_folders(tmp_path: Path) -> None:
    dataset = load(folder(tmp_path / "pets"))
    assert (dataset.name, dataset.classes) == ("pets", ("cat", "dog"))
    assert dataset.problem.shape == (3, 8, 8)
    assert dataset.inputs[:, 0, 0, 0].tolist() == [*range(12)] * 2
    assert dataset.targets.tolist() == [0] * 12 + [1] * 12
    assert set(dataset.parts.tolist()) == {PartLabel.UNDECIDED}


@pytest.mark.parametrize("validation", ["val", "valid", "validation", "Valid"])
def test_train_val_test_folders_give_the_parts(tmp_path: Path, validation: str) -> None:
    dataset = load(folder(tmp_path, ("train", validation, "test")))
    assert dataset.parts.bincount(minlength=4).tolist() == [24, 24, 24, 0]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    for name in ("train", "plane"):
        for i in range(10):
            picture(tmp_path / name / f"{i}.png")
    assert load(tmp_path).classes == ("plane", "train")


def test_grey_only_when_all_are_grey(tmp_path: Path) -> None:
    assert load(folder(tmp_path, mode="L")).problem.shape == (1, 8, 8)
    picture(tmp_path / "cat" / "colour.png")
    assert load(tmp_path).problem.shape == (3, 8, 8)


@pytest.mark.parametrize(
    ("size", "image_size", "shape"),
    [
        ((20, 10), None, (3, 10, 20)),
        ((65, 65), None, (3, 64, 64)),
        ((128, 32), None, (3, 32, 128)),
        ((320, 32), None, (3, 20, 202)),
        ((100, 80), 16, (3, 16, 16)),
        ((8, 8), 16, (3, 16, 16)),
    ],
)
def test_images_get_one_size(
    tmp_path: Path, size: tuple[int, int], image_size: int | None, shape: tuple[int, ...]
) -> None:
    dataset = load(folder(tmp_path, size=size), image_size=image_size)
    assert dataset.problem.shape == shape
    assert dataset.inputs[5, :, 2, 2].tolist() == [5, 10, 20]


def test_different_sizes_are_scaled_to_one(tmp_path: Path) -> None:
    picture(folder(tmp_path) / "dog" / "large.jpg", (300, 200), value=200)
    dataset = load(tmp_path)
    assert dataset.problem.shape == (3, 64, 64)
    assert abs(int(dataset.inputs[-1, 0, 32, 32]) - 200) <= 2


def test_fit_says_how_other_shapes_come_to_the_size(tmp_path: Path) -> None:
    pixels = np.full((16, 48, 3), 100, dtype=np.uint8)
    pixels[:, 16:32] = 255
    Image.fromarray(pixels).save(folder(tmp_path) / "cat" / "wide.png")
    assert (load(tmp_path, image_size=16, fit="crop").inputs[12] == 255).all()
    padded = load(tmp_path, image_size=16).inputs[12, 0]
    assert padded[[0, -1]].max() == 0 and padded[8, [0, -1]].min() == 100
    stretched = load(tmp_path, image_size=16, fit="stretch")
    assert stretched.inputs[12].min() == 100
    (line,) = (str(note) for note in stretched.notes if note.kind == "resized")
    assert line.endswith("8 × 8, 48 × 16 to 16 × 16, stretched where the shape differs")


def test_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    folder(tmp_path, mode="L")
    Image.fromarray(np.full((8, 8), 0x80FF, dtype=np.uint16)).save(tmp_path / "cat" / "deep.png")
    assert (load(tmp_path).inputs[12] == 0x80).all()


def test_hidden_and_other_files_are_ignored(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "cat" / "notes.txt").write_text("x", encoding="utf-8")
    (tmp_path / "dog" / ".hidden.png").write_text("x", encoding="utf-8")
    (tmp_path / ".git").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    dataset = load(tmp_path)
    assert (len(dataset.targets), dataset.skipped) == (24, ())


def test_unreadable_images_are_left_out_and_named(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "cat" / "03.png").write_bytes(b"not an image")
    whole = (tmp_path / "dog" / "05.png").read_bytes()
    (tmp_path / "dog" / "05.png").write_bytes(whole[:-30])
    for dataset in (load(tmp_path), load(tmp_path)):
        assert dataset.skipped == ("cat/03.png", "dog/05.png")
        assert dataset.inputs[:, 0, 0, 0].tolist() == [
            *(i for i in range(12) if i != 3),
            *(i for i in range(12) if i != 5),
        ]


def test_a_limit_keeps_the_parts_in_proportion(tmp_path: Path) -> None:
    folder(tmp_path, ("train",), 30)
    folder(tmp_path, ("test",), 10)
    dataset = load(tmp_path, limit=40)
    assert dataset.targets.bincount().tolist() == [20, 20]
    assert dataset.parts.bincount(minlength=4).tolist() == [30, 0, 10, 0]
    assert dataset.fingerprint == load(tmp_path, limit=40).fingerprint


def test_a_changed_file_is_decoded_again(tmp_path: Path) -> None:
    before = load(folder(tmp_path)).fingerprint
    picture(tmp_path / "cat" / "00.png", value=99)
    assert load(tmp_path).fingerprint != before


def test_a_file_s_time_does_not_change_the_fingerprint(tmp_path: Path) -> None:
    before = load(folder(tmp_path)).fingerprint
    os.utime(tmp_path / "cat" / "00.png", (1, 1))
    assert load(tmp_path).fingerprint == before


@pytest.mark.parametrize("full_bytes", [cache.MAX_FULL_BYTES, 0])
def test_equal_names_sizes_and_times_are_no_equal_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_bytes: int
) -> None:
    """Two folders of bitmaps, which differ in their labels alone; then one of them in place."""
    monkeypatch.setattr(cache, "MAX_FULL_BYTES", full_bytes)
    for name, labels in (("a", ("cat", "dog")), ("b", ("dog", "cat"))):
        for value, label in enumerate(labels):
            for i in range(12):
                picture(tmp_path / name / label / f"{i}.bmp", value=value)
    for path in tmp_path.glob("*/*/*.bmp"):
        os.utime(path, (1, 1))
    cats = [int(load(tmp_path / name).inputs[0, 0, 0, 0]) for name in "ab"]
    assert cats == [0, 1]
    (tmp_path / "a" / "cat").rename(tmp_path / "a" / "was cat")
    (tmp_path / "a" / "dog").rename(tmp_path / "a" / "cat")
    (tmp_path / "a" / "was cat").rename(tmp_path / "a" / "dog")
    assert int(load(tmp_path / "a").inputs[0, 0, 0, 0]) == 1


def test_results_of_this_tool_are_no_data(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load(folder(tmp_path)).fingerprint
    (tmp_path / "runs").mkdir()
    open_database(f"sqlite:///{tmp_path}/runs/studies.db", create=True)
    picture(tmp_path / "runs" / "mine" / "charts" / "effects.png")
    assert load(tmp_path).fingerprint == before
    assert f"left out {tmp_path}/runs, which holds results of this tool" in caplog.text
    # Results of studies in a server's database, inside the folder of a class.
    (tmp_path / "cat" / "runs" / "mine" / "logs").mkdir(parents=True)
    picture(tmp_path / "cat" / "runs" / "mine" / "charts" / "effects.png")
    assert load(tmp_path).fingerprint == before
    # The database lies beside the images, so the folder of a study is beside those of classes.
    (tmp_path / "mine-2" / "logs").mkdir(parents=True)
    picture(tmp_path / "mine-2" / "charts" / "effects.png")
    assert load(tmp_path).fingerprint == before
    (tmp_path / "runs" / "studies.db").write_bytes(b"")
    assert load(tmp_path).fingerprint == before
    (tmp_path / "runs" / "studies.db").write_bytes(b"thumbnails")
    (tmp_path / "runs" / "mine" / "a.png").touch()
    assert "runs" in refusal(tmp_path)


def test_a_wrong_folder_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no class sub-folders" in refusal(empty)
    (empty / "cat").mkdir()
    assert "has no images" in refusal(empty)
    picture(empty / "dog" / "a.png")
    assert "class folder 'cat'" in refusal(empty)
    (empty / "cat").rmdir()
    assert "only one class ('dog')" in refusal(empty)
    picture(empty / "cat" / "a.png")
    assert "class 'cat' of" in refusal(empty) and "has 1 sample;" in refusal(empty)


def test_wrong_part_folders_are_refused(tmp_path: Path) -> None:
    root = folder(tmp_path / "a", ("train",))
    (root / "test" / "cat").mkdir(parents=True)
    assert "class folder 'test/cat'" in refusal(root)
    picture(root / "test" / "cat" / "a.png")
    assert "class 'dog' of" in refusal(root) and "in its test part" in refusal(root)
    (root / "extra").mkdir()
    assert "'extra' next to" in refusal(root)


def test_a_folder_without_a_readable_image_is_refused(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_text("no", encoding="utf-8")
    assert "none of the 2 images" in refusal(tmp_path)


def test_a_wrong_limit_is_refused(tmp_path: Path) -> None:
    folder(tmp_path)
    assert "limit 25 is larger" in refusal(tmp_path, limit=25)
    assert "limit 19 is too small for 2 classes" in refusal(tmp_path, limit=19)
