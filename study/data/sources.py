"""Load the data set that a user asks for, whatever kind of source it is."""

import difflib
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path, PureWindowsPath

import torch

from training_factors.search_spaces.problem import strata
from training_factors.search_spaces.user_code import GIVEN
from training_factors.study.data.arrays import read_npz
from training_factors.study.data.cache import digest_files, load_or_decode
from training_factors.study.data.checks import refuse_unlearnable, warnings_about
from training_factors.study.data.dataset import Dataset, Decoded, filled_by, to_dataset
from training_factors.study.data.encoding import ImageEncoding
from training_factors.study.data.functions import call_function, read_returned
from training_factors.study.data.image_folder import (
    decode_folder,
    limit_listing,
    list_images,
    shown_name,
)
from training_factors.study.data.image_labels import groups_of_names, labels_beside, list_labelled
from training_factors.study.data.images import resize
from training_factors.study.data.named_datasets import (
    SCIKIT_LEARN,
    TORCHVISION,
    dataset_names,
    decode_builtin,
    decode_torchvision,
)
from training_factors.study.data.options import NO_OPTIONS, DataOptions
from training_factors.study.data.saved_dataset import is_saved_dataset, read_saved_dataset
from training_factors.study.data.subset import balanced_subset, refuse_limit
from training_factors.study.data.table import is_table, read_table
from training_factors.study.data.text_table import TEXT_SUFFIXES

NOT_FOR_NAMED = ("target", "task", "scale", "labels", "ignore", "impute", "group", "group_from",
                 "split_column")  # fmt: skip
NOT_FOR_TABLES = ("scale", "labels", "group_from")
NOT_FOR_ARRAYS = ("target", "labels", "ignore", "group_from", "split_column")
NOT_FOR_IMAGES = ("scale", "impute")
WITH_LABELS = ("target", "task", "ignore", "group", "split_column")
"""Options of image folders that are for folders with a table of labels only."""


def load_dataset(source: str, options: DataOptions = NO_OPTIONS, given: object = None) -> Dataset:
    """Load a data set: decode it the first time, take it from the machine's cache afterwards.

    source: a name of `dataset_names()`; the path of an image folder, a table, an .npz or a saved
        data set of Hugging Face's; or `package.module:function`, which is called every time: see
        `functions.call_function`. Of an image folder with a limit only the chosen files are opened.
    given: the data themselves, as such a function returns them; the source is then their name,
        after `GIVEN`.

    Raises ValueError, one line that names the value and the remedy, when the source is unknown,
    cannot be read or is unfit for a study.
    """
    try:
        if source.startswith(GIVEN):
            dataset = _read_given(source, options, given)
        else:
            dataset = _load(source, options)
    except OSError as error:
        raise ValueError(f"data {source!r} cannot be read: {error.strerror or error}") from error
    return dataset if options.impute is None else filled_by(dataset, options.impute)


def _read_given(source: str, options: DataOptions, given: object) -> Dataset:
    """Read data that a program passed as a Python object."""
    name = source.removeprefix(GIVEN)
    if given is None:
        raise ValueError(
            f"the data of this study is a Python object ({name}), which only the program that "
            "passed it has; go on with training_factors.run(data, study=...)"
        )
    _refuse(options, ("labels", "group_from"), f"with {name}")
    return to_dataset(_apply_options(read_returned(given, name, options), name, options), name)


def _load(source: str, options: DataOptions) -> Dataset:
    path = Path(source)
    if not source.strip():
        raise ValueError(f"--data {source!r} names nothing; name a set, a folder or a file")
    if source in SCIKIT_LEARN or source in TORCHVISION:
        _refuse(options, NOT_FOR_NAMED, f"with {source!r}")
        return _load_named(source, options)
    if path.is_dir():
        if is_saved_dataset(path):
            _refuse(options, ("scale", "labels", "group_from"), f"with {source!r}")
            return _load_saved(source, options)
        return _load_folder(source, options)
    if path.is_file():
        return _load_file(source, options)
    if path.exists():
        raise ValueError(f"data {source!r} is neither a file nor a folder; name one")
    if re.match(r"\w+://", source):
        raise ValueError(f"data {source!r} is a URL; download it, and name the file or folder")
    if ":" in source and not PureWindowsPath(source).drive:
        _refuse(options, ("labels", "group_from"), f"with {source!r}")
        return to_dataset(_apply_options(call_function(source, options), source, options), source)
    raise ValueError(_unknown_source(source))


def _refuse(options: DataOptions, names: Sequence[str], reason: str) -> None:
    """Raise ValueError for options that have no meaning with a source."""
    for name in names:
        value = getattr(options, name)
        if value != getattr(NO_OPTIONS, name):
            shown = " ".join(value) if isinstance(value, tuple) else value
            raise ValueError(f"{name} {shown!r} does not fit; leave --{name.replace('_', '-')} "
                             f"{shown} out {reason}")  # fmt: skip


def _load_named(name: str, options: DataOptions) -> Dataset:
    if name in SCIKIT_LEARN:
        identity: tuple[object, ...] = ("scikit-learn", version("scikit-learn"), name, *options)
        decode = decode_builtin
    else:
        identity = ("torchvision", name, *options)
        decode = decode_torchvision
    return load_or_decode(identity, name, lambda: _apply_options(decode(name), name, options))


def _load_folder(source: str, options: DataOptions) -> Dataset:
    _refuse(options, NOT_FOR_IMAGES, f"with the folder {source!r}")
    labels = options.labels or labels_beside(source)
    if labels is None:
        _refuse(options, WITH_LABELS, f"with {source!r}, or name a table with --labels")
        listing = list_images(source)
    else:
        if not is_table(Path(labels)) or not Path(labels).is_file():
            raise ValueError(f"labels {labels!r} is no table; name a .csv with files and classes")
        listing = list_labelled(source, labels, options)
    if options.group_from is not None:
        if options.group is not None:
            raise ValueError("--group and --group-from say the same thing; leave one out")
        groups = groups_of_names(listing.files, options.group_from, source)
        listing = listing._replace(groups=groups)
    listing = limit_listing(listing, options.limit)

    def decode() -> Decoded:
        decoded = decode_folder(listing, options.image_size, options.fit)
        return _checked(decoded, source)

    name = shown_name(Path(source).resolve().name) or source
    content = digest_files(listing.root, listing.files)
    notes = [str(note) for note in listing.notes]
    identity = ("folder", content, listing.classes, notes, options.image_size, options.fit)
    if labels is not None or listing.groups is not None:
        arrays = (listing.targets, listing.parts, listing.groups)
        identity += tuple(None if array is None else array.tolist() for array in arrays)
    return load_or_decode(identity, name, decode)


def _load_saved(source: str, options: DataOptions) -> Dataset:
    path = Path(source)
    files = sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.is_file())

    def decode() -> Decoded:
        # The images come at their size, others are resized once they are arrays.
        return _apply_options(read_saved_dataset(source, options), source, options)

    return load_or_decode(
        ("datasets", digest_files(path, files), *options), path.resolve().name, decode
    )


def _load_file(source: str, options: DataOptions) -> Dataset:
    path = Path(source)
    if is_table(path):
        _refuse(options, NOT_FOR_TABLES, f"with the table {source!r}")
        read = read_table
    elif path.suffix.lower() == ".npz":
        _refuse(options, NOT_FOR_ARRAYS, f"with the arrays of {source!r}")
        read = read_npz
    else:
        raise ValueError(
            f"file {source!r} is neither a table ({', '.join(TEXT_SUFFIXES)}, .parquet) nor an "
            ".npz; convert it, or name a folder of images"
        )

    def decode() -> Decoded:
        return _apply_options(read(source, options), source, options)

    content = digest_files(path.parent, [path.name])
    return load_or_decode(("file", path.suffix.lower(), content, *options), path.name, decode)


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
    if options.image_size is None or decoded.inputs.shape[2:] == (options.image_size,) * 2:
        return decoded
    images, notes = resize(decoded.inputs, options.image_size, options.fit)
    of_files = decoded.encoding if isinstance(decoded.encoding, ImageEncoding) else ImageEncoding()
    encoding = of_files._replace(fit=options.fit or "pad")
    return decoded._replace(inputs=images, notes=(*decoded.notes, *notes), encoding=encoding)


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
