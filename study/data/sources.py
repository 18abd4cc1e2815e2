"""Load the data set that a user asks for, whatever kind of source it is."""

import difflib
import re
from importlib.metadata import version
from pathlib import Path, PureWindowsPath

import torch

from training_factors.search_spaces.problem import strata
from training_factors.study.data.arrays import call_function, read_npz
from training_factors.study.data.cache import digest_files, load_or_decode
from training_factors.study.data.checks import refuse_unlearnable, warnings_about
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
from training_factors.study.data.options import NO_OPTIONS, DataOptions
from training_factors.study.data.subset import balanced_subset, refuse_limit
from training_factors.study.data.table import read_csv


def load_dataset(source: str, options: DataOptions = NO_OPTIONS) -> Dataset:
    """Load a data set: decode it the first time, take it from the machine's cache afterwards.

    source: a name of `dataset_names()`; the path of an image folder, a .csv or an .npz; or
        `package.module:function`, a function that returns (X, y) and is called every time.
        Of an image folder with a limit only the chosen files are opened.

    Raises ValueError, one line that names the value and the remedy, when the source is unknown,
    cannot be read or is unfit for a study.
    """
    path = Path(source)
    _refuse_options(source, options)
    try:
        if source in SCIKIT_LEARN:
            return _load_builtin(source, options)
        if source in TORCHVISION:
            return _load_torchvision(source, options)
        if path.is_dir():
            return _load_folder(source, options)
        if path.is_file():
            return _load_file(source, options)
    except OSError as error:
        raise ValueError(f"data {source!r} cannot be read: {error.strerror or error}") from error
    if re.match(r"\w+://", source):
        raise ValueError(f"data {source!r} is a URL; download it, and name the file or folder")
    if ":" in source and not PureWindowsPath(source).drive:
        decoded = _apply_options(call_function(source, options.task), source, options)
        return to_dataset(decoded, source)
    raise ValueError(_unknown_source(source))


def _refuse_options(source: str, options: DataOptions) -> None:
    """Raise ValueError for options that have no meaning with this source."""
    if options.target is not None and Path(source).suffix.lower() != ".csv":
        raise ValueError(
            f"target {options.target!r} is for a .csv; leave --target out with {source!r}"
        )
    has_own_task = source in SCIKIT_LEARN or source in TORCHVISION or Path(source).is_dir()
    if options.task is not None and has_own_task:
        raise ValueError(f"what {source!r} is for is known; leave --task {options.task} out")


def _load_builtin(name: str, options: DataOptions) -> Dataset:
    return load_or_decode(
        ("scikit-learn", version("scikit-learn"), name, *options),
        name,
        lambda: _apply_options(decode_builtin(name), name, options),
    )


def _load_torchvision(name: str, options: DataOptions) -> Dataset:
    return load_or_decode(
        ("torchvision", name, *options),
        name,
        lambda: _apply_options(decode_torchvision(name), name, options),
    )


def _load_folder(source: str, options: DataOptions) -> Dataset:
    listing = limit_listing(list_images(source), options.limit)

    def decode() -> Decoded:
        decoded = decode_folder(listing, options.image_size, options.fit)
        return _checked(decoded, source)

    name = shown_name(Path(source).resolve().name) or source
    content = digest_files(listing.root, listing.files)
    notes = [str(note) for note in listing.notes]
    identity = ("folder", content, listing.classes, notes, options.image_size, options.fit)
    return load_or_decode(identity, name, decode)


def _load_file(source: str, options: DataOptions) -> Dataset:
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".npz"):
        raise ValueError(
            f"file {source!r} is neither .csv nor .npz; convert it, or name a folder of images"
        )

    def decode() -> Decoded:
        if suffix == ".csv":
            decoded = read_csv(source, options.target, options.task)
        else:
            decoded = read_npz(source, options.task)
        return _apply_options(decoded, source, options)

    content = digest_files(path.parent, [path.name])
    return load_or_decode((suffix, content, *options), path.name, decode)


def _apply_options(decoded: Decoded, source: str, options: DataOptions) -> Decoded:
    """Apply limit, image size and fit; refuse data that is unfit for a study."""
    is_table = decoded.inputs.ndim == 2
    if options.image_size is not None and is_table:
        raise ValueError(f"data {source!r} is a table; leave --image-size out")
    if options.fit is not None and is_table:
        raise ValueError(f"data {source!r} is a table; leave --fit out")
    if options.limit is not None:
        refuse_limit(options.limit, decoded.targets, decoded.classes)
        groups = strata(torch.from_numpy(decoded.targets)).numpy()
        decoded = decoded.choose(balanced_subset(groups, decoded.parts, options.limit))
    decoded = _checked(decoded, source)
    if options.image_size is None:
        return decoded
    images, notes = resize(decoded.inputs, options.image_size, options.fit)
    return decoded._replace(inputs=images, notes=(*decoded.notes, *notes))


def _checked(decoded: Decoded, source: str) -> Decoded:
    """Refuse data that is unfit for a study; add what its user should know."""
    refuse_unlearnable(decoded, source)
    return decoded._replace(notes=(*decoded.notes, *warnings_about(decoded)))


def _unknown_source(source: str) -> str:
    """Return the error message for a source that is nothing we know."""
    if "/" in source or "\\" in source or Path(source).suffix:
        return f"data {source!r} does not exist; check the path"
    near = difflib.get_close_matches(source, dataset_names(), 1)
    hint = f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(dataset_names())}"
    return f"data {source!r} is neither a known name nor a path; {hint}"
