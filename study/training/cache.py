"""Decoded data kept on disk, so that it is decoded once on a machine."""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch

from training_factors.study.training.dataset import Dataset, Decoded, to_dataset
from training_factors.study.training.large_arrays import load_array

FORMAT = 1
"""Goes up when decoding changes what it gives, so that no older entry is taken for it."""

ARRAYS = ("inputs", "targets", "parts")

logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Where decoded and downloaded data is kept: `$XDG_CACHE_HOME/training-factors`."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "training-factors"


def cached(identity: tuple[object, ...], name: str, decode: Callable[[], Decoded]) -> Dataset:
    """The data set of this identity from the cache; decoded and kept when it is not there.

    identity: plain values that change whenever the source does. An entry that is not whole is
    decoded again; where the cache cannot be written, the study goes on without it.
    """
    text = json.dumps([FORMAT, *identity])
    entry = cache_folder() / hashlib.sha256(text.encode()).hexdigest()[:32]
    kept = _read(entry, name)
    if kept is not None:
        return kept
    decoded = to_dataset(decode(), name)
    try:
        _write(entry, decoded)
    except OSError as error:
        _warn_once(entry.parent, error.strerror or str(error))
    # Read back, since large data is then mapped from its own file.
    return _read(entry, name) or decoded


def _read(entry: Path, name: str) -> Dataset | None:
    """The entry; None when there is none or it is not whole."""
    try:
        facts = json.loads((entry / "dataset.json").read_text())
        arrays = [load_array(entry / f"{array}.npy") for array in ARRAYS]
        if [[a.dtype.str, list(a.shape)] for a in arrays] != facts["arrays"]:
            return None
        inputs, targets, parts = (torch.from_numpy(array) for array in arrays)
        classes = facts["classes"] and tuple(facts["classes"])
        skipped, fingerprint = tuple(facts["skipped"]), str(facts["fingerprint"])
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None
    return Dataset(name, inputs, targets, classes, parts, skipped, fingerprint)


def _write(entry: Path, dataset: Dataset) -> None:
    """Put the whole entry in place at once, or raise OSError and leave nothing."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f"{entry.name}.", dir=entry.parent))
    try:
        _write_files(staging, dataset)
        if entry.exists() and _read(entry, dataset.name) is None:
            shutil.rmtree(entry, ignore_errors=True)
        try:
            staging.rename(entry)
        except OSError:
            # A folder in the way is the same entry, by another process that was first.
            if not entry.exists():
                raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write_files(folder: Path, dataset: Dataset) -> None:
    arrays = [np.asarray(getattr(dataset, array)) for array in ARRAYS]
    facts = {
        "arrays": [[array.dtype.str, array.shape] for array in arrays],
        "classes": dataset.classes,
        "skipped": dataset.skipped,
        "fingerprint": dataset.fingerprint,
    }
    for name, array in zip(ARRAYS, arrays, strict=True):
        with (folder / f"{name}.npy").open("wb") as file:
            np.save(file, array)
            file.flush()
            os.fsync(file.fileno())
    with (folder / "dataset.json").open("w") as text:
        json.dump(facts, text)
        text.flush()
        os.fsync(text.fileno())


@cache
def _warn_once(folder: Path, reason: str) -> None:
    logger.warning("decoded data is not kept: cannot write %s (%s)", folder, reason)
