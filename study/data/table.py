"""Read a .csv file: numeric columns as they are, text columns one-hot, one column as the target."""

import csv
import difflib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training_factors.study.data.arrays import as_table
from training_factors.study.data.dataset import Decoded, unassigned
from training_factors.study.data.targets import read_targets

MAX_CATEGORIES = 100
"""Maximum number of different texts in a feature column; with more it is probably an identifier."""

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
"""Cells, in lower case, that stand for a missing number."""

Cells = Sequence[str]


def read_csv(source: str, target: str | None, task: str | None = None) -> Decoded:
    """Read a table in UTF-8 with a header line, separated by commas, semicolons or tabs.

    target: name of the column to predict. task: `classification` or `regression`; else
        `read_targets` decides.

    Raises ValueError for an unknown target, a row of another length than the header, a missing
    number, or a text column with more than `MAX_CATEGORIES` values.
    """
    header, rows = _read_rows(source)
    target_column = _target_column(header, target, source)
    columns = list(zip(*rows, strict=True))
    features = [
        _encode_feature(cells, f"column {name!r} of {source!r}")
        for i, (name, cells) in enumerate(zip(header, columns, strict=True))
        if i != target_column
    ]
    if not features:
        raise ValueError(f"file {source!r} has no column besides its target {target!r}; add some")
    inputs = as_table(np.concatenate(features, axis=1), source)
    read = read_targets(np.array(columns[target_column]), f"target {target!r} of {source!r}", task)
    undivided = unassigned(len(read.values))
    return Decoded(inputs[read.kept], read.values, read.classes, undivided, notes=read.notes)


def _read_rows(source: str) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows, all of one length and without blank lines."""
    try:
        # utf-8-sig skips the byte order mark that spreadsheet programs put first.
        with Path(source).open(newline="", encoding="utf-8-sig") as file:
            first_line = file.readline()
            file.seek(0)
            lines = csv.reader(file, delimiter=max(",;\t", key=first_line.count))
            header, *rows = [[cell.strip() for cell in line] for line in lines if line] or [[]]
    except UnicodeDecodeError:
        raise ValueError(f"file {source!r} is not UTF-8 text; save it as CSV UTF-8") from None
    except csv.Error as error:
        raise ValueError(f"file {source!r} is not a CSV table ({error}); save it again") from None
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise ValueError(
                f"data row {number} of {source!r} has {len(row)} cells, but the header has "
                f"{len(header)}; correct or remove it"
            )
    if not rows:
        raise ValueError(f"file {source!r} has no rows below its header; add some")
    return header, rows


def _target_column(header: list[str], target: str | None, source: str) -> int:
    if target in header:
        return header.index(target)
    names = ", ".join(header)
    names = names if len(names) <= 120 else f"{names[:117]}..."
    if target is None:
        raise ValueError(f"{source!r} needs --target COLUMN, one of: {names}")
    near = difflib.get_close_matches(target, header, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"use one of: {names}"
    raise ValueError(f"{source!r} has no column {target!r}; {hint}")


def _encode_feature(cells: Cells, label: str) -> NDArray[np.float64]:
    """Return (rows, 1) for a column of numbers, (rows, different texts) for a column of text."""
    if _is_numeric(cells):
        return _parse_numbers(cells, label)[:, None]
    texts, indices = np.unique(np.array(cells), return_inverse=True)
    if len(texts) > MAX_CATEGORIES:
        raise ValueError(
            f"{label} has {len(texts)} different texts, more than {MAX_CATEGORIES}; "
            f"leave the column out, or replace the cells that are not numbers"
        )
    return np.eye(len(texts))[indices]


def _is_numeric(cells: Cells) -> bool:
    """Return whether the column has values and all that are not missing are numbers."""
    values = [cell for cell in cells if cell.lower() not in MISSING]
    return bool(values) and all(_is_number(cell) for cell in values)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _parse_numbers(cells: Cells, label: str) -> NDArray[np.float64]:
    for row, cell in enumerate(cells, 1):
        if cell.lower() in MISSING or not np.isfinite(float(cell)):
            raise ValueError(
                f"{label} has no number in data row {row} ({cell!r}); fill it, or leave the column "
                "out"
            )
    return np.array([float(cell) for cell in cells])
