"""Decoded data on disk: decoded once, then read or mapped into memory by every worker."""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from study.training.dataset import Dataset

FORMAT = 1
"""Raised when decoded data must be decoded anew."""

logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Where data is kept: `$XDG_CACHE_HOME`, else `~/.cache`, in a folder of our own."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "training-factors"


def cached(key: object, decode: Callable[[], Dataset]) -> Dataset:
    """What `decode` gives, from the disk where an earlier call with the same key left it.

    key: plain data that names the source and all that decides how it is decoded.
    """
    digest = hashlib.sha256(json.dumps([FORMAT, key]).encode()).hexdigest()[:24]
    folder = cache_folder() / digest
    found = _read(folder)
    if found is not None:
        return found
    dataset = decode()
    try:
        _write(dataset, folder)
    except OSError as error:
        logger.warning("decoded data could not be kept in %s (%s)", folder, error.strerror)
    return dataset


def _read(folder: Path) -> Dataset | None:
    try:
        about = json.loads((folder / "about.json").read_text())
        tensors = [_load(folder / f"{name}.npy") for name in ("inputs", "targets", "origins")]
    except FileNotFoundError:
        return None
    except (ValueError, EOFError):
        logger.warning("decoded data in %s is damaged and is decoded anew", folder)
        return None
    classes = None if about["classes"] is None else tuple(about["classes"])
    inputs, targets, origins = tensors
    return Dataset(
        about["name"],
        inputs,
        targets,
        classes,
        origins,
        tuple(about["skipped"]),
        about["fingerprint"],
    )


def _load(path: Path) -> Tensor:
    large = path.stat().st_size > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 4
    # Copy-on-write: torch wants memory that it might write to, and nobody does.
    return torch.from_numpy(np.load(path, mmap_mode="c" if large else None, allow_pickle=False))


def _write(dataset: Dataset, folder: Path) -> None:
    """All files, or none: written beside, then moved to their place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        for name in ("inputs", "targets", "origins"):
            np.save(beside / f"{name}.npy", getattr(dataset, name).numpy())
        about = {
            "name": dataset.name,
            "classes": dataset.classes,
            "skipped": dataset.skipped,
            "fingerprint": dataset.fingerprint,
        }
        (beside / "about.json").write_text(json.dumps(about))
        if folder.exists():
            shutil.rmtree(folder)
        beside.rename(folder)
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)
        if not (folder / "about.json").exists():  # else another process was quicker
            raise
