"""Read a folder of images: class sub-folders, optionally inside train, val and test folders."""

import logging
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training_factors.study.data.dataset import Decoded, PartLabel
from training_factors.study.data.images import decode_images
from training_factors.study.data.subset import balanced_subset, refuse_limit

SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm",
)  # fmt: skip
"""File name endings, in lower case, of images; other files are ignored."""

PART_FOLDERS = {
    "train": PartLabel.POOL,
    "training": PartLabel.POOL,
    "val": PartLabel.VALIDATION,
    "valid": PartLabel.VALIDATION,
    "validation": PartLabel.VALIDATION,
    "test": PartLabel.TEST,
    "testing": PartLabel.TEST,
}
"""Names, in lower case, of folders that hold one part of a divided data set."""


RESULTS = ("report.html", "importance.json", "logs", "checkpoints", "charts")
"""Names of what this tool writes into the folder of a study; two of them tell such a folder."""

logger = logging.getLogger(__name__)


class ImageFile(NamedTuple):
    """An image file that is not opened yet.

    name: path relative to the source folder.
    """

    name: str
    part: PartLabel
    class_name: str


class Listing(NamedTuple):
    """The image files of a folder, sorted by name, none of them opened yet.

    files: paths relative to `root`. targets: int64 indices into `classes`.
    parts: a `PartLabel` per file, uint8.
    """

    root: Path
    files: tuple[str, ...]
    targets: NDArray[np.int64]
    parts: NDArray[np.uint8]
    classes: tuple[str, ...]


def list_images(source: str) -> Listing:
    """List the images of a folder with their classes and parts.

    Hidden files, hidden folders, files with other suffixes and folders with results of this tool
    are ignored.

    Raises ValueError for a folder without images, without class folders or with an empty one.
    """
    class_folders = [
        (f"{prefix}{name}", list(_image_files(source, prefix, name, part)))
        for part, prefix in _part_folders(source)
        for name in _class_names(source, prefix)
    ]
    # Sorted by their bytes, so that the order does not depend on the locale.
    files = [file for _, files in class_folders for file in files]
    files.sort(key=lambda file: os.fsencode(file.name))
    if not files:
        raise ValueError(f"folder {source!r} has no images ({' '.join(SUFFIXES)})")
    empty = [folder for folder, files in class_folders if not files]
    if empty:
        raise ValueError(
            f"class folder {empty[0]!r} of {source!r} has no images; fill or remove it"
        )
    names = sorted({file.class_name for file in files}, key=os.fsencode)
    index = {name: i for i, name in enumerate(names)}
    return Listing(
        Path(source),
        tuple(file.name for file in files),
        np.array([index[file.class_name] for file in files], dtype=np.int64),
        np.array([file.part for file in files], dtype=np.uint8),
        tuple(shown_name(name) for name in names),
    )


def shown_name(name: str) -> str:
    """Return a file name as valid text: bytes that are no UTF-8 are shown as \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def limit_listing(listing: Listing, limit: int | None) -> Listing:
    """Keep a class-balanced subset of the files; None keeps all.

    Raises ValueError when the limit exceeds the number of files or is too small for a study.
    """
    if limit is None:
        return listing
    refuse_limit(limit, listing.targets, listing.classes)
    chosen = balanced_subset(listing.targets, listing.parts, limit)
    return listing._replace(
        files=tuple(listing.files[i] for i in chosen),
        targets=listing.targets[chosen],
        parts=listing.parts[chosen],
    )


def decode_folder(listing: Listing, side: int | None) -> Decoded:
    """Decode every file; leave out those that cannot be read and name them in `skipped`.

    side: of the images, in pixels; see `images.decode_images`.

    Raises ValueError when no file can be read.
    """
    images, readable = decode_images([listing.root / name for name in listing.files], side)
    if not any(readable):
        raise ValueError(
            f"none of the {len(readable)} images in {str(listing.root)!r} can be read; "
            f"check that the files are complete"
        )
    skipped = [shown_name(n) for n, good in zip(listing.files, readable, strict=True) if not good]
    return Decoded(
        images,
        listing.targets[readable],
        listing.classes,
        listing.parts[readable],
        tuple(skipped),
    )


def _part_folders(source: str) -> list[tuple[PartLabel, str]]:
    """Return (part, path prefix) of the folders that hold class folders.

    These are the train, val and test folders if one for training has sub-folders; else the source
    itself, with an empty prefix.
    """
    names = _subfolders(source)
    part_names = [name for name in names if name.lower() in PART_FOLDERS]
    if not any(
        PART_FOLDERS[name.lower()] is PartLabel.POOL and _subfolders(f"{source}/{name}")
        for name in part_names
    ):
        return [(PartLabel.UNDECIDED, "")]
    others = sorted(set(names) - set(part_names))
    if others:
        raise ValueError(
            f"folder {source!r} has {others[0]!r} next to {'/'.join(part_names)}; move it elsewhere"
        )
    return [(PART_FOLDERS[name.lower()], f"{name}/") for name in part_names]


def _class_names(source: str, prefix: str) -> list[str]:
    names = _subfolders(f"{source}/{prefix}")
    if not names:
        raise ValueError(
            f"folder {f'{source}/{prefix}'.rstrip('/')!r} has no class sub-folders; "
            f"put the images of each class into a folder of its own"
        )
    return names


def _image_files(source: str, prefix: str, name: str, part: PartLabel) -> Iterator[ImageFile]:
    for path in _walk(source, f"{prefix}{name}"):
        yield ImageFile(path, part, name)


def _walk(source: str, folder: str) -> Iterator[str]:
    """Yield the relative paths of all images below a folder."""
    with os.scandir(f"{source}/{folder}") as entries:
        for entry in entries:
            path = f"{folder}/{entry.name}"
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                if not _holds_results(f"{source}/{path}"):
                    yield from _walk(source, path)
            elif entry.name.lower().endswith(SUFFIXES):
                yield path


def _subfolders(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if e.is_dir() and not e.name.startswith((".", "__MACOSX"))]
    return sorted(name for name in names if not _holds_results(f"{folder}/{name}"))


def _holds_results(folder: str) -> bool:
    """Return whether a folder is that of a study, or holds such folders or their database."""
    entries = list(Path(folder).iterdir())
    is_own = any(entry.suffix == ".db" and _is_database(entry) for entry in entries) or any(
        sum((entry / name).exists() for name in RESULTS) > 1
        for entry in (Path(folder), *entries)
        if entry.is_dir()
    )
    if is_own:
        _say_left_out(folder)
    return is_own


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(16)
    return start == b"SQLite format 3\0" or (not start and path.name == "studies.db")


@cache
def _say_left_out(folder: str) -> None:
    logger.warning("left out %s, which holds results of this tool", folder)
