"""Read inputs and targets as arrays: from an .npz file, or as a user's function returns them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile, is_zipfile

import numpy as np
from numpy.typing import NDArray

from training_factors.storage.data_report import CONVERTED, LEFT_OUT, PARTS, DataNote, data_note
from training_factors.study.data.dataset import Decoded
from training_factors.study.data.encoding import ColumnEncoding
from training_factors.study.data.features import as_features
from training_factors.study.data.images import lay_over, value_scale
from training_factors.study.data.options import NO_OPTIONS, DataOptions
from training_factors.study.data.parts import PART_NAMES, PartLabel, part_labels, unassigned
from training_factors.study.data.samples import as_groups
from training_factors.study.data.targets import read_targets

INPUT_NAMES = frozenset({"x", "data", "input", "inputs", "image", "images", "features", "arr_0"})
TARGET_NAMES = frozenset({"y", "target", "targets", "label", "labels", "arr_1"})
"""Names of arrays in lower case, to which that of a part may be added: `x_train`, `test_labels`."""

CHANNELS = (1, 3, 4)
"""Numbers of channels of images: grey, RGB, and RGB with transparency."""

IMAGE_FORMAT = "images as NHWC, NCHW or NHW with 1, 3 or 4 channels, or a table of numbers"
"""The accepted shapes, in the words of error messages."""

CHUNK = 1000
"""Number of images that are converted at a time."""


class Arrays(NamedTuple):
    """Holds the samples of one part of a source.

    inputs: images or rows. targets: one per sample, or one-hot rows. groups: one per sample.
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    groups: NDArray[Any] | None = None


def read_npz(source: str, options: DataOptions = NO_OPTIONS) -> Decoded:
    """Read the arrays of an .npz file; `find_arrays` says by which names.

    Raises ValueError when the file is damaged, lacks one of them or holds Python objects.
    """
    try:
        # Open the file here: numpy would leave it open if it is damaged.
        with Path(source).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            parts, notes = find_arrays(stored, source, options.group)
    except (BadZipFile, EOFError, AttributeError, TypeError):
        raise ValueError(f"file {source!r} is a damaged .npz; save it again") from None
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        # numpy raises the same error for pickled objects and for files that are no archive.
        fault = "holds Python objects" if is_zipfile(source) else "is not an .npz archive"
        raise ValueError(
            f"file {source!r} {fault}; "
            "save plain arrays with numpy.savez(path, X=inputs, y=targets)"
        ) from None
    return join_parts(parts, source, options, notes)


def find_arrays(
    stored: Mapping[str, Any], source: str, group: str | None
) -> tuple[dict[PartLabel, Arrays], tuple[DataNote, ...]]:
    """Return the arrays of each part, found by their names, and a note about all others.

    Capitals do not matter: `X, y`, `data, target`, `images, labels`, `arr_0, arr_1`, and with parts
    `x_train, y_train, x_test, y_test` or `train_images, train_labels`. group: name of the array
    that holds the groups.

    Raises ValueError when inputs or targets are missing.
    """
    found: dict[PartLabel, dict[str, str]] = {}
    for name in stored:
        part, rest = _split_name(name)
        role = ("inputs" if rest in INPUT_NAMES else "targets" if rest in TARGET_NAMES
                else "groups" if group is not None and rest == group.lower() else None)  # fmt: skip
        if role is not None:
            roles = found.setdefault(part, {})
            if role in roles:
                raise ValueError(
                    f"{source!r} has two arrays for {role}, {roles[role]!r} and {name!r}; "
                    "leave one out"
                )
            roles[role] = name
    if any(part is not PartLabel.UNDECIDED for part in found):
        found.pop(PartLabel.UNDECIDED, None)
        first = PartLabel.POOL
    else:
        first = PartLabel.UNDECIDED
    needed = ["inputs", "targets"] + ["groups"] * (group is not None)
    for part in {first: None, **found}:
        for role in needed:
            if role not in found.get(part, {}):
                example = {"inputs": "X", "targets": "y"}.get(role, group)
                whose = "" if part is PartLabel.UNDECIDED else f" of the {part.word} part"
                raise ValueError(
                    f"{source!r} has no array {example!r}{whose} (it has "
                    f"{', '.join(stored) or 'none'}); save it with "
                    "numpy.savez(path, X=inputs, y=targets)"
                )
    used = {name for roles in found.values() for name in roles.values()}
    unused = [name for name in stored if name not in used]
    notes = [data_note(LEFT_OUT, "arrays of other names", unused)] if unused else []
    parts = {
        part: Arrays(
            stored[roles["inputs"]],
            stored[roles["targets"]],
            stored[roles["groups"]] if "groups" in roles else None,
        )
        for part, roles in sorted(found.items())
    }
    return parts, tuple(notes)


def join_parts(
    parts: Mapping[PartLabel, Arrays],
    source: str,
    options: DataOptions,
    notes: Iterable[DataNote] = (),
) -> Decoded:
    """Join the parts of a source to one data set, so that one rule converts all of them.

    Raises ValueError when their shapes do not fit together.
    """
    arrays = [Arrays(*map(as_array, part)) for part in parts.values()]
    for part in arrays:
        if part.inputs.ndim == 0 or part.targets.ndim == 0 or len(part.inputs) != len(part.targets):
            raise _mismatch(part.inputs, part.targets, source)
    shapes = {part.inputs.shape[1:] for part in arrays}
    if len(shapes) > 1:
        raise ValueError(
            f"the parts of {source!r} hold inputs of different shapes "
            f"({' and '.join(map(str, sorted(shapes)))}); bring them to one"
        )
    labels = part_labels(list(parts), [len(part.targets) for part in arrays])
    if len(parts) > 1:
        names = [label.word for label in parts]
        notes = (*notes, data_note(PARTS, "the source has its own parts", names))
    groups = None if options.group is None else _joined([part.groups for part in arrays])
    inputs, targets = _joined([p.inputs for p in arrays]), _joined([p.targets for p in arrays])
    return from_arrays(inputs, targets, source, options, labels, groups, tuple(notes))


def _joined(arrays: Sequence[Any]) -> NDArray[Any]:
    return np.asarray(arrays[0]) if len(arrays) == 1 else np.concatenate(arrays)


def as_array(values: Any) -> Any:
    """Return a tensor, a sparse matrix, a table or nested lists as an array; None stays None."""
    if values is None:
        return None
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.float() if values.dtype.is_floating_point else values
    if hasattr(values, "toarray"):
        values = values.toarray()
    return np.asarray(values)


def from_arrays(
    inputs: NDArray[Any],
    targets: NDArray[Any],
    source: str,
    options: DataOptions = NO_OPTIONS,
    parts: NDArray[np.uint8] | None = None,
    groups: NDArray[Any] | None = None,
    notes: tuple[DataNote, ...] = (),
) -> Decoded:
    """Check the arrays and convert them to the types of a data set.

    inputs: images, or a table (samples, features). targets: one for each sample, or one-hot rows;
    see `read_targets`. source: named in error messages. parts: a `PartLabel` per sample.
    groups: values that are equal for samples of one group.

    Raises ValueError for other shapes and types.
    """
    if targets.ndim not in (1, 2) or inputs.ndim < 2 or len(inputs) != len(targets):
        raise _mismatch(inputs, targets, source)
    if targets.dtype.kind not in "biufUSO":
        raise ValueError(f"y of {source!r} is {targets.dtype}; use integers, strings or floats")
    read = read_targets(targets, "y", source, options.task)
    kept = inputs if read.kept.all() else inputs[read.kept]
    converted: NDArray[Any]
    encoding: tuple[ColumnEncoding, ...] | None = None
    if inputs.ndim == 2:
        if options.scale is not None:
            raise ValueError(f"data {source!r} is a table; leave --scale out")
        converted, further, encoding = as_table(kept, source, options.impute or "median")
    else:
        converted, further = as_images(kept, source, options.scale)
    given = unassigned(len(read.kept)) if parts is None else parts
    return Decoded(
        converted,
        read.values,
        read.classes,
        given[read.kept],
        notes=(*notes, *read.notes, *further),
        groups=None if groups is None else as_groups(groups, str(options.group), source)[read.kept],
        encoding=encoding,
    )


def as_table(
    inputs: NDArray[Any], source: str, impute: str = "median"
) -> tuple[NDArray[np.float32], tuple[DataNote, ...], tuple[ColumnEncoding, ...]]:
    """Convert rows of numeric features to float32; return them, and what was done and how.

    Raises ValueError for other types, no columns, or infinite values.
    """
    if inputs.dtype.kind not in "biuf" or inputs.shape[1] == 0:
        raise ValueError(f"X of {source!r} is {inputs.dtype} {inputs.shape}; use columns of floats")
    if inputs.dtype.kind == "f" and np.isinf(inputs).any():
        row, column = np.argwhere(np.isinf(inputs))[0]
        raise ValueError(
            f"X of {source!r} has {inputs[row, column]} in row {row}, column {column}; "
            f"fill it or leave it out"
        )
    columns = [inputs[:, i : i + 1] for i in range(inputs.shape[1])]
    names = [f"column {i}" for i in range(len(columns))]
    table, notes, scaled = as_features(columns, names, impute, source)
    return table, notes, tuple(ColumnEncoding(name, scaling=scaled.get(name)) for name in names)


def as_images(
    inputs: NDArray[Any], source: str, scale: str | None = None
) -> tuple[NDArray[np.uint8], tuple[DataNote, ...]]:
    """Return images as uint8 (samples, channels, height, width), and what was done.

    scale: `LOW:HIGH`, the values that become 0 and 255; None finds them: see `_array_scale`.

    Raises ValueError for other shapes, and for values whose range says nothing.
    """
    channels = _channels_axis(inputs.shape)
    if channels is None or inputs.dtype.kind not in "biuf":
        raise ValueError(f"X of {source!r} is {inputs.dtype} {inputs.shape}; use {IMAGE_FORMAT}")
    notes = []
    if inputs.dtype != np.uint8 or scale is not None:
        low, high = _array_scale(inputs, source) if scale is None else _parse_scale(scale)
        inputs = _rescaled(inputs, low, high)
        text = f"images of numbers from {low:g} to {high:g}, which become 0 to 255"
        notes.append(data_note(CONVERTED, text))
    images = inputs[:, None] if channels == 0 else np.moveaxis(inputs, channels, 1)
    if images.shape[1] == 4:
        images, colour = lay_over(images)
        notes.append(data_note(CONVERTED, f"images with transparency, laid over {colour}"))
    return images, tuple(notes)


def _channels_axis(shape: tuple[int, ...]) -> int | None:
    """Return the axis of the channels, 0 if there is none; None for other shapes.

    Where first and last could be it, the one is that leaves square images, or else the last.
    """
    if len(shape) == 3:
        return 0
    if len(shape) != 4:
        return None
    last, first = shape[3] in CHANNELS, shape[1] in CHANNELS
    if first and (not last or (shape[2] == shape[3] and shape[1] != shape[2])):
        return 1
    return 3 if last else None


def _array_scale(images: NDArray[Any], source: str) -> tuple[float, float]:
    """Return the values that become 0 and 255, as `images.value_scale` finds them.

    Floats in -1 to 1 are taken as such.
    """
    chunks = [images[i : i + CHUNK] for i in range(0, len(images), CHUNK)]
    low, high = min(float(c.min()) for c in chunks), max(float(c.max()) for c in chunks)
    if not np.isfinite([low, high]).all():
        raise ValueError(f"X of {source!r} has values that are not finite; fill or remove them")
    if images.dtype.kind in "bu" and high <= 1:
        return 0.0, 1.0
    if images.dtype.kind == "f" and -1 <= low < 0 and high <= 1:
        return -1.0, 1.0
    # Floats of up to 255 that are whole are grey levels; fractions a little above 1 are not.
    is_fraction = images.dtype.kind == "f" and 1 < high < 16 and bool((chunks[0] % 1 != 0).any())
    if low < 0 or is_fraction or (images.dtype.kind == "f" and high > 255):
        raise ValueError(
            f"X of {source!r} has images of values from {low:g} to {high:g}; say which are black "
            f"and white: --scale={low:.4g}:{high:.4g}"
        )
    return value_scale([(low, high, images.dtype.kind in "biu")])


def _parse_scale(scale: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in scale.split(":"))
        if not (np.isfinite([low, high]).all() and low < high):
            raise ValueError
    except ValueError:
        raise ValueError(f"scale {scale!r} is not LOW:HIGH, such as --scale 0:1") from None
    return low, high


def _rescaled(images: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    scaled = np.empty(images.shape, dtype=np.uint8)
    for start in range(0, len(images), CHUNK):
        some = images[start : start + CHUNK].astype(np.float64)
        scaled[start : start + CHUNK] = np.rint(((some - low) * (255 / (high - low))).clip(0, 255))
    return scaled


def _split_name(name: str) -> tuple[PartLabel, str]:
    """Return the part and the rest of an array's name: `X_train` is (POOL, "x")."""
    lower = re.sub(r"^(x|y)(train|val|valid|test)$", r"\1_\2", name.strip().lower())
    words = re.split(r"[_\-. ]+", lower)
    parts = [PART_NAMES[word] for word in words if word in PART_NAMES]
    rest = "_".join(word for word in words if word not in PART_NAMES)
    return (parts[0] if len(parts) == 1 else PartLabel.UNDECIDED), rest


def _mismatch(inputs: NDArray[Any], targets: NDArray[Any], source: str) -> ValueError:
    return ValueError(
        f"X {inputs.shape} and y {targets.shape} of {source!r} do not match: "
        f"y must have one value for each sample of X"
    )
