"""From the words of a user to a data set: where each kind of source is told from the others."""

import difflib
from importlib.metadata import version
from pathlib import Path

import torch

from training_factors.search_spaces.problem import strata
from training_factors.study.training.arrays import call_function, read_npz
from training_factors.study.training.cache import cached
from training_factors.study.training.csv_table import read_csv
from training_factors.study.training.data_checks import refuse_limit, refuse_unlearnable
from training_factors.study.training.dataset import Dataset, Decoded, to_dataset
from training_factors.study.training.image_folder import decode_folder, limited, list_images
from training_factors.study.training.images import resize
from training_factors.study.training.named_datasets import (
    SCIKIT_LEARN,
    TORCHVISION,
    dataset_names,
    decode_builtin,
    decode_torchvision,
)
from training_factors.study.training.subset import balanced_subset


def load_dataset(
    source: str,
    *,
    limit: int | None = None,
    image_size: int | None = None,
    target: str | None = None,
) -> Dataset:
    """The data of this source, decoded once on a machine and from the cache after that.

    source: a name of `dataset_names()`; the path of an image folder, a .csv or an .npz; or
        `package.module:function`, a function that returns (X, y), which is not cached.
    limit: a class-balanced subset of so many samples, the same on every machine: evenly spaced in
        the source's order, spread over its own parts in proportion, chosen before files are opened.
    image_size: side of square images, in pixels.
    target: the column of a .csv to predict.

    Raises ValueError, one line that names the value and the remedy, for whatever is wrong with it.
    """
    path = Path(source)
    if target is not None and path.suffix.lower() != ".csv":
        raise ValueError(f"target {target!r} is for a .csv; leave --target out with {source!r}")
    try:
        if source in SCIKIT_LEARN:
            return _builtin(source, limit, image_size)
        if source in TORCHVISION:
            return _torchvision(source, limit, image_size)
        if path.is_dir():
            return _folder(source, limit, image_size)
        if path.is_file():
            return _file(source, limit, image_size, target)
    except OSError as error:
        raise ValueError(f"data {source!r} cannot be read: {error.strerror or error}") from error
    if ":" in source:
        return to_dataset(_ready(call_function(source), source, limit, image_size), source)
    raise ValueError(_unknown(source))


def _builtin(name: str, limit: int | None, image_size: int | None) -> Dataset:
    return cached(
        ("scikit-learn", version("scikit-learn"), name, limit, image_size),
        name,
        lambda: _ready(decode_builtin(name), name, limit, image_size),
    )


def _torchvision(name: str, limit: int | None, image_size: int | None) -> Dataset:
    return cached(
        ("torchvision", name, limit, image_size),
        name,
        lambda: _ready(decode_torchvision(name), name, limit, image_size),
    )


def _folder(source: str, limit: int | None, image_size: int | None) -> Dataset:
    listing = list_images(source)

    def decode() -> Decoded:
        decoded = decode_folder(limited(listing, limit), image_size)
        refuse_unlearnable(decoded, source)
        return decoded

    name = Path(source).resolve().name or source
    return cached(("folder", listing.digest, limit, image_size), name, decode)


def _file(source: str, limit: int | None, image_size: int | None, target: str | None) -> Dataset:
    path = Path(source)
    kind = path.suffix.lower()
    if kind not in (".csv", ".npz"):
        raise ValueError(f"file {source!r} is no .csv and no .npz; convert it, or name a folder")
    status = path.stat()
    return cached(
        (kind, str(path.resolve()), status.st_size, status.st_mtime_ns, target, limit, image_size),
        path.name,
        lambda: _ready(
            read_csv(source, target) if kind == ".csv" else read_npz(source),
            source,
            limit,
            image_size,
        ),
    )


def _ready(decoded: Decoded, source: str, limit: int | None, image_size: int | None) -> Decoded:
    """The data cut to the limit, in the size asked for, and found fit for a study."""
    if image_size is not None and decoded.inputs.ndim == 2:
        raise ValueError(f"data {source!r} is a table; leave --image-size out")
    if limit is not None:
        refuse_limit(limit, decoded.targets, decoded.classes)
        groups = strata(torch.from_numpy(decoded.targets)).numpy()
        chosen = balanced_subset(groups, decoded.parts, limit)
        decoded = decoded._replace(
            inputs=decoded.inputs[chosen],
            targets=decoded.targets[chosen],
            parts=decoded.parts[chosen],
        )
    refuse_unlearnable(decoded, source)
    if image_size is not None:
        decoded = decoded._replace(inputs=resize(decoded.inputs, image_size))
    return decoded


def _unknown(source: str) -> str:
    if "/" in source or "\\" in source or Path(source).suffix:
        return f"data {source!r} does not exist; check the path"
    near = difflib.get_close_matches(source, dataset_names(), 1)
    hint = f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(dataset_names())}"
    return f"data {source!r} is no known name and no folder; {hint}"
