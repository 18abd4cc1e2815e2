"""Read a folder of images: class sub-folders, optionally inside train, val and test folders."""

import logging
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from training_factors.search_spaces.problem import strata
from training_factors.storage.data_report import LABELS, LEFT_OUT, PARTS, DataNote, data_note
from training_factors.study.data.dataset import Decoded
from training_factors.study.data.images import decode_images, is_image
from training_factors.study.data.parts import PartLabel, part_of
from training_factors.study.data.subset import balanced_subset, refuse_limit

SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm",
)  # fmt: skip
"""File name endings, in lower case, of images; other files are opened to see whether they are."""

UNLABELLED = frozenset({"pred", "predict", "prediction", "unlabeled", "unlabelled"})
"""Words in the names of folders whose images have no label."""

SYSTEM_FILES = ("Thumbs.db", "desktop.ini", "Desktop.ini")
"""Files that file managers write into folders of images; nobody takes them for data."""

RESULTS = ("report.html", "answer.json", "importance.json", "logs", "checkpoints", "charts")
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

    files: paths relative to `root`. targets: int64 indices into `classes`, or float32 numbers.
    parts: a `PartLabel` per file, uint8. classes: None for regression. notes: what was left out.
    groups: equal numbers for files that stay in one part.
    """

    root: Path
    files: tuple[str, ...]
    targets: NDArray[Any]
    parts: NDArray[np.uint8]
    classes: tuple[str, ...] | None
    notes: tuple[DataNote, ...] = ()
    groups: NDArray[np.int64] | None = None


def list_images(source: str) -> Listing:
    """List the images of a folder with their classes and parts.

    Hidden files, hidden folders and folders with results of this tool are ignored. Other files
    that are no images, and links to nothing or to a folder above, are left out and noted.

    Raises ValueError for a folder without images, without class folders or with an empty one.
    """
    left_out: list[str] = []
    layout: list[DataNote] = []
    class_folders = [
        (f"{prefix}{name}", list(_image_files(source, prefix, name, part, left_out)))
        for part, prefix in _part_folders(source, layout)
        for name in _class_names(source, prefix)
    ]
    # Sorted by their bytes, so that the order does not depend on the locale.
    files = [file for _, files in class_folders for file in files]
    files.sort(key=lambda file: os.fsencode(file.name))
    if not files:
        raise ValueError(f"folder {source!r} has no images in its class folders; add some")
    empty = [folder for folder, files in class_folders if not files]
    if empty:
        raise ValueError(
            f"class folder {empty[0]!r} of {source!r} has no images; fill or remove it"
        )
    spellings = _spellings(files)
    names = sorted(set(spellings.values()), key=os.fsencode)
    index = {spelling: names.index(name) for spelling, name in spellings.items()}
    notes = (*layout, *_listing_notes(left_out, spellings))
    return Listing(
        Path(source),
        tuple(file.name for file in files),
        np.array([index[file.class_name] for file in files], dtype=np.int64),
        np.array([file.part for file in files], dtype=np.uint8),
        tuple(unicodedata.normalize("NFC", shown_name(name)) for name in names),
        notes,
    )


def _spellings(files: Sequence[ImageFile]) -> dict[str, str]:
    """Return, for each name of a class folder, the name of its class.

    Names that differ only in Unicode's form are one class, and so are names that differ only in
    capitals, unless one part has both.
    """
    folded: dict[str, set[str]] = {}
    parts_of: dict[str, set[PartLabel]] = {}
    for name, part in {(file.class_name, file.part) for file in files}:
        composed = unicodedata.normalize("NFC", name)
        folded.setdefault(composed.casefold(), set()).add(composed)
        parts_of.setdefault(composed, set()).add(part)
    chosen = {}
    for same in folded.values():
        parts = [part for name in same for part in parts_of[name]]
        together = len(parts) == len(set(parts))
        chosen.update({name: min(same) if together else name for name in same})
    return {
        file.class_name: chosen[unicodedata.normalize("NFC", file.class_name)] for file in files
    }


def _listing_notes(left_out: Sequence[str], spellings: Mapping[str, str]) -> tuple[DataNote, ...]:
    notes = [*note_no_images(left_out)]
    merged = [shown_name(spelling) for spelling, name in spellings.items() if spelling != name]
    if merged:
        text = "class folders spelled in another way are the same class"
        notes.append(data_note(LABELS, text, sorted(merged)))
    return tuple(notes)


def note_no_images(left_out: Sequence[str]) -> list[DataNote]:
    """Return a note that names the files that are no images, if there are any."""
    if not left_out:
        return []
    names = [shown_name(name) for name in sorted(left_out, key=os.fsencode)]
    text = "1 file is no image" if len(names) == 1 else f"{len(names):,} files are no images"
    return [data_note(LEFT_OUT, text, names)]


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
    groups = strata(torch.from_numpy(listing.targets)).numpy()
    chosen = balanced_subset(groups, listing.parts, limit)
    return listing._replace(
        files=tuple(listing.files[i] for i in chosen),
        targets=listing.targets[chosen],
        parts=listing.parts[chosen],
        groups=None if listing.groups is None else listing.groups[chosen],
    )


def decode_folder(listing: Listing, side: int | None, fit: str | None = None) -> Decoded:
    """Decode every file; leave out those that cannot be read and name them in `skipped`.

    side: of the images, in pixels, and fit; see `images.decode_images`.

    Raises ValueError when no file can be read.
    """
    paths = [listing.root / name for name in listing.files]
    images, readable, notes, encoding = decode_images(paths, side, fit)
    if not any(readable):
        raise ValueError(
            f"none of the {len(readable)} images in {str(listing.root)!r} can be read; "
            f"check that the files are complete"
        )
    skipped = [shown_name(n) for n, good in zip(listing.files, readable, strict=True) if not good]
    text = "1 file is" if len(skipped) == 1 else f"{len(skipped):,} files are"
    unreadable = (
        [data_note(LEFT_OUT, f"{text} damaged and cannot be read", skipped)] if skipped else []
    )
    return Decoded(
        images,
        listing.targets[readable],
        listing.classes,
        listing.parts[readable],
        tuple(skipped),
        (*listing.notes, *unreadable, *notes),
        None if listing.groups is None else listing.groups[readable],
        encoding,
    )


def _part_folders(source: str, notes: list[DataNote]) -> list[tuple[PartLabel, str]]:
    """Return (part, path prefix) of the folders that hold class folders.

    These are the train, val and test folders if one for training has class folders; else the
    source itself, with an empty prefix, or the only folder in it. Parts without class folders,
    whose images have no label, are left out and noted.
    """
    base = _unwrapped(source, "", notes)
    names = _subfolders(_below(source, base))
    parts = {name: part for name in names if (part := part_of(name)) is not None}
    inner = {name: _unwrapped(source, f"{base}{name}/", notes) for name in parts}
    classes = {name: set(_subfolders(_below(source, inner[name]))) for name in parts}
    trained = {each for name in parts if parts[name] is PartLabel.POOL for each in classes[name]}
    if not trained:
        if len(parts) > 1 and len(parts) == len(names):
            raise ValueError(
                f"folder {source!r} holds parts of a divided set ({', '.join(sorted(parts))}), but "
                "none for training with a folder for each class; rename or sort them"
            )
        return [(PartLabel.UNDECIDED, base)]
    others = sorted(name for name in set(names) - set(parts) if not _is_unlabelled(name))
    if others:
        raise ValueError(
            f"folder {source!r} has {others[0]!r} next to {'/'.join(sorted(parts))}; move it "
            "elsewhere"
        )
    unlabelled = sorted(
        {name for name in parts if not classes[name] or not _shares_a_class(classes[name], trained)}
        | (set(names) - set(parts))
    )
    if unlabelled:
        text = "folders without class folders, so their images have no label"
        notes.append(data_note(LEFT_OUT, text, unlabelled))
    return [(parts[name], inner[name]) for name in parts if name not in unlabelled]


def _is_unlabelled(name: str) -> bool:
    return bool(set(re.findall(r"[a-z]+", name.lower())) & UNLABELLED)


def _shares_a_class(here: set[str], trained: set[str]) -> bool:
    """Return whether a part has classes of the training part; one other folder holds no class."""
    one, other = (
        {unicodedata.normalize("NFC", name).casefold() for name in names}
        for names in (here, trained)
    )
    return len(here) > 1 or bool(one & other)


def _unwrapped(source: str, prefix: str, notes: list[DataNote]) -> str:
    """Return the prefix of the folder below that is not just a wrapper around another one."""
    inner = prefix
    while True:
        names = _subfolders(_below(source, inner))
        if len(names) != 1 or (part_of(names[0]) is not None and inner == ""):
            break
        if not _subfolders(f"{source}/{inner}{names[0]}"):
            break
        inner = f"{inner}{names[0]}/"
    if inner != prefix:
        text = f"the classes of {prefix or 'the folder'} lie one or more folders deeper"
        notes.append(data_note(PARTS, text, [inner.rstrip("/")]))
    return inner


def _below(source: str, prefix: str) -> str:
    return f"{source}/{prefix}".rstrip("/")


def _class_names(source: str, prefix: str) -> list[str]:
    names = _subfolders(_below(source, prefix))
    if not names:
        raise ValueError(
            f"folder {_below(source, prefix)!r} has no class sub-folders; "
            f"put the images of each class into a folder of its own"
        )
    return names


def walk_images(source: str, left_out: list[str]) -> Iterator[str]:
    """Yield the paths of all images of a folder, relative to it; add what is none to `left_out`."""
    found: list[str] = []
    for path in _walk(source, ".", found):
        yield path.removeprefix("./")
    left_out.extend(path.removeprefix("./") for path in found)


def _image_files(
    source: str, prefix: str, name: str, part: PartLabel, left_out: list[str]
) -> Iterator[ImageFile]:
    for path in _walk(source, f"{prefix}{name}", left_out):
        yield ImageFile(path, part, name)


def _walk(source: str, folder: str, left_out: list[str]) -> Iterator[str]:
    """Yield the relative paths of all images below a folder; add what is none to `left_out`."""
    with os.scandir(f"{source}/{folder}") as entries:
        for entry in entries:
            path = f"{folder}/{entry.name}"
            if entry.name.startswith("."):
                continue
            if entry.is_symlink() and _leads_nowhere(entry):
                left_out.append(path)
            elif entry.is_dir():
                if not _holds_results(f"{source}/{path}"):
                    yield from _walk(source, path, left_out)
            elif entry.name.lower().endswith(SUFFIXES) or is_image(Path(entry.path)):
                yield path
            elif entry.name not in SYSTEM_FILES:
                left_out.append(path)


def _leads_nowhere(link: "os.DirEntry[str]") -> bool:
    """Return whether a link is broken, leads to itself, or to a folder that it lies in."""
    try:
        target = Path(link.path).resolve(strict=True)
    except (OSError, RuntimeError):
        return True
    return target.is_dir() and target in Path(link.path).parent.resolve().joinpath("x").parents


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    """Return whether an entry is a folder; false for a link that leads nowhere."""
    return Path(entry.path).is_dir() if entry.is_symlink() else entry.is_dir()


def _subfolders(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        names = [
            e.name for e in entries if _is_folder(e) and not e.name.startswith((".", "__MACOSX"))
        ]
    return sorted(name for name in names if not _holds_results(f"{folder}/{name}"))


def _holds_results(folder: str) -> bool:
    """Return whether a folder is that of a study, or holds such folders or their database."""
    with os.scandir(folder) as found:
        entries = [entry for entry in found if entry.name.endswith(".db") or _is_folder(entry)]
    is_own = any(
        entry.name.endswith(".db") and _is_database(Path(entry.path)) for entry in entries
    ) or any(
        sum((place / name).exists() for name in RESULTS) > 1
        for place in (Path(folder), *(Path(entry.path) for entry in entries if _is_folder(entry)))
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
