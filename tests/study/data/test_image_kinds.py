"""Images of every kind that people have are read as they look, and what is done is said.

Each set has two classes: a bright bar on the left or at the top, over noise.
"""

import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training_factors.study.data.dataset import Dataset
from training_factors.study.data.options import DataOptions
from training_factors.study.data.parts import PartLabel
from training_factors.study.data.sources import load_dataset

Save = Callable[[np.ndarray, Path], None]


def bar(generator: np.random.Generator, name: str, size: tuple[int, int] = (32, 32)) -> np.ndarray:
    """An image with levels 0 to 219; size: (width, height)."""
    image = generator.integers(0, 40, size[::-1])
    thickness = max(2, min(size) // 4)
    if name == "left":
        image[:, :thickness] += 180
    else:
        image[:thickness] += 180
    return image


def as_png(image: np.ndarray, path: Path) -> None:
    Image.fromarray(image.astype(np.uint8)).save(path.with_suffix(".png"))


def write(
    root: Path, save: Save = as_png, count: int = 12, size: tuple[int, int] = (32, 32)
) -> Path:
    generator = np.random.default_rng(0)
    for name in ("left", "top"):
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            save(bar(generator, name, size), root / name / f"{i:03}")
    return root


def load(root: Path, **options: str | int) -> Dataset:
    return load_dataset(str(root), DataOptions(**options))  # type: ignore[arg-type]


def shows_the_bars(dataset: Dataset, least: float = 80) -> bool:
    """Whether the bar is brighter than the rest in every image, at the place of its class."""
    images = dataset.inputs.float().mean(1)
    names = [(dataset.classes or ())[target].lower() for target in dataset.targets]
    for image, name in zip(images, names, strict=True):
        edge = image[:, 0] if name == "left" else image[0]
        if edge.mean() - image[-8:, -8:].mean() < least:
            return False
    return True


def said(dataset: Dataset) -> str:
    return "\n".join(map(str, dataset.notes))


def deep(factor: float, kind: type, suffix: str) -> Save:
    def save(image: np.ndarray, path: Path) -> None:
        Image.fromarray((image * factor).astype(kind)).save(path.with_suffix(suffix))

    return save


@pytest.mark.parametrize(
    ("save", "high"),
    [
        (deep(16, np.uint16, ".png"), "4095"),
        (deep(1, np.uint16, ".png"), "255"),
        (deep(256, np.uint16, ".png"), "65535"),
        (deep(1 / 255, np.float32, ".tif"), "1"),
        (deep(1, np.float32, ".tif"), "255"),
        (deep(256, np.int32, ".tif"), "65535"),
    ],
)
def test_one_scale_for_all_deep_images(tmp_path: Path, save: Save, high: str) -> None:
    dataset = load(write(tmp_path, save))
    plain = load(write(tmp_path / "plain"))
    assert shows_the_bars(dataset)
    assert abs(dataset.inputs.float().mean() - plain.inputs.float().mean()) < 2
    assert f"0 to {high} become 0 to 255" not in said(plain)
    assert f"0 to {high} become 0 to 255 in all files" in said(dataset)


def drawn_in_alpha(colour: int, grey: bool, inverted: bool = False) -> Save:
    def save(image: np.ndarray, path: Path) -> None:
        alpha = Image.fromarray((255 - image if inverted else image).astype(np.uint8))
        drawing = Image.new("L", alpha.size, colour)
        bands = [drawing, alpha] if grey else [drawing, drawing, drawing, alpha]
        Image.merge("LA" if grey else "RGBA", bands).save(path.with_suffix(".png"))

    return save


@pytest.mark.parametrize("grey", [True, False])
def test_drawings_in_the_alpha_channel_show(tmp_path: Path, grey: bool) -> None:
    black = load(write(tmp_path / "black", drawn_in_alpha(0, grey, inverted=True)))
    assert shows_the_bars(black) and "laid over white" in said(black)
    white = load(write(tmp_path / "white", drawn_in_alpha(255, grey)))
    assert shows_the_bars(white) and "laid over black" in said(white)


@pytest.mark.parametrize(
    ("suffix", "kind"), [(".jfif", "JPEG"), (".jpe", "JPEG"), (".avif", "AVIF"), ("", "PNG")]
)
def test_images_are_known_by_their_content(tmp_path: Path, suffix: str, kind: str) -> None:
    def save(image: np.ndarray, path: Path) -> None:
        with path.with_suffix(suffix).open("wb") as file:
            Image.fromarray(image.astype(np.uint8)).save(file, kind)

    write(tmp_path, save)
    (tmp_path / "left" / "notes.txt").write_text("no image", encoding="utf-8")
    (tmp_path / "left" / "Thumbs.db").write_bytes(b"no image")
    dataset = load(tmp_path)
    assert len(dataset.targets) == 24 and shows_the_bars(dataset, 60)
    assert said(dataset) == "left out: 1 file is no image (left/notes.txt)"


@pytest.mark.parametrize("size", [(320, 32), (128, 32), (32, 128), (200, 200)])
def test_nothing_is_cut_off(tmp_path: Path, size: tuple[int, int]) -> None:
    dataset = load(write(tmp_path, size=size))
    assert shows_the_bars(dataset)
    assert np.prod(dataset.problem.shape[1:]) <= 64 * 64 + 64
    assert ("in the same shape" in said(dataset)) == (np.prod(size) > 64 * 64)
    square = load(tmp_path, image_size=32)
    assert square.problem.shape == (1, 32, 32)


def test_images_of_several_shapes_get_borders(tmp_path: Path) -> None:
    write(tmp_path, size=(40, 20))
    as_png(np.full((20, 20), 200), tmp_path / "top" / "999")
    dataset = load(tmp_path)
    assert dataset.problem.shape == (1, 40, 40)
    assert "with black borders where the shape differs" in said(dataset)


def test_exif_turns_images_before_their_size_counts(tmp_path: Path) -> None:
    def save(image: np.ndarray, path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6  # turn to the right
        turned = Image.fromarray(image.astype(np.uint8)).transpose(Image.Transpose.ROTATE_90)
        turned.save(path.with_suffix(".jpg"), exif=exif, quality=95)

    dataset = load(write(tmp_path, save, size=(48, 32)))
    assert dataset.problem.shape == (1, 32, 48)
    assert shows_the_bars(dataset)
    assert "24 more" not in said(dataset) and "turned as their EXIF data says" in said(dataset)


def test_classes_of_equal_images_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    for i in range(12):
        as_png(np.zeros((32, 32)), tmp_path / "left" / f"{i:03}")
    assert "nearly all alike; look at them before training (left)" in said(load(tmp_path))


@pytest.mark.filterwarnings("error")
def test_a_very_large_image_is_named_without_a_library_s_warning(tmp_path: Path) -> None:
    write(tmp_path)
    Image.new("1", (11_000, 10_000)).save(tmp_path / "left" / "large.png")
    assert "of more than 100 million pixels (large.png)" in said(load(tmp_path))


@pytest.mark.parametrize(
    "tops",
    [
        ("training_set", "test_set"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("train_images", "test_images"),
        ("train1", "test1"),
        ("archive/train", "archive/test"),
        ("archive/data/Train", "archive/data/Test"),
    ],
)
def test_parts_are_known_by_their_names(tmp_path: Path, tops: tuple[str, ...]) -> None:
    for top in tops:
        write(tmp_path / top)
    dataset = load(tmp_path)
    assert dataset.classes == ("left", "top")
    assert dataset.parts.bincount(minlength=4).tolist() == [24, 0, 24, 0]


def test_wrapped_classes_are_found(tmp_path: Path) -> None:
    dataset = load(write(tmp_path / "archive" / "PetImages").parents[1])
    assert dataset.classes == ("left", "top")
    assert "one or more folders deeper (archive/PetImages)" in said(dataset)


@pytest.mark.parametrize("wrapper", ["test", "test/test", "test/unknown", "seg_pred/seg_pred"])
def test_unlabelled_images_are_left_out(tmp_path: Path, wrapper: str) -> None:
    write(tmp_path / "train")
    (tmp_path / wrapper).mkdir(parents=True)
    as_png(np.zeros((32, 32)), tmp_path / wrapper / "1")
    dataset = load(tmp_path)
    assert len(dataset.targets) == 24 and set(dataset.parts.tolist()) == {PartLabel.POOL}
    assert f"their images have no label ({wrapper.split('/')[0]})" in said(dataset)


def test_parts_without_training_are_refused(tmp_path: Path) -> None:
    for top in ("val", "test"):
        write(tmp_path / top)
    with pytest.raises(ValueError, match=r"parts of a divided set \(test, val\)"):
        load(tmp_path)


def test_one_class_in_two_spellings(tmp_path: Path) -> None:
    write(tmp_path / "train")
    write(tmp_path / "test")
    (tmp_path / "test" / "left").rename(tmp_path / "test" / "Left")
    for part, name in (
        ("train", unicodedata.normalize("NFC", "tôp")),
        ("test", unicodedata.normalize("NFD", "tôp")),
    ):
        (tmp_path / part / "top").rename(tmp_path / part / name)
    dataset = load(tmp_path)
    assert dataset.classes == ("Left", "tôp")
    assert dataset.targets.bincount().tolist() == [24, 24]
    assert "spelled in another way are the same class" in said(dataset)


def test_links_that_lead_nowhere_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "left" / "broken.png").symlink_to("nothing.png")
    (tmp_path / "left" / "loop").symlink_to(tmp_path)
    (tmp_path / "left" / "itself").symlink_to("itself")
    dataset = load(tmp_path)
    assert len(dataset.targets) == 24
    assert "left out: 3 files are no images (left/broken.png, left/itself, left/loop)" in said(
        dataset
    )
