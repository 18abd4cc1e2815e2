"""torchvision's data sets by name, through their own loaders."""

from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import torch
from torchvision import datasets

from study.training.cache import cache_folder
from study.training.dataset import Dataset, Origin, assemble

CLASSES = {
    "mnist": datasets.MNIST,
    "fashion_mnist": datasets.FashionMNIST,
    "kmnist": datasets.KMNIST,
    "cifar10": datasets.CIFAR10,
    "cifar100": datasets.CIFAR100,
    "svhn": datasets.SVHN,
    "stl10": datasets.STL10,
}

BY_SPLIT = ("svhn", "stl10")
"""Sets whose parts are named; the others say whether it is the training part."""


def load_torchvision(name: str) -> Dataset:
    """Both parts of a set, downloaded where they are not there yet.

    Raises ValueError naming the folder and the files to put there when nothing can be downloaded.
    """
    folder = cache_folder() / "torchvision"
    parts = [_part(name, folder, is_train) for is_train in (True, False)]
    images = np.concatenate([_images(part.data) for part in parts])
    labels = np.concatenate([np.asarray(_labels(part)) for part in parts])
    sizes = [len(part) for part in parts]
    origins = torch.tensor([Origin.POOL] * sizes[0] + [Origin.TEST] * sizes[1], dtype=torch.uint8)
    names = getattr(parts[0], "classes", None) or [str(n) for n in range(int(labels.max()) + 1)]
    return assemble(
        name, torch.from_numpy(images), torch.from_numpy(labels).long(), tuple(names), origins
    )


def _part(name: str, folder: Path, is_train: bool) -> Any:
    which: dict[str, Any] = (
        {"split": "train" if is_train else "test"} if name in BY_SPLIT else {"train": is_train}
    )
    try:
        return CLASSES[name](str(folder), download=True, **which)
    except (URLError, RuntimeError, OSError) as error:
        raise ValueError(
            f"data {name!r} cannot be downloaded ({type(error).__name__}); put "
            f"{', '.join(_files(CLASSES[name]))} into {_place(name, folder)}"
        ) from None


def _files(kind: Any) -> list[str]:
    """The names of the files that the set is downloaded as."""
    if hasattr(kind, "resources"):
        return [resource[0] for resource in kind.resources]
    if hasattr(kind, "split_list"):
        return [entry[1] for entry in kind.split_list.values()]
    return [kind.filename]


def _place(name: str, folder: Path) -> Path:
    is_mnist = hasattr(CLASSES[name], "resources")
    return folder / CLASSES[name].__name__ / "raw" if is_mnist else folder


def _images(data: Any) -> Any:
    """(samples, channels, height, width), bytes."""
    images = np.asarray(data)
    if images.ndim == 3:
        return images[:, None]
    return images if images.shape[1] in (1, 3) else images.transpose(0, 3, 1, 2)


def _labels(part: Any) -> Any:
    return part.targets if hasattr(part, "targets") else part.labels
