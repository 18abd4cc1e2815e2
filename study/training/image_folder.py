"""A folder of images: a sub-folder per class, with or without train, val and test above them."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from study.training.dataset import Dataset, Origin, assemble
from study.training.subset import balanced

PARTS = {
    "train": Origin.POOL,
    "val": Origin.VALIDATION,
    "valid": Origin.VALIDATION,
    "validation": Origin.VALIDATION,
    "test": Origin.TEST,
}

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")

LARGEST = 64
"""Side in pixels of images that differ in size, or are larger, unless another is asked for."""


class Listing(NamedTuple):
    """The images of a folder, not yet read.

    files: (path below the folder, bytes, time of change in ns), in order of the paths.
    labels: index of the class of each; origins: `Origin` of each.
    """

    folder: Path
    files: tuple[tuple[str, int, int], ...]
    labels: tuple[int, ...]
    origins: tuple[int, ...]
    classes: tuple[str, ...]

    def digest(self) -> str:
        """Changes when a file is added, removed, or written again."""
        return hashlib.sha256(repr(self.files).encode()).hexdigest()


def find_images(folder: Path, limit: int | None) -> Listing:
    """List a folder, or a class-balanced subset of it.

    Raises ValueError when it holds no images, one class only, or a class without images.
    """
    found = [(part, origin) for part, origin in PARTS.items() if (folder / part).is_dir()]
    roots = found or [("", Origin.UNDECIDED)]
    names = sorted({entry.name for part, _ in roots for entry in _folders(folder / part)})
    files, labels, origins = [], [], []
    for part, origin in roots:
        for label, name in enumerate(names):
            for file in _images(folder, Path(part) / name):
                files.append(file)
                labels.append(label)
                origins.append(int(origin))
    _check(folder, names, labels)
    if limit is not None:
        chosen = balanced(torch.tensor(labels), torch.tensor(origins), limit).tolist()
        files, labels, origins = (
            [column[i] for i in chosen] for column in (files, labels, origins)
        )
    return Listing(folder, tuple(files), tuple(labels), tuple(origins), tuple(names))


def decode_folder(listing: Listing, image_size: int | None) -> Dataset:
    """Read every image of a listing; those that cannot be read are left out and named."""
    paths = [listing.folder / name for name, _, _ in listing.files]
    with ThreadPoolExecutor() as pool:
        shapes = [shape for shape in pool.map(_shape, paths, chunksize=64) if shape]
        if not shapes:
            raise ValueError(
                f"none of the {len(paths)} images in {str(listing.folder)!r} can be read"
            )
        mode = "L" if all(mode in ("L", "1") for mode, _ in shapes) else "RGB"
        size = image_size or _common_size([size for _, size in shapes])
        images = list(pool.map(lambda path: _decode(path, mode, size), paths, chunksize=64))
    read = [i for i, image in enumerate(images) if image is not None]
    skipped = tuple(listing.files[i][0] for i, image in enumerate(images) if image is None)
    stacked = np.stack([image for image in images if image is not None])
    return assemble(
        listing.folder.name,
        torch.from_numpy(stacked),
        torch.tensor(listing.labels)[read],
        listing.classes,
        torch.tensor(listing.origins, dtype=torch.uint8)[read],
        skipped,
    )


def _folders(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]


def _images(folder: Path, below: Path) -> list[tuple[str, int, int]]:
    found = []
    if (folder / below).is_dir():
        with os.scandir(folder / below) as entries:
            for entry in entries:
                if entry.name.lower().endswith(SUFFIXES) and entry.is_file():
                    stat = entry.stat()
                    found.append((str(below / entry.name), stat.st_size, stat.st_mtime_ns))
    return sorted(found)


def _check(folder: Path, names: list[str], labels: list[int]) -> None:
    shown = repr(str(folder))
    if not labels:
        raise ValueError(
            f"folder {shown} holds no images; it needs a sub-folder of images for each class"
        )
    empty = [name for label, name in enumerate(names) if label not in set(labels)]
    if empty:
        raise ValueError(f"folder {shown}: class {empty[0]!r} holds no images; fill or remove it")
    if len(names) < 2:
        raise ValueError(f"folder {shown} holds one class only ({names[0]}); a study needs two")


def _shape(path: Path) -> tuple[str, tuple[int, int]] | None:
    try:
        with Image.open(path) as image:
            return image.mode, image.size
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        return None


def _common_size(sizes: list[tuple[int, int]]) -> int:
    width, height = sizes[0]
    same = all(size == sizes[0] for size in sizes)
    return width if same and width == height <= LARGEST else LARGEST


def _decode(path: Path, mode: str, size: int) -> NDArray[np.uint8] | None:
    """(channels, size, size): the shorter side scaled to `size`, then the middle cut out."""
    try:
        with Image.open(path) as opened:
            image = opened.convert(mode)
    except (OSError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError):
        return None
    width, height = image.size
    if (width, height) != (size, size):
        short = min(width, height)
        left, top = (width - short) / 2, (height - short) / 2
        box = (left, top, left + short, top + short)
        image = image.resize((size, size), Image.Resampling.BILINEAR, box=box)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if mode == "L" else np.ascontiguousarray(pixels.transpose(2, 0, 1))
