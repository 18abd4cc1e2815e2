"""The data sheet: counts, example images, augmentations, and nothing of the held-out parts."""

import base64
import io

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from training_factors.search_spaces.space import named_space
from training_factors.storage.database import Database
from training_factors.storage.datasheet import DataSheet, read_sheet
from training_factors.storage.definition import Definition
from training_factors.storage.studies import Study, create_confirmation, create_study
from training_factors.study.data.dataset import Decoded, to_dataset
from training_factors.study.data.division import divide
from training_factors.study.data.parts import PartLabel, unassigned
from training_factors.study.running import datasheet_builder
from training_factors.study.running.datasheet_builder import (
    MAX_IMAGE_SIDE,
    PREVIEW_IMAGES,
    build_datasheet,
    store_datasheet,
)
from training_factors.study.running.preparation import PreparedStudy, prepare_study
from training_factors.study.training.model import open_model


@pytest.fixture(scope="module")
def digits() -> PreparedStudy:
    return prepare_study(Definition(source="digits", limit=300, space="full"))


@pytest.fixture(scope="module")
def sheet(digits: PreparedStudy) -> DataSheet:
    return build_datasheet(digits)


def made(shape: tuple[int, ...], classes: int | None = 4, samples: int = 60) -> PreparedStudy:
    """Return images of which every pixel identifies its sample."""
    inputs = np.zeros((samples, *shape), dtype=np.uint8)
    inputs[:] = np.arange(samples).reshape(-1, *[1] * len(shape)) * 4
    names = None if classes is None else tuple("abcdefgh"[:classes])
    targets = np.arange(samples) % (classes or samples)
    dataset = to_dataset(Decoded(inputs, targets, names, unassigned(samples)), "made")
    space, left_out = named_space("full").for_problem(dataset.problem)
    model = open_model("mlp", dataset.problem)
    return PreparedStudy(Definition(), dataset, space, left_out, model)


def pixels(picture: str) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))


def tiles(picture: str, width: int) -> list[NDArray[np.uint8]]:
    strip = pixels(picture)
    assert (strip.shape[1] + 1) % (width + 1) == 0
    return [strip[:, i : i + width] for i in range(0, strip.shape[1], width + 1)]


def test_parts_are_counted_by_class(digits: PreparedStudy, sheet: DataSheet) -> None:
    indices = divide(digits.dataset, 0)
    assert sheet.classes == digits.dataset.classes
    assert list(sheet.parts) == ["pool", "validation", "test"]
    for name, samples in indices._asdict().items():
        counts = digits.dataset.targets[samples].bincount(minlength=10)
        assert sheet.parts[name] == counts.tolist()


def test_the_originals_are_pool_images_of_different_classes(
    digits: PreparedStudy, sheet: DataSheet
) -> None:
    pool = divide(digits.dataset, 0).pool
    known = {digits.dataset.inputs[i, 0].numpy().tobytes(): digits.dataset.targets[i] for i in pool}
    shown = [int(known[tile.tobytes()]) for tile in tiles(sheet.originals, 8)]
    assert len(shown) == PREVIEW_IMAGES
    assert shown == sorted(set(shown))


def test_every_option_of_every_augmentation_is_shown(
    digits: PreparedStudy, sheet: DataSheet
) -> None:
    augmenting = [f for f in digits.space.factors if f.topic == "data augmentation"]
    assert [(preview.factor, preview.option) for preview in sheet.augmented] == [
        (factor.name, option.name) for factor in augmenting for option in factor.options[1:]
    ]
    size = pixels(sheet.originals).shape
    for preview in sheet.augmented:
        assert pixels(preview.picture).shape == size
    (jitter,) = (preview for preview in sheet.augmented if preview.option == "jitter")
    assert jitter.hyperparameters == {"brightness": 0.3, "contrast": 0.3}, (
        "grey images have no saturation"
    )


def test_every_option_changes_an_image() -> None:
    """Images of 32 × 32: blurring one of 8 × 8 changes it by less than 1/255 of the range."""
    prepared = made((3, 32, 32))
    noise = np.random.default_rng(0).integers(0, 256, prepared.dataset.inputs.shape, np.uint8)
    dataset = prepared.dataset._replace(inputs=torch.from_numpy(noise))
    sheet = build_datasheet(prepared._replace(dataset=dataset))
    pictures = [sheet.originals, *(preview.picture for preview in sheet.augmented)]
    assert len(set(pictures)) == len(pictures) > 10


def test_the_sheet_depends_on_the_seed_only(digits: PreparedStudy, sheet: DataSheet) -> None:
    assert build_datasheet(digits) == sheet
    definition = digits.definition.model_copy(update={"seed": 1})
    assert build_datasheet(digits._replace(definition=definition)).originals != sheet.originals


def test_pictures_do_not_depend_on_held_out_samples(
    digits: PreparedStudy, sheet: DataSheet
) -> None:
    dataset = digits.dataset
    indices = divide(dataset, 0)
    # Dividing looks at classes, so the division is fixed first.
    parts, inputs, targets = (
        tensor.clone() for tensor in (dataset.parts, dataset.inputs, dataset.targets)
    )
    for samples, label in zip(indices, PartLabel, strict=False):
        parts[samples] = label
    for samples in (indices.validation, indices.test):
        inputs[samples] = 255 - inputs[samples]
        targets[samples] = 9 - targets[samples]
    garbage = dataset._replace(inputs=inputs, targets=targets, parts=parts)
    again = build_datasheet(digits._replace(dataset=garbage))
    assert again.originals == sheet.originals
    assert again.augmented == sheet.augmented


def test_with_few_classes_each_is_shown_equally_often() -> None:
    prepared = made((1, 8, 8), classes=2)
    targets = {int(v): int(t) for v, t in zip(prepared.dataset.inputs[:, 0, 0, 0],
                                              prepared.dataset.targets, strict=True)}  # fmt: skip
    shown = [targets[int(tile[0, 0])] for tile in tiles(build_datasheet(prepared).originals, 8)]
    assert shown == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("shape", "mode", "side"),
    [
        ((1, 5, 7), "L", (7, 5)),
        ((3, 9, 9), "RGB", (9, 9)),
        ((2, 6, 6), "L", (6, 6)),
        ((3, 100, 200), "RGB", (64, 32)),
        ((1, 1, 1), "L", (1, 1)),
    ],
)
def test_images_of_every_shape(shape: tuple[int, ...], mode: str, side: tuple[int, int]) -> None:
    sheet = build_datasheet(made(shape))
    for picture in (sheet.originals, *(preview.picture for preview in sheet.augmented)):
        strip = Image.open(io.BytesIO(base64.b64decode(picture)))
        assert strip.mode == mode
        assert strip.size == (PREVIEW_IMAGES * (side[0] + 1) - 1, side[1])
        assert max(side) <= MAX_IMAGE_SIDE


def test_tables_have_counts_only() -> None:
    table = build_datasheet(prepare_study(Definition(source="wine")))
    assert (table.originals, table.augmented) == ("", ())
    assert table.classes and sum(sum(part) for part in table.parts.values()) == 178
    numbers = build_datasheet(prepare_study(Definition(source="diabetes")))
    assert numbers.classes == ()
    assert [len(part) for part in numbers.parts.values()] == [1, 1, 1]
    assert sum(part[0] for part in numbers.parts.values()) == 442


def test_images_with_numeric_targets() -> None:
    sheet = build_datasheet(made((1, 8, 8), classes=None))
    assert len(tiles(sheet.originals, 8)) == PREVIEW_IMAGES
    assert sheet.parts.keys() == {"pool", "validation", "test"} and sheet.classes == ()


def test_a_held_factor_is_not_shown() -> None:
    definition = Definition(source="digits", limit=300, drop=("augment_mix",))
    sheet = build_datasheet(prepare_study(definition))
    assert "augment_mix" not in {preview.factor for preview in sheet.augmented}


def create(database: Database, prepared: PreparedStudy, name: str) -> Study:
    return create_study(database, name, prepared.stamp())


def test_the_sheet_is_stored_once_and_not_for_confirmations(
    database: Database, digits: PreparedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = create(database, digits, "mine")
    store_datasheet(study, digits)
    assert read_sheet(study) == build_datasheet(digits)
    monkeypatch.setattr(datasheet_builder, "build_datasheet", None)  # must not be called again
    store_datasheet(study, digits)
    confirmation = create_confirmation(study)
    store_datasheet(confirmation, digits)
    assert read_sheet(confirmation) is None


def test_building_a_sheet_does_not_use_the_global_generator(digits: PreparedStudy) -> None:
    before = torch.get_rng_state()
    build_datasheet(digits)
    assert torch.equal(torch.get_rng_state(), before)
