"""Decode the data sets that have a name: those inside scikit-learn, and torchvision's downloads.

Both packages are imported when a set is decoded: scikit-learn takes over a second and torchvision
over two, and data that is in the cache does without them.
"""

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training_factors.study.data.arrays import as_images
from training_factors.study.data.cache import cache_folder
from training_factors.study.data.dataset import Decoded
from training_factors.study.data.encoding import ColumnEncoding, ImageEncoding
from training_factors.study.data.parts import PartLabel, unassigned

SCIKIT_LEARN = ("digits", "wine", "breast_cancer", "diabetes")
"""Names of the data sets that scikit-learn contains; they need no network connection."""

TORCHVISION = {
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "kmnist": "KMNIST",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
    "svhn": "SVHN",
    "stl10": "STL10",
}
"""Name of each data set that is downloaded once -> its class in torchvision.datasets."""


def dataset_names() -> tuple[str, ...]:
    """Return the names of all data sets, the default first."""
    return (*SCIKIT_LEARN, *TORCHVISION)


def decode_builtin(name: str) -> Decoded:
    """Decode one of scikit-learn's sets.

    `digits` holds images 1 × 8 × 8, `wine` and `breast_cancer` tables of classes, and `diabetes` a
    table for regression.
    """
    raw: Any = getattr(import_module("sklearn.datasets"), f"load_{name}")()
    undivided = unassigned(len(raw.target))
    columns = tuple(ColumnEncoding(str(column)) for column in raw.feature_names)
    if name == "diabetes":
        inputs, targets = raw.data.astype(np.float32), raw.target.astype(np.float32)
        return Decoded(inputs, targets, None, undivided, encoding=columns)
    classes = tuple(str(label) for label in raw.target_names)
    inputs = _grey_bytes(raw.images) if name == "digits" else raw.data.astype(np.float32)
    encoding = ImageEncoding() if name == "digits" else columns
    return Decoded(inputs, raw.target.astype(np.int64), classes, undivided, encoding=encoding)


def decode_torchvision(name: str) -> Decoded:
    """Decode all images of one of torchvision's sets, downloaded if needed.

    The set's own test part is labelled; its training part becomes the pool.

    Raises ValueError, naming the files to fetch by hand, when the set cannot be downloaded.
    """
    dataset_class = getattr(import_module("torchvision.datasets"), TORCHVISION[name])
    root = cache_folder() / "torchvision"
    try:
        train, test = (_open_part(dataset_class, root, is_test) for is_test in (False, True))
    except (OSError, RuntimeError) as error:
        folder, files = required_files(dataset_class, root)
        raise ValueError(
            f"data {name!r} is not on this machine and cannot be downloaded; "
            f"put {', '.join(files)} into {folder}"
        ) from error
    train_targets, test_targets = _targets(train), _targets(test)
    return Decoded(
        np.concatenate([as_images(np.asarray(part.data), name)[0] for part in (train, test)]),
        np.concatenate([train_targets, test_targets]),
        _class_names(train, train_targets),
        np.repeat(
            np.array([PartLabel.POOL, PartLabel.TEST], dtype=np.uint8),
            [len(train_targets), len(test_targets)],
        ),
    )


def required_files(dataset_class: Any, root: Path) -> tuple[Path, tuple[str, ...]]:
    """Return the folder, and the files in it, that torchvision looks for before it downloads.

    dataset_class: one of torchvision's, which have no type annotations.
    """
    if hasattr(dataset_class, "resources"):
        folder = root / dataset_class.__name__ / "raw"
        return folder, tuple(file for file, _ in dataset_class.resources)
    if hasattr(dataset_class, "split_list"):
        return root, tuple(dataset_class.split_list[split][1] for split in ("train", "test"))
    return root, (dataset_class.filename,)


def _grey_bytes(images: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Scale grey values 0-16, (images, 8, 8), to bytes 0-255, (images, 1, 8, 8)."""
    return np.rint(images * (255 / 16)).astype(np.uint8)[:, None]


def _open_part(dataset_class: Any, root: Path, is_test: bool) -> Any:
    root.mkdir(parents=True, exist_ok=True)
    if "split" in inspect.signature(dataset_class).parameters:
        return dataset_class(root, split="test" if is_test else "train", download=True)
    return dataset_class(root, train=not is_test, download=True)


def _targets(part: Any) -> NDArray[np.int64]:
    targets = part.targets if hasattr(part, "targets") else part.labels
    return np.asarray(targets, dtype=np.int64)


def _class_names(part: Any, targets: NDArray[np.int64]) -> tuple[str, ...]:
    """Return torchvision's class names, or the class numbers where it has none."""
    numbers = [str(number) for number in range(int(targets.max()) + 1)]
    return tuple(str(name) for name in getattr(part, "classes", numbers))
