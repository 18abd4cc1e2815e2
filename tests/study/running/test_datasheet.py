"""What a data sheet shows, and what it must not."""

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
from training_factors.storage.studies import Study, confirmation_name, create_study
from training_factors.study.running import datasheet_builder
from training_factors.study.running.datasheet_builder import (
    LARGEST,
    PREVIEW_IMAGES,
    build_datasheet,
    store_datasheet,
)
from training_factors.study.running.preparation import PreparedStudy, prepare_study
from training_factors.study.training.dataset import Decoded, PartLabel, to_dataset, unassigned
from training_factors.study.training.division import divide
from training_factors.study.training.network import open_model


@pytest.fixture(scope="module")
def digits() -> PreparedStudy:
    return prepare_study(Definition(source="digits", limit=300, space="full"))


@pytest.fixture(scope="module")
def sheet(digits: PreparedStudy) -> DataSheet:
    return build_datasheet(digits)


def made(shape: tuple[int, ...], classes: int | None = 4, samples: int = 60) -> PreparedStudy:
    """Images whose every value says which sample it belongs to."""
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
    for name, own in indices._asdict().items():
        assert sheet.parts[name] == digits.dataset.targets[own].bincount(minlength=10).tolist()


def test_the_originals_are_images_of_the_pool_each_of_another_class(
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
    assert [(one.factor, one.option) for one in sheet.augmented] == [
        (factor.name, option.name) for factor in augmenting for option in factor.options[1:]
    ]
    size = pixels(sheet.originals).shape
    for one in sheet.augmented:
        assert pixels(one.picture).shape == size
    (jitter,) = (one for one in sheet.augmented if one.option == "jitter")
    assert jitter.hyperparameters == {"brightness": 0.3, "contrast": 0.3}, (
        "grey images have no saturation"
    )


def test_every_option_changes_an_image() -> None:
    """Of 32 × 32; an image of 8 × 8 is blurred by less than a 255th of the range."""
    prepared = made((3, 32, 32))
    noise = np.random.default_rng(0).integers(0, 256, prepared.dataset.inputs.shape, np.uint8)
    dataset = prepared.dataset._replace(inputs=torch.from_numpy(noise))
    found = build_datasheet(prepared._replace(dataset=dataset))
    pictures = [found.originals, *(one.picture for one in found.augmented)]
    assert len(set(pictures)) == len(pictures) > 10


def test_the_seed_decides(digits: PreparedStudy, sheet: DataSheet) -> None:
    assert build_datasheet(digits) == sheet
    definition = digits.definition.model_copy(update={"seed": 1})
    assert build_datasheet(digits._replace(definition=definition)).originals != sheet.originals


def test_no_picture_depends_on_what_is_held_out(digits: PreparedStudy, sheet: DataSheet) -> None:
    dataset = digits.dataset
    indices = divide(dataset, 0)
    # The draw itself looks at classes; from here on it is the source's own.
    parts, inputs, targets = (t.clone() for t in (dataset.parts, dataset.inputs, dataset.targets))
    for part, place in zip(indices, PartLabel, strict=False):
        parts[part] = place
    for part in (indices.validation, indices.test):
        inputs[part] = 255 - inputs[part]
        targets[part] = 9 - targets[part]
    garbage = dataset._replace(inputs=inputs, targets=targets, parts=parts)
    again = build_datasheet(digits._replace(dataset=garbage))
    assert again.originals == sheet.originals
    assert again.augmented == sheet.augmented


def test_with_few_classes_each_is_shown_as_often() -> None:
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
    found = build_datasheet(made(shape))
    for picture in (found.originals, *(one.picture for one in found.augmented)):
        strip = Image.open(io.BytesIO(base64.b64decode(picture)))
        assert strip.mode == mode
        assert strip.size == (PREVIEW_IMAGES * (side[0] + 1) - 1, side[1])
        assert max(side) <= LARGEST


def test_tables_and_numbers_have_counts_alone() -> None:
    table = build_datasheet(prepare_study(Definition(source="wine")))
    assert (table.originals, table.augmented) == ("", ())
    assert table.classes and sum(sum(part) for part in table.parts.values()) == 178
    numbers = build_datasheet(prepare_study(Definition(source="diabetes")))
    assert numbers.classes == ()
    assert [len(part) for part in numbers.parts.values()] == [1, 1, 1]
    assert sum(part[0] for part in numbers.parts.values()) == 442


def test_images_that_stand_for_numbers() -> None:
    found = build_datasheet(made((1, 8, 8), classes=None))
    assert len(tiles(found.originals, 8)) == PREVIEW_IMAGES
    assert found.parts.keys() == {"pool", "validation", "test"} and found.classes == ()


def test_a_held_factor_is_not_shown() -> None:
    definition = Definition(source="digits", limit=300, drop=("augment_mix",))
    found = build_datasheet(prepare_study(definition))
    assert "augment_mix" not in {one.factor for one in found.augmented}


def a_study(database: Database, prepared: PreparedStudy, name: str) -> Study:
    return create_study(database, name, prepared.stamp())


def test_it_is_kept_once_and_not_for_confirmations(
    database: Database, digits: PreparedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = a_study(database, digits, "mine")
    store_datasheet(study, digits)
    kept = read_sheet(study)
    assert kept == build_datasheet(digits)
    monkeypatch.setattr(datasheet_builder, "build_datasheet", None)  # it would be called no more
    store_datasheet(study, digits)
    confirmation = a_study(database, digits, confirmation_name("mine"))
    store_datasheet(confirmation, digits)
    assert read_sheet(confirmation) is None


def test_it_leaves_the_global_generator_alone(digits: PreparedStudy) -> None:
    before = torch.get_rng_state()
    build_datasheet(digits)
    assert torch.equal(torch.get_rng_state(), before)
