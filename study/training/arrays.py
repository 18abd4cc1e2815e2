"""Arrays that a user brings: an .npz with X and y, or a function that returns the two."""

import importlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, is_zipfile

import numpy as np
from numpy.typing import NDArray

from training_factors.study.training.dataset import Decoded, unassigned

IMAGES = "uint8 images as NHWC, NCHW or NHW with one or three channels"


def read_npz(source: str) -> Decoded:
    """The arrays X and y of an .npz file. Raises ValueError when they are not there."""
    try:
        # numpy leaves a broken file open unless it is opened for it.
        with Path(source).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            missing = [name for name in ("X", "y") if name not in arrays]
            if missing:
                raise ValueError(
                    f"file {source!r} holds no {missing[0]} ({', '.join(arrays) or 'nothing'}); "
                    f"save it with numpy.savez(path, X=inputs, y=targets)"
                )
            inputs, targets = arrays["X"], arrays["y"]
    except (BadZipFile, EOFError, AttributeError, TypeError):
        raise ValueError(f"file {source!r} is not a whole .npz; save it again") from None
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        # numpy says the same of a file that is no archive at all.
        what = "holds Python objects" if is_zipfile(source) else "is no .npz archive"
        raise ValueError(
            f"file {source!r} {what}; save plain arrays with numpy.savez(path, X=inputs, y=targets)"
        ) from None
    return from_arrays(inputs, targets, source)


def call_function(source: str) -> Decoded:
    """The (X, y) that `package.module:function` returns. Raises ValueError when there is none."""
    module_name, _, function_name = source.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except Exception as error:
        # A user's code may raise anything; --debug shows where.
        raise ValueError(
            f"data {source!r} cannot be imported ({_line(error)}); use package.module:function"
        ) from error
    try:
        inputs, targets = function()
    except Exception as error:
        # A user's code may raise anything; --debug shows where.
        raise ValueError(
            f"data {source!r} did not return (X, y): {type(error).__name__}: {_line(error)}"
        ) from error
    return from_arrays(np.asarray(inputs), np.asarray(targets), source)


def from_arrays(inputs: NDArray[Any], targets: NDArray[Any], source: str) -> Decoded:
    """Arrays as a data set: whole numbers and texts in y are classes, decimals are numbers.

    inputs: uint8 images, or a table (samples, features). Raises ValueError for other shapes.
    """
    targets = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
    if targets.ndim != 1 or inputs.ndim < 2 or len(inputs) != len(targets):
        raise ValueError(
            f"X {inputs.shape} and y {targets.shape} of {source!r} do not fit: "
            f"y must have one value for each sample of X"
        )
    shaped = as_table(inputs, source) if inputs.ndim == 2 else as_images(inputs, source)
    if targets.dtype.kind == "f":
        return Decoded(shaped, targets.astype(np.float32), None, unassigned(len(targets)))
    if targets.dtype.kind not in "biuUS":
        raise ValueError(f"y of {source!r} is {targets.dtype}; use whole numbers, texts or floats")
    names, indices = np.unique(targets, return_inverse=True)
    classes = tuple(n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n) for n in names)
    return Decoded(shaped, indices.astype(np.int64), classes, unassigned(len(targets)))


def as_table(inputs: NDArray[Any], source: str) -> NDArray[np.float32]:
    """Rows of features as float32. Raises ValueError for what is not a finite number."""
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
    """Images as (samples, channels, height, width). Raises ValueError for other arrays."""
    if inputs.dtype != np.uint8:
        raise ValueError(f"X of {source!r} is {inputs.dtype} {inputs.shape}; use {IMAGES}")
    if inputs.ndim == 3:
        return inputs[:, None]
    if inputs.ndim == 4 and inputs.shape[3] in (1, 3):
        return inputs.transpose(0, 3, 1, 2)
    if inputs.ndim == 4 and inputs.shape[1] in (1, 3):
        return inputs
    raise ValueError(f"X of {source!r} has the shape {inputs.shape}; use {IMAGES}")


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:120]
