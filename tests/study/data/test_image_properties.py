"""Random folders and images: parts and classes by their names, pixels as Pillow reads them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from training_factors.study.data.image_folder import list_images
from training_factors.study.data.images import decode_images
from training_factors.study.data.parts import PartLabel

PART_WORDS = {
    PartLabel.POOL: ("train", "training", "Train"),
    PartLabel.VALIDATION: ("val", "valid", "Validation"),
    PartLabel.TEST: ("test", "testing", "TEST"),
}
SPELLINGS = ("{}", "{}_set", "{}1", "seg_{}", "{}_images", "{}-data", "{} split")
CLASS_NAMES = st.lists(
    st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8).filter(
        lambda name: name.lower() == name and "train" not in name and name not in ("val", "test")
    ),
    min_size=2,
    max_size=4,
    unique_by=lambda name: name.casefold(),
)


@settings(max_examples=40, deadline=None)
@given(
    classes=CLASS_NAMES,
    parts=st.sets(st.sampled_from([PartLabel.VALIDATION, PartLabel.TEST])),
    spelling=st.sampled_from(SPELLINGS),
    word=st.integers(0, 2),
    wrappers=st.lists(st.sampled_from(["archive", "PetImages", "v2"]), max_size=2),
    is_divided=st.booleans(),
)
def test_random_layouts(
    tmp_path_factory: pytest.TempPathFactory,
    classes: list[str],
    parts: set[PartLabel],
    spelling: str,
    word: int,
    wrappers: list[str],
    is_divided: bool,
) -> None:
    root = tmp_path_factory.mktemp("layout")
    base = root.joinpath(*wrappers)
    labels = [PartLabel.POOL, *sorted(parts)] if is_divided else [PartLabel.UNDECIDED]
    for label in labels:
        folder = base / spelling.format(PART_WORDS[label][word]) if is_divided else base
        for name in classes:
            (folder / name).mkdir(parents=True)
            Image.new("L", (4, 4), len(name)).save(folder / name / "one.png")
    listing = list_images(str(root))
    assert listing.classes is not None and len(listing.classes) == len(classes)
    # A training part alone is divided as a whole that is not divided yet.
    found = np.where(listing.parts == PartLabel.UNDECIDED, PartLabel.POOL, listing.parts)
    assert set(found.tolist()) == {0 if label is PartLabel.UNDECIDED else int(label)
                                   for label in labels}  # fmt: skip
    for file, label, target in zip(listing.files, found, listing.targets, strict=True):
        *_, above, name, _ = ("", *Path(file).parts)
        assert listing.classes[target].casefold() == name.casefold() or not name.isascii()
        if is_divided:
            assert above == spelling.format(PART_WORDS[PartLabel(label)][word])


MODES = {
    "1": (".png", ".tiff", ".bmp"),
    "L": (".png", ".tiff", ".bmp", ".pgm"),
    "P": (".png", ".gif", ".bmp"),
    "RGB": (".png", ".tiff", ".bmp", ".ppm"),
    "CMYK": (".tiff",),
    "YCbCr": (".tiff",),
    "HSV": (),
}
"""Modes of Pillow -> formats that store them without a loss."""


@settings(max_examples=80, deadline=None)
@given(
    chosen=st.lists(
        st.sampled_from([(mode, suffix) for mode, ends in MODES.items() for suffix in ends]),
        min_size=1,
        max_size=5,
    ),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    seed=st.integers(0, 2**32 - 1),
)
def test_random_modes_are_converted_as_pillow_does(
    tmp_path_factory: pytest.TempPathFactory,
    chosen: list[tuple[str, str]],
    size: tuple[int, int],
    seed: int,
) -> None:
    folder = tmp_path_factory.mktemp("modes")
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    paths = []
    for i, (mode, suffix) in enumerate(chosen):
        paths.append(folder / f"{i}{suffix}")
        Image.fromarray(pixels).convert(mode).save(paths[-1])
    decoded = decode_images(paths, None)
    assert decoded.readable == [True] * len(paths)
    channels = decoded.images.shape[1]
    for path, got in zip(paths, decoded.images, strict=True):
        with Image.open(path) as image:
            assert channels == 3 or image.mode in ("1", "L")
            expected = np.asarray(image.convert("L" if channels == 1 else "RGB"))
        assert got.tolist() == np.atleast_3d(expected).transpose(2, 0, 1).tolist()


@settings(max_examples=40, deadline=None)
@given(
    bits=st.integers(9, 16),
    kind=st.sampled_from(["uint16", "int32", "float32"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_deep_images_are_scaled_by_the_range_of_all(
    tmp_path_factory: pytest.TempPathFactory, bits: int, kind: str, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("deep")
    top = 2**bits - 1
    values = np.random.default_rng(seed).integers(0, top + 1, (3, 6, 5))
    values[0, 0, 0] = top
    stored = values / top if kind == "float32" else values
    paths = [folder / f"{i}.tiff" for i in range(3)]
    for path, image in zip(paths, stored, strict=True):
        Image.fromarray(image.astype(kind)).save(path)
    decoded = decode_images(paths, None)
    assert decoded.images[:, 0].tolist() == pytest.approx(np.rint(values * (255 / top)), abs=1)
