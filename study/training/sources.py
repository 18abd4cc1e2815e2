"""From what a user names to decoded data."""

import importlib
from difflib import get_close_matches
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch

from study.training.arrays import from_arrays, read_csv, read_npz
from study.training.built_in import load_built_in
from study.training.cache import cached
from study.training.dataset import Dataset, assemble
from study.training.image_folder import decode_folder, find_images
from study.training.names import BUILT_IN, TORCHVISION
from study.training.subset import balanced
from study.training.torchvision_sets import load_torchvision


def load_dataset(
    source: str,
    *,
    limit: int | None = None,
    image_size: int | None = None,
    target: str | None = None,
) -> Dataset:
    """The data that `source` names.

    source: one of `study.training.names`, a folder of images, a `.csv`, an `.npz`, or
        `package.module:function` that returns (X, y).
    limit: so many samples, the same number of each class. image_size: side of the images of a
        folder, in pixels. target: the column of a `.csv` to predict.

    Raises ValueError, with a line that names the value and the remedy, for whatever is wrong.
    """
    path = Path(source).expanduser()
    key: list[object]
    if source in BUILT_IN:
        key = [source, version("scikit-learn")]
        return _limited(cached(key, partial(load_built_in, source)), limit)
    if source in TORCHVISION:
        key = [source, version("torchvision")]
        return _limited(cached(key, partial(load_torchvision, source)), limit)
    if path.is_dir():
        listing = find_images(path, limit)
        key = [str(path.resolve()), listing.digest(), image_size]
        return cached(key, partial(decode_folder, listing, image_size))
    if path.suffix in (".csv", ".npz") and path.is_file():
        stat = path.stat()
        key = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, target]
        read = partial(read_csv, path, target) if path.suffix == ".csv" else partial(read_npz, path)
        return _limited(cached(key, read), limit)
    if ":" in source and not path.suffix:
        return _limited(_called(source), limit)
    raise ValueError(_unknown(source))


def _limited(dataset: Dataset, limit: int | None) -> Dataset:
    if limit is None:
        return dataset
    labels = dataset.targets if dataset.classes is not None else torch.zeros(len(dataset.targets))
    chosen = balanced(labels, dataset.origins, limit)
    return assemble(
        dataset.name,
        dataset.inputs[chosen],
        dataset.targets[chosen],
        dataset.classes,
        dataset.origins[chosen],
        dataset.skipped,
    )


def _called(source: str) -> Dataset:
    module_name, _, function_name = source.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"data {source!r} cannot be loaded ({error}); use module:function"
        ) from None
    return from_arrays(source, *function())


def _unknown(source: str) -> str:
    known = (*BUILT_IN, *TORCHVISION)
    near = get_close_matches(source, known, n=1)
    if near and "/" not in source:
        return f"data {source!r} is unknown; did you mean {near[0]!r}?"
    return f"data {source!r} is no file or folder, and no known name: {', '.join(known)}"
