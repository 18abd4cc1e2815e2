"""Keep decoded data on disk, so that a machine decodes a data set once and has it in memory once.

The files of an entry are memory-mapped, so all processes that use it share the pages, and pages
that nobody uses need no memory. Arrays above a quarter of the machine's memory are never in memory
as a whole: they are also decoded into a file.
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training_factors.storage.data_report import read_data_report
from training_factors.study.data.dataset import Dataset, Decoded, to_dataset
from training_factors.study.data.encoding import encoding_document, read_encoding

CACHE_FORMAT = 4
"""Version of the decoders; increase it when one gives other values, to ignore older entries."""

MAX_FULL_BYTES = 2**28
"""Maximum size of a source whose whole content is read for its cache key: 256 MiB.

Reading 20,000 images of 61 MB in all took 0.4 s (one of two Xeon cores, files in memory).
"""

SAMPLED_FILES, SAMPLED_BYTES = 64, 2**16
"""Number of files of a larger source that are read for its cache key, and bytes of each."""

CHUNK_BYTES = 2**20
"""Number of bytes of a source that are in memory at a time while its cache key is computed."""

ARRAYS = ("inputs", "targets", "parts", "twins", "groups")
"""The fields of a data set that an entry stores as .npy files."""

logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return the folder of decoded and downloaded data: `$XDG_CACHE_HOME/training-factors`.

    Without a home folder, as in containers whose user has no passwd entry, it lies in the folder
    for temporary files; this is said once.
    """
    cache_home = os.environ.get("XDG_CACHE_HOME")
    if cache_home:
        return Path(cache_home) / "training-factors"
    try:
        return Path.home() / ".cache/training-factors"
    except RuntimeError:
        return _temporary_cache_folder()


@cache
def _temporary_cache_folder() -> Path:
    """Create a cache folder of this user's in the folder for temporary files."""
    user = os.getuid() if hasattr(os, "getuid") else 0  # what Windows says of every file's owner
    folder = Path(tempfile.gettempdir()) / f"training-factors-{user}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if folder.is_symlink() or folder.stat().st_uid != user:
        folder = Path(tempfile.mkdtemp(prefix="training-factors-"))  # somebody else made it
    logger.warning("there is no home folder; decoded data is kept in %s", folder)
    return folder


def load_or_decode(
    identity: tuple[object, ...], name: str, decode: Callable[[], Decoded]
) -> Dataset:
    """Load the data set from the cache, or decode and cache it.

    identity: the cache key, plain values that change whenever the source does.
    name: of the data set, as shown; not part of the key.
    decode: called when the entry is missing or damaged.

    Where the cache cannot be written, warn once and return the decoded data.
    """
    key = json.dumps([CACHE_FORMAT, *identity])
    entry = cache_folder() / hashlib.sha256(key.encode()).hexdigest()[:32]
    dataset = _read_entry(entry, name)
    if dataset is not None:
        return dataset
    decoded = to_dataset(decode(), name)
    try:
        _write_entry(entry, decoded)
    except OSError as error:
        _warn_once(entry.parent, error.strerror or str(error))
        return decoded
    return _read_entry(entry, name) or decoded  # mapped, as other processes have it


def digest_files(root: Path, names: Sequence[str]) -> str:
    """Return a digest that changes whenever the files of a source do; for the cache key.

    It covers names and content. Of a source above `MAX_FULL_BYTES` it covers instead where the
    files are, their inodes, sizes and times of change, and a sample of their content. The time of
    the last status change (ctime) cannot be set back as that of the content can.

    root: the folder of the source. names: of its files, relative to it.
    """
    digest = hashlib.sha256()
    paths = [root / name for name in names]
    statuses = [path.stat() for path in paths]
    is_read_fully = sum(status.st_size for status in statuses) <= MAX_FULL_BYTES
    for name, status in zip(names, statuses, strict=True):
        digest.update(os.fsencode(f"{name}\0{status.st_size}\0"))
    if is_read_fully:
        for path in paths:
            _add_content(digest, path, MAX_FULL_BYTES)
        return digest.hexdigest()
    digest.update(os.fsencode(root.resolve()))
    for status in statuses:
        times = f"{status.st_mtime_ns}\0{status.st_ctime_ns}"
        digest.update(f"{status.st_dev}\0{status.st_ino}\0{times}\0".encode())
    for path in paths[:: max(1, len(paths) // SAMPLED_FILES)]:
        _add_content(digest, path, SAMPLED_BYTES)
    return digest.hexdigest()


def _add_content(digest: "hashlib._Hash", path: Path, size_bytes: int) -> None:
    """Add the first bytes of a file to a digest; a fixed word where it cannot be read."""
    try:
        with path.open("rb") as file:
            for start in range(0, size_bytes, CHUNK_BYTES):
                chunk = file.read(min(CHUNK_BYTES, size_bytes - start))
                if not chunk:
                    return
                digest.update(chunk)
    except OSError:
        digest.update(b"unreadable")


def allocate(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return an uninitialized uint8 array; a large one lies in an unnamed temporary file.

    The file is in the cache folder, or in the system's temporary folder if that cannot be written.
    """
    if not is_large(prod(shape)):
        return np.empty(shape, dtype=np.uint8)
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            return np.memmap(file, dtype=np.uint8, mode="w+", shape=shape)
    except OSError:
        with tempfile.TemporaryFile() as file:
            return np.memmap(file, dtype=np.uint8, mode="w+", shape=shape)


def is_large(size_bytes: int) -> bool:
    """Return whether this is more than a quarter of the machine's memory."""
    return 4 * size_bytes > os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _read_entry(entry: Path, name: str) -> Dataset | None:
    """Read a cache entry; None when it is missing or damaged."""
    try:
        metadata = json.loads((entry / "dataset.json").read_text(encoding="utf-8"))
        arrays = {array: _load_array(entry / f"{array}.npy") for array in ARRAYS}
        if {name: [a.dtype.str, list(a.shape)] for name, a in arrays.items()} != metadata["arrays"]:
            return None
        tensors: dict[str, Any] = {each: torch.from_numpy(arrays[each]) for each in ARRAYS}
        return Dataset(
            name=name,
            classes=metadata["classes"] and tuple(metadata["classes"]),
            skipped=tuple(metadata["skipped"]),
            fingerprint=str(metadata["fingerprint"]),
            notes=read_data_report(metadata).notes,
            encoding=read_encoding(metadata["encoding"]),
            **tensors,
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def _load_array(path: Path) -> NDArray[Any]:
    """Memory-map a .npy file of any element type.

    The map is private (copy on write), since torch warns about memory that it may not write to;
    the file never changes (whoever cuts it off in place ends the processes that use it; renaming
    and deleting it is safe). Raises OSError, EOFError or ValueError when the file is damaged.
    """
    array: NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
    return array


def _write_entry(entry: Path, dataset: Dataset) -> None:
    """Write a cache entry atomically: raise OSError and leave nothing if that fails."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f"{entry.name}.", dir=entry.parent))
    try:
        _write_files(staging, dataset)
        if entry.exists() and _read_entry(entry, dataset.name) is None:
            shutil.rmtree(entry, ignore_errors=True)
        try:
            staging.rename(entry)
        except OSError:
            # If the folder exists by now, another process has written the same entry first.
            if not entry.exists():
                raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write_files(folder: Path, dataset: Dataset) -> None:
    arrays = {name: np.asarray(getattr(dataset, name)) for name in ARRAYS}
    metadata = {
        "arrays": {name: [array.dtype.str, array.shape] for name, array in arrays.items()},
        "classes": dataset.classes,
        "skipped": dataset.skipped,
        "fingerprint": dataset.fingerprint,
        "notes": [note._asdict() for note in dataset.notes],
        "encoding": encoding_document(dataset.encoding),
    }
    for name, array in arrays.items():
        with (folder / f"{name}.npy").open("wb") as file:
            np.save(file, array)
            file.flush()
            os.fsync(file.fileno())
    with (folder / "dataset.json").open("w", encoding="utf-8") as text:
        json.dump(metadata, text)
        text.flush()
        os.fsync(text.fileno())


@cache
def _warn_once(folder: Path, reason: str) -> None:
    logger.warning("decoded data is not cached: cannot write %s (%s)", folder, reason)
