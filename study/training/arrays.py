"""Arrays and tables that users bring: `.npz`, `.csv`, or what a function returns."""

import csv
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from study.training.dataset import Dataset, assemble

MOST_CLASSES = 20
"""Whole numbers with at most so many different values are classes, not numbers to predict."""

Array = NDArray[Any]


def from_arrays(name: str, inputs: Any, targets: Any) -> Dataset:
    """Images (samples, height, width[, channels]) as bytes, or rows (samples, features).

    Text, or few whole numbers, as targets are classes; other numbers make it a regression.
    """
    inputs, targets = np.asarray(inputs), np.asarray(targets)
    if len(inputs) != len(targets) or targets.ndim != 1:
        raise ValueError(
            f"data {name!r}: X has shape {inputs.shape} and y {targets.shape}; "
            "y must hold one target for each of X"
        )
    return assemble(name, _inputs(name, inputs), *_targets(targets))


def read_npz(path: Path) -> Dataset:
    """The arrays `X` and `y` of a file."""
    with np.load(path, allow_pickle=False) as arrays:
        if not {"X", "y"} <= set(arrays.files):
            found = ", ".join(arrays.files)
            raise ValueError(f"data {str(path)!r} must hold X and y; it holds {found or 'nothing'}")
        return from_arrays(path.name, arrays["X"], arrays["y"])


def read_csv(path: Path, target: str | None) -> Dataset:
    """A table with a heading; columns of text become one column per value."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    names = list(rows[0]) if rows else []
    if target not in names:
        near = get_close_matches(target or "", names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names[:10])}"
        asked = "needs --target COLUMN" if target is None else f"has no column {target!r}"
        raise ValueError(f"data {str(path)!r} {asked}; {hint}")
    columns = {name: np.array([row[name] for row in rows]) for name in names}
    targets = columns.pop(target)
    inputs = np.column_stack([_numeric(column) for column in columns.values()])
    return from_arrays(path.name, inputs, _as_numbers(targets))


def _inputs(name: str, inputs: Array) -> Tensor:
    if inputs.ndim == 2:
        return torch.from_numpy(inputs.astype(np.float32))
    if inputs.ndim == 3:
        inputs = inputs[..., None]
    if inputs.ndim != 4 or inputs.dtype != np.uint8:
        raise ValueError(
            f"data {name!r}: X has shape {inputs.shape} and type {inputs.dtype}; images are uint8 "
            "(samples, height, width, channels), tables (samples, features)"
        )
    if inputs.shape[3] not in (1, 3) and inputs.shape[1] in (1, 3):
        return torch.from_numpy(inputs)
    return torch.from_numpy(np.ascontiguousarray(inputs.transpose(0, 3, 1, 2)))


def _targets(targets: Array) -> tuple[Tensor, tuple[str, ...] | None]:
    is_text = targets.dtype.kind not in "iufb"
    values, indices = np.unique(targets, return_inverse=True)
    whole = is_text or bool(np.all(values == np.round(values.astype(float))))
    if is_text or (whole and len(values) <= MOST_CLASSES):
        names = [str(value if is_text else int(value)) for value in values]
        return torch.from_numpy(indices).long(), tuple(names)
    return torch.from_numpy(targets.astype(np.float32)), None


def _as_numbers(column: Array) -> Array:
    try:
        return column.astype(np.float64)
    except ValueError:
        return column


def _numeric(column: Array) -> Array:
    numbers = _as_numbers(column)
    if numbers.dtype.kind == "f":
        return numbers[:, None]
    matches: Array = column[:, None] == np.unique(column)[None]
    return matches.astype(np.float64)
