"""The data sets that torchvision downloads, once, into the cache folder."""

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from study.training.arrays import as_images
from study.training.cache import cache_folder
from study.training.dataset import Decoded, Place
from study.training.names import TORCHVISION


def decode_torchvision(name: str) -> Decoded:
    """All images of the set; its own test part is marked.

    Raises ValueError, naming the files to fetch by hand, when it cannot be downloaded.
    """
    # Loaded here: it takes over two seconds, and data in the cache does without it.
    kind = getattr(import_module("torchvision.datasets"), TORCHVISION[name])
    root = cache_folder() / "torchvision"
    try:
        opened = [_open(kind, root, test) for test in (False, True)]
    except (OSError, RuntimeError) as error:
        folder, files = wanted_files(kind, root)
        raise ValueError(
            f"data {name!r} is not here and cannot be downloaded; "
            f"put {', '.join(files)} into {folder}"
        ) from error
    targets = [np.asarray(_labels(part), dtype=np.int64) for part in opened]
    places = zip(targets, (Place.POOL, Place.TEST), strict=True)
    return Decoded(
        np.concatenate([as_images(np.asarray(part.data), name) for part in opened]),
        np.concatenate(targets),
        _classes(opened[0], targets[0]),
        np.concatenate([np.full(len(t), place, dtype=np.uint8) for t, place in places]),
    )


def wanted_files(kind: Any, root: Path) -> tuple[Path, tuple[str, ...]]:
    """The folder and the files in it that torchvision's class looks for before it downloads."""
    if hasattr(kind, "resources"):
        folder = root / kind.__name__ / "raw"
        return folder, tuple(file for file, _ in kind.resources)
    if hasattr(kind, "split_list"):
        return root, tuple(kind.split_list[split][1] for split in ("train", "test"))
    return root, (kind.filename,)


def _open(kind: Any, root: Path, test: bool) -> Any:
    root.mkdir(parents=True, exist_ok=True)
    if "split" in inspect.signature(kind).parameters:
        return kind(root, split="test" if test else "train", download=True)
    return kind(root, train=not test, download=True)


def _labels(part: Any) -> Any:
    return part.targets if hasattr(part, "targets") else part.labels


def _classes(part: Any, targets: Any) -> tuple[str, ...]:
    numbers = [str(number) for number in range(int(targets.max()) + 1)]
    return tuple(str(name) for name in getattr(part, "classes", numbers))
