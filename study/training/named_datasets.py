"""The data sets inside scikit-learn: there without a network."""

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from training_factors.study.training.arrays import as_images
from training_factors.study.training.cache import cache_folder
from training_factors.study.training.dataset import Decoded, PartLabel, unassigned


def decode_builtin(name: str) -> Decoded:
    """`digits` (images 1 × 8 × 8), `wine`, `breast_cancer` (tables) or `diabetes` (regression)."""
    # Loaded here: it takes over a second, and data in the cache does without it.
    raw: Any = getattr(import_module("sklearn.datasets"), f"load_{name}")()
    if name == "diabetes":
        return Decoded(
            raw.data.astype(np.float32),
            raw.target.astype(np.float32),
            None,
            unassigned(len(raw.target)),
        )
    classes = tuple(str(label) for label in raw.target_names)
    inputs = _stretched(raw.images) if name == "digits" else raw.data.astype(np.float32)
    return Decoded(inputs, raw.target.astype(np.int64), classes, unassigned(len(raw.target)))


def _stretched(images: Any) -> Any:
    """Grey values 0-16, (images, 8, 8), as bytes 0-255, (images, 1, 8, 8)."""
    return np.rint(images * (255 / 16)).astype(np.uint8)[:, None]


SCIKIT_LEARN = ("digits", "wine", "breast_cancer", "diabetes")
"""Inside scikit-learn: no network is needed."""

TORCHVISION = {
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "kmnist": "KMNIST",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
    "svhn": "SVHN",
    "stl10": "STL10",
}
"""Downloaded once, by torchvision's class of this name."""


def dataset_names() -> tuple[str, ...]:
    """All of them, the default first."""
    return (*SCIKIT_LEARN, *TORCHVISION)


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
    places = zip(targets, (PartLabel.POOL, PartLabel.TEST), strict=True)
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
