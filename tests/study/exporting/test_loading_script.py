"""load.py reads new inputs as the data of the study were read, and predicts as the study does."""

import datetime
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import PIL.ImageOps
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.support.scripts import Data, content_of, run_script, train_here
from training_factors.search_spaces.space import Config
from training_factors.study.data.dataset import Dataset
from training_factors.study.data.division import divide, load_division, load_test_part
from training_factors.study.data.options import DataOptions
from training_factors.study.data.sources import load_dataset
from training_factors.study.exporting.normalization import model_metadata
from training_factors.study.exporting.preprocessing import describe_preprocessing
from training_factors.study.exporting.training_script import (
    render_loading_script,
    render_training_script,
)
from training_factors.study.training.loop import predict
from training_factors.study.training.training_state import Training

CPU = torch.device("cpu")
CONFIG: Config = {"optimizer": "adam", "normalization": "standardize"}


class Exported(NamedTuple):
    """A configuration that was trained here, and its load.py, whose files lie in the folder."""

    dataset: Dataset
    training: Training
    load: ModuleType
    data: Data


def export(
    source: str, options: DataOptions, config: Config = CONFIG, *, with_data: bool = True
) -> Exported:
    """Train a configuration, and write what load.py needs into the current folder."""
    dataset = load_dataset(source, options)
    indices = divide(dataset, 0)
    division = load_division(dataset, indices, CPU)
    data: Data = {}
    for name, part in (
        ("pool", division.pool),
        ("validation", division.validation),
        ("test", load_test_part(dataset, 0, CPU)),
    ):
        data[f"{name}.inputs"], data[f"{name}.targets"] = part.inputs[:], part.targets
    for name, chosen in zip(("pool", "validation", "test"), indices, strict=True):
        data[f"{name}.targets"] = dataset.targets[chosen]  # in the unit of the source
    content = content_of(config, dataset.problem, target_scale=division.target_scale, epochs=2)
    training = train_here(content, data)
    preprocessing = describe_preprocessing(
        dataset, indices.pool, division.target_scale, training.normalize
    )
    network = training.network.state_dict()
    weights = {name: tensor.contiguous().clone() for name, tensor in network.items()}
    save_file(weights, "model.safetensors", model_metadata(False, training.normalize))
    write("preprocess.json", preprocessing.as_document())
    write("classes.json", dataset.classes)
    if with_data:
        save_file({name: tensor.contiguous() for name, tensor in data.items()}, "data.safetensors")
    train = run_script(render_training_script(content))
    text = render_loading_script(content, preprocessing)
    return Exported(
        dataset, training, run_script(text, "load", also={"train": train, "PIL": PIL}), data
    )


def write(name: str, document: Any) -> None:
    Path(name).write_text(json.dumps(document), encoding="utf-8")


def run(
    exported: Exported,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *words: str,
) -> list[str]:
    """Run load.py with words of the command line; return the lines that it prints."""
    monkeypatch.setattr(sys, "argv", ["load.py", *words])
    exported.load.main()
    return capsys.readouterr().out.splitlines()


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*"), key=lambda path: str(path).encode())


def pixels(shape: tuple[int, ...], high: int = 256) -> Any:
    return np.random.default_rng(sum(shape)).integers(0, high, shape)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Make images of several sizes, modes and kinds, in two classes."""
    folder = tmp_path / "photos"
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(6):
            image = Image.fromarray(pixels((20 + number, 16, 3)).astype(np.uint8))
            image.save(folder / name / f"{number}.png")
        large = Image.fromarray(pixels((300, 260, 3)).astype(np.uint8))
        large.save(folder / name / "large.jpg")
        Image.fromarray(pixels((24, 18, 4)).astype(np.uint8)).save(folder / name / "clear.png")
        exif = Image.Exif()
        exif[0x0112] = 6
        large.save(folder / name / "turned.jpg", exif=exif)
        Image.fromarray(pixels((17, 20)).astype(np.uint8)).save(folder / name / "grey.png")
    return folder


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
def test_image_files_are_read_as_those_of_the_study(photos: Path, fit: str) -> None:
    exported = export(str(photos), DataOptions(image_size=12, fit=fit))
    for file, stored in zip(files_of(photos), exported.dataset.inputs, strict=True):
        assert exported.load.read_image(str(file))[0].equal(stored), file.name


def test_images_of_one_shape_are_only_scaled(tmp_path: Path) -> None:
    folder = tmp_path / "wide"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            image = Image.fromarray(pixels((99, 150, 3)).astype(np.uint8))
            image.save(folder / name / f"{number}.png")
    exported = export(str(folder), DataOptions())
    for file, stored in zip(files_of(folder), exported.dataset.inputs, strict=True):
        assert exported.load.read_image(str(file))[0].equal(stored)


def test_images_of_16_bits(tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            levels = pixels((12, 10 + number), 4000).astype(np.uint16)
            Image.fromarray(levels).save(folder / name / f"{number}.png")
    exported = export(str(folder), DataOptions(image_size=8))
    for file, stored in zip(files_of(folder), exported.dataset.inputs, strict=True):
        assert exported.load.read_image(str(file))[0].equal(stored)


def test_predictions_of_image_files(
    photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = export(str(photos), DataOptions(image_size=12))
    files = files_of(photos)[:3]
    expected = predict(exported.training, exported.dataset.inputs[:3]).softmax(1)
    lines = run(exported, capsys, monkeypatch, *map(str, files))
    assert lines == [
        f"{file}: {('cat', 'dog')[int(row.argmax())]} ({row.max():.1%})"
        for file, row in zip(files, expected, strict=True)
    ]


def test_a_file_that_is_no_image_ends_with_one_line() -> None:
    exported = export("digits", DataOptions(limit=200))
    Path("notes.txt").write_text("no image", encoding="utf-8")
    for file in ("notes.txt", "missing.png"):
        with pytest.raises(SystemExit, match=f"^{file} cannot be read: "):
            exported.load.read_image(file)


@pytest.fixture
def people(tmp_path: Path) -> pd.DataFrame:
    """Write a table with a column of every kind; return it."""
    rng = np.random.default_rng(0)
    count = 120
    days = [datetime.date(2000, 1, 1) + datetime.timedelta(days=int(n)) for n in range(count)]
    frame = pd.DataFrame(
        {
            "age": rng.integers(10, 80, count).astype(float),
            "sex": rng.choice(["f", "m"], count),
            "favourite colour": rng.choice(["red", "green", ""], count),
            "born": [days[number] for number in rng.permutation(count)],
            "big": 1.7e9 + rng.integers(0, 1000, count),
        }
    )
    frame["target"] = np.where(frame.age + rng.normal(0, 9, count) > 45, "yes", "no")
    frame.loc[::7, "age"] = np.nan
    frame.to_csv("people.csv", index=False)
    return frame


def words_of(row: "pd.Series[Any]") -> list[str]:
    return [
        f"{name}={value}" for name, value in row.items() if name != "target" and not pd.isna(value)
    ]


def test_rows_are_encoded_as_those_of_the_study(people: pd.DataFrame) -> None:
    exported = export("people.csv", DataOptions(target="target"))
    inputs = torch.cat([exported.data[f"{part}.inputs"] for part in ("pool", "validation", "test")])
    indices = torch.cat(list(divide(exported.dataset, 0)))
    for place, stored in zip(indices.tolist(), inputs, strict=True):
        row = exported.load.read_row(words_of(people.iloc[place]))[0]
        torch.testing.assert_close(row, stored, rtol=1e-5, atol=1e-5)


def test_the_prediction_of_a_row(
    people: pd.DataFrame, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = export("people.csv", DataOptions(target="target"))
    row = exported.load.read_row(words_of(people.iloc[1]))
    (expected,) = predict(exported.training, row).softmax(1)
    assert run(exported, capsys, monkeypatch, *words_of(people.iloc[1])) == [
        f"row: {('no', 'yes')[int(expected.argmax())]} ({expected.max():.1%})"
    ]


def test_missing_cells_are_named(people: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    exported = export("people.csv", DataOptions(target="target"))
    exported.load.read_row(["sex=m", "age=3"])
    words = "missing, filled as in training: favourite colour, born, big"
    assert capsys.readouterr().err.splitlines() == [words]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sex=m", "height=3"), "there is no column 'height'; the columns are age, sex, fav"),
        (("sex=x",), "sex is 'x'; it must be one of ['f', 'm']"),
        (("age=1",), "sex is ''; it must be one of ['f', 'm']"),
        (("sex=m", "age=old"), "age is 'old', which is no number"),
        (("sex=m", "born=soon"), "born is 'soon', which is no date"),
        (("sex",), "sex is ''; it must be"),
    ],
)
def test_a_wrong_row_ends_with_one_line(
    people: pd.DataFrame, words: tuple[str, ...], message: str
) -> None:
    exported = export("people.csv", DataOptions(target="target"))
    with pytest.raises(SystemExit) as caught:
        exported.load.read_row(list(words))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("normalization", ["min_max", "none", "standardize"])
def test_numbers_are_predicted_in_the_unit_of_the_source(
    normalization: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config: Config = {**CONFIG, "normalization": normalization}
    exported = export("diabetes", DataOptions(limit=100), config)
    scale = load_division(exported.dataset, divide(exported.dataset, 0), CPU).target_scale
    assert scale is not None
    outputs = predict(exported.training, exported.data["test.inputs"]) * scale.deviation
    expected = (outputs + scale.mean)[:5, 0]
    lines = run(exported, capsys, monkeypatch)
    shown = [float(line.split(": ")[1]) for line in lines[:5]]
    assert shown == pytest.approx(expected.tolist(), rel=1e-4)
    assert lines[5].startswith("test r2: ")


def test_the_test_part_is_predicted_where_nothing_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = export("digits", DataOptions(limit=200))
    outputs = predict(exported.training, exported.data["test.inputs"])
    accuracy = (outputs.argmax(1) == exported.data["test.targets"]).double().mean()
    assert run(exported, capsys, monkeypatch)[-1] == f"test accuracy: {accuracy:.4f}"


def test_without_its_data_load_asks_for_an_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = export("digits", DataOptions(limit=200), with_data=False)
    with pytest.raises(SystemExit, match="name an image file"):
        run(exported, capsys, monkeypatch)
