"""Read inputs `X` and targets `y` as arrays: from an .npz file or from a user's function."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile, is_zipfile

import numpy as np
from numpy.typing import NDArray

from training_factors.search_spaces.user_code import import_object
from training_factors.study.data.dataset import Decoded, unassigned
from training_factors.study.data.targets import read_targets

IMAGE_FORMAT = "uint8 images as NHWC, NCHW or NHW with one or three channels"
"""The accepted type and shapes of images, in the words of error messages."""


def read_npz(source: str, task: str | None = None) -> Decoded:
    """Read the arrays X and y of an .npz file.

    Raises ValueError when the file is damaged, lacks one of them or holds Python objects.
    """
    try:
        # Open the file here: numpy would leave it open if it is damaged.
        with Path(source).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            missing = [name for name in ("X", "y") if name not in arrays]
            if missing:
                raise ValueError(
                    f"file {source!r} has no array {missing[0]!r} (it has "
                    f"{', '.join(arrays) or 'none'}); save it with "
                    "numpy.savez(path, X=inputs, y=targets)"
                )
            inputs, targets = arrays["X"], arrays["y"]
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
    return from_arrays(inputs, targets, source, task)


def call_function(source: str, task: str | None = None) -> Decoded:
    """Import a function, call it without arguments and take the (X, y) that it returns.

    source: `package.module:function` or `file.py:function`.

    Raises ValueError when it cannot be imported, fails or returns something else.
    """
    try:
        function: Any = import_object(source)
    except ValueError as error:
        raise ValueError(
            f"data {source!r} cannot be imported ({error}); "
            "use package.module:function or file.py:function"
        ) from error
    try:
        inputs, targets = function()
    except Exception as error:
        # A user's function may raise anything; --debug shows the traceback.
        raise ValueError(
            f"data {source!r} did not return (X, y): {type(error).__name__}: {_first_line(error)}"
        ) from error
    return from_arrays(np.asarray(inputs), np.asarray(targets), source, task)


def from_arrays(
    inputs: NDArray[Any], targets: NDArray[Any], source: str, task: str | None = None
) -> Decoded:
    """Check the arrays and convert them to the types of a data set.

    inputs: uint8 images, or a table (samples, features).
    targets: one for each sample, or one-hot rows; see `read_targets`.
    source: named in error messages. task: `classification` or `regression`.

    Raises ValueError for other shapes and types.
    """
    if targets.ndim not in (1, 2) or inputs.ndim < 2 or len(inputs) != len(targets):
        raise ValueError(
            f"X {inputs.shape} and y {targets.shape} of {source!r} do not match: "
            f"y must have one value for each sample of X"
        )
    converted = as_table(inputs, source) if inputs.ndim == 2 else as_images(inputs, source)
    if targets.dtype.kind not in "biufUSO":
        raise ValueError(f"y of {source!r} is {targets.dtype}; use integers, strings or floats")
    read = read_targets(targets, f"y of {source!r}", task)
    kept = converted if read.kept.all() else converted[read.kept]
    undivided = unassigned(len(read.values))
    return Decoded(kept, read.values, read.classes, undivided, notes=read.notes)


def as_table(inputs: NDArray[Any], source: str) -> NDArray[np.float32]:
    """Convert rows of numeric features to float32.

    Raises ValueError for other types, no columns, or values that are not finite in float32.
    """
    if inputs.dtype.kind not in "biuf" or inputs.shape[1] == 0:
        raise ValueError(f"X of {source!r} is {inputs.dtype} {inputs.shape}; use columns of floats")
    with np.errstate(over="ignore"):
        table = inputs.astype(np.float32)
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise ValueError(
            f"X of {source!r} has {inputs[row, column]} in row {row}, column {column}; "
            f"fill it or leave it out"
        )
    return table


def as_images(inputs: NDArray[Any], source: str) -> NDArray[np.uint8]:
    """Return images as (samples, channels, height, width). Raises ValueError for other arrays."""
    if inputs.dtype != np.uint8:
        raise ValueError(f"X of {source!r} is {inputs.dtype} {inputs.shape}; use {IMAGE_FORMAT}")
    if inputs.ndim == 3:
        return inputs[:, None]
    if inputs.ndim == 4 and inputs.shape[3] in (1, 3):
        return inputs.transpose(0, 3, 1, 2)
    if inputs.ndim == 4 and inputs.shape[1] in (1, 3):
        return inputs
    raise ValueError(f"X of {source!r} has the shape {inputs.shape}; use {IMAGE_FORMAT}")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:120]
