"""Load the data set that a user asks for, whatever kind of source it is."""

import difflib
import re
from importlib.metadata import version
from pathlib import Path, PureWindowsPath

import torch

from training_factors.search_spaces.problem import strata
from training_factors.study.data.arrays import call_function, read_npz
from training_factors.study.data.cache import digest_files, load_or_decode
from training_factors.study.data.checks import refuse_unlearnable
from training_factors.study.data.dataset import Dataset, Decoded, to_dataset
from training_factors.study.data.image_folder import (
    decode_folder,
    limit_listing,
    list_images,
    shown_name,
)
from training_factors.study.data.images import resize
from training_factors.study.data.named_datasets import (
    SCIKIT_LEARN,
    TORCHVISION,
    dataset_names,
    decode_builtin,
    decode_torchvision,
)
from training_factors.study.data.subset import balanced_subset, refuse_limit
from training_factors.study.data.table import read_csv


def load_dataset(
    source: str,
    *,
    limit: int | None = None,
    image_size: int | None = None,
    target: str | None = None,
) -> Dataset:
    """Load a data set: decode it the first time, take it from the machine's cache afterwards.

    source: a name of `dataset_names()`; the path of an image folder, a .csv or an .npz; or
        `package.module:function`, a function that returns (X, y) and is called every time.
    limit: number of samples of a class-balanced subset, the same on every machine; see
        `balanced_subset`. Of an image folder only the chosen files are opened.
    image_size: side of square images, in pixels.
    target: the column of a .csv to predict.

    Raises ValueError, one line that names the value and the remedy, when the source is unknown,
    cannot be read or is unfit for a study.
    """
    path = Path(source)
    if target is not None and path.suffix.lower() != ".csv":
        raise ValueError(f"target {target!r} is for a .csv; leave --target out with {source!r}")
    try:
        if source in SCIKIT_LEARN:
            return _load_builtin(source, limit, image_size)
        if source in TORCHVISION:
            return _load_torchvision(source, limit, image_size)
        if path.is_dir():
            return _load_folder(source, limit, image_size)
        if path.is_file():
            return _load_file(source, limit, image_size, target)
    except OSError as error:
        raise ValueError(f"data {source!r} cannot be read: {error.strerror or error}") from error
    if re.match(r"\w+://", source):
        raise ValueError(f"data {source!r} is a URL; download it, and name the file or folder")
    if ":" in source and not PureWindowsPath(source).drive:
        decoded = _apply_options(call_function(source), source, limit, image_size)
        return to_dataset(decoded, source)
    raise ValueError(_unknown_source(source))


def _load_builtin(name: str, limit: int | None, image_size: int | None) -> Dataset:
    return load_or_decode(
        ("scikit-learn", version("scikit-learn"), name, limit, image_size),
        name,
        lambda: _apply_options(decode_builtin(name), name, limit, image_size),
    )


def _load_torchvision(name: str, limit: int | None, image_size: int | None) -> Dataset:
    return load_or_decode(
        ("torchvision", name, limit, image_size),
        name,
        lambda: _apply_options(decode_torchvision(name), name, limit, image_size),
    )


def _load_folder(source: str, limit: int | None, image_size: int | None) -> Dataset:
    listing = limit_listing(list_images(source), limit)

    def decode() -> Decoded:
        decoded = decode_folder(listing, image_size)
        refuse_unlearnable(decoded, source)
        return decoded

    name = shown_name(Path(source).resolve().name) or source
    content = digest_files(listing.root, listing.files)
    return load_or_decode(("folder", content, listing.classes, image_size), name, decode)


def _load_file(
    source: str, limit: int | None, image_size: int | None, target: str | None
) -> Dataset:
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".npz"):
        raise ValueError(
            f"file {source!r} is neither .csv nor .npz; convert it, or name a folder of images"
        )

    def decode() -> Decoded:
        decoded = read_csv(source, target) if suffix == ".csv" else read_npz(source)
        return _apply_options(decoded, source, limit, image_size)

    content = digest_files(path.parent, [path.name])
    return load_or_decode((suffix, content, target, limit, image_size), path.name, decode)


def _apply_options(
    decoded: Decoded, source: str, limit: int | None, image_size: int | None
) -> Decoded:
    """Apply `--limit` and `--image-size`; refuse data that is unfit for a study."""
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


def _unknown_source(source: str) -> str:
    """Return the error message for a source that is nothing we know."""
    if "/" in source or "\\" in source or Path(source).suffix:
        return f"data {source!r} does not exist; check the path"
    near = difflib.get_close_matches(source, dataset_names(), 1)
    hint = f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(dataset_names())}"
    return f"data {source!r} is neither a known name nor a path; {hint}"
