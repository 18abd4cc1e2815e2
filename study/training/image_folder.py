"""A folder of images: class sub-folders, with or without train, val and test above them."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training_factors.study.training.data_checks import refuse_limit
from training_factors.study.training.dataset import Decoded, PartLabel
from training_factors.study.training.images import decode_images
from training_factors.study.training.subset import balanced_subset

SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm",
)  # fmt: skip

PLACES = {
    "train": PartLabel.POOL,
    "training": PartLabel.POOL,
    "val": PartLabel.VALIDATION,
    "valid": PartLabel.VALIDATION,
    "validation": PartLabel.VALIDATION,
    "test": PartLabel.TEST,
    "testing": PartLabel.TEST,
}


class Listing(NamedTuple):
    """The image files of a folder in the order of their names, none of them opened yet.

    files: paths relative to `root`. targets: int64 classes. parts: a `Place` each.
    digest: of every file's name, size in bytes and time of change in ns.
    """

    root: Path
    files: tuple[str, ...]
    targets: NDArray[np.int64]
    parts: NDArray[np.uint8]
    classes: tuple[str, ...]
    digest: str


class ImageFile(NamedTuple):
    """A file as the folder lists it; they sort by name."""

    name: str
    size_bytes: int
    changed_ns: int
    place: PartLabel
    class_name: str


def list_images(source: str) -> Listing:
    """The images of a folder, with their classes and parts.

    Names that begin with a dot are passed over, and files that are no images by their suffix.
    Raises ValueError for a folder without images, without classes or with an empty class.
    """
    folders = [
        (f"{top}{name}", list(_images(source, top, name, place)))
        for place, top in _tops(source)
        for name in _class_names(source, top)
    ]
    files = sorted(file for _, inside in folders for file in inside)
    if not files:
        raise ValueError(f"folder {source!r} has no images ({' '.join(SUFFIXES)})")
    empty = [folder for folder, inside in folders if not inside]
    if empty:
        raise ValueError(
            f"class folder {empty[0]!r} of {source!r} has no images; fill or remove it"
        )
    classes = tuple(sorted({file.class_name for file in files}))
    index = {name: i for i, name in enumerate(classes)}
    facts = "\n".join(f"{file.name}\0{file.size_bytes}\0{file.changed_ns}" for file in files)
    return Listing(
        Path(source),
        tuple(file.name for file in files),
        np.array([index[file.class_name] for file in files], dtype=np.int64),
        np.array([file.place for file in files], dtype=np.uint8),
        classes,
        hashlib.sha256(os.fsencode(facts)).hexdigest(),
    )


def limited(listing: Listing, limit: int | None) -> Listing:
    """A class-balanced part of the files. Raises ValueError when there are not so many."""
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
    """Decode every file; those that cannot be read are left out and named.

    side: of the images, in pixels; see `images.decode_images`.
    """
    images, readable = decode_images([listing.root / name for name in listing.files], side)
    if not any(readable):
        raise ValueError(
            f"none of the {len(readable)} images in {str(listing.root)!r} can be read; "
            f"are they whole?"
        )
    skipped = [n for n, good in zip(listing.files, readable, strict=True) if not good]
    return Decoded(
        images,
        listing.targets[readable],
        listing.classes,
        listing.parts[readable],
        tuple(skipped),
    )


def _tops(source: str) -> list[tuple[PartLabel, str]]:
    """The folders that hold class folders, relative to the source: itself, or train, val, test."""
    names = _subfolders(source)
    parts = [name for name in names if name.lower() in PLACES]
    if not any(PLACES[n.lower()] is PartLabel.POOL and _subfolders(f"{source}/{n}") for n in parts):
        return [(PartLabel.UNDECIDED, "")]
    others = sorted(set(names) - set(parts))
    if others:
        raise ValueError(
            f"folder {source!r} has {others[0]!r} beside its {'/'.join(parts)}; move it elsewhere"
        )
    return [(PLACES[name.lower()], f"{name}/") for name in parts]


def _class_names(source: str, top: str) -> list[str]:
    names = _subfolders(f"{source}/{top}")
    if not names:
        raise ValueError(
            f"folder {f'{source}/{top}'.rstrip('/')!r} has no class sub-folders; "
            f"put the images of each class into a folder of its own"
        )
    return names


def _images(source: str, top: str, name: str, place: PartLabel) -> Iterator[ImageFile]:
    for path, size_bytes, changed_ns in _walk(source, f"{top}{name}"):
        yield ImageFile(path, size_bytes, changed_ns, place, name)


def _walk(source: str, folder: str) -> Iterator[tuple[str, int, int]]:
    """(relative path, bytes, time of change in ns) of all images in a folder and below."""
    with os.scandir(f"{source}/{folder}") as entries:
        for entry in entries:
            path = f"{folder}/{entry.name}"
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _walk(source, path)
            elif entry.name.lower().endswith(SUFFIXES):
                status = entry.stat()
                yield path, status.st_size, status.st_mtime_ns


def _subfolders(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if e.is_dir() and not e.name.startswith((".", "__MACOSX"))]
    return sorted(names)
