"""The files that this tool writes into a study's folder: tell them from others, delete them."""

from pathlib import Path
from typing import NamedTuple

from training_factors.storage.checkpoints import SUFFIX
from training_factors.storage.files import PARTIAL

OWN_FILES = {
    "charts": ("*.png", "*.svg"),
    "tables": ("*.csv", "*.parquet"),
    "logs": ("*.log",),
    "checkpoints": (f"*{SUFFIX}",),
    "also": ("*.toml",),
    ".": (
        "report.html",
        "answer.json",
        "importance.json",
        "importance.png",
        "importance.svg",
        "recommended.toml",
    ),
}
"""Folder within that of the study -> patterns of the names of the files that are written there.

Exported models are left out: they are what the user takes home, wherever they lie."""


class StudyFiles(NamedTuple):
    """The files in the folder of a study: this tool's own ones, and all others."""

    own: list[Path]
    foreign: list[Path]


def files_of(folder: Path) -> StudyFiles:
    """Return the files of a study's folder; partly written ones of this tool are its own."""
    found = {
        path
        for place in _own_folders(folder)
        for pattern in (*OWN_FILES[place.relative_to(folder).as_posix()], f".*{PARTIAL}")
        for path in place.glob(pattern)
        if path.is_file()
    }
    foreign = {path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()}
    return StudyFiles(sorted(found), sorted(foreign - found))


def delete_own_files(folder: Path) -> list[tuple[Path, str]]:
    """Delete the files that this tool has written, and then its folders that are empty.

    Returns what could not be deleted, each with the reason.
    """
    failed = []
    for path in files_of(folder).own:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:  # another program has it open, or its folder cannot be written
            failed.append((path, error.strerror or type(error).__name__))
    for place in _own_folders(folder):
        try:
            if not any(place.iterdir()):
                place.rmdir()
        except OSError as error:
            failed.append((place, error.strerror or type(error).__name__))
    return failed


def _own_folders(folder: Path) -> list[Path]:
    """Return the folders in which this tool writes, the study's last; links lead elsewhere."""
    places = (folder / name for name in OWN_FILES)
    return [place for place in places if place.is_dir() and not place.is_symlink()]
