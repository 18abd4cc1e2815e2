"""A .csv file: columns of numbers as they are, columns of text one-hot, one of them the target."""

import csv
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training_factors.study.training.arrays import as_table
from training_factors.study.training.dataset import Decoded, unassigned

FEW = 20
"""Different whole numbers up to which a target of whole numbers is taken for classes."""

MOST_TEXTS = 100
"""Different texts in a column, at most: with more it names the row and is no feature."""

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})

Cells = Sequence[str]


def read_csv(source: str, target: str | None) -> Decoded:
    """A table with a header line, in UTF-8, separated by commas, semicolons or tabs.

    target: the column to predict. Text, or at most `FEW` different whole numbers, are classes;
        anything else is a number (3.0 in place of 3 has few whole numbers taken as numbers too).

    Raises ValueError for an unknown column, an uneven row, or a number that is missing.
    """
    header, rows = _rows(source)
    column = _target_column(header, target, source)
    columns = list(zip(*rows, strict=True))
    features = [
        _feature(cells, f"column {name!r} of {source!r}")
        for i, (name, cells) in enumerate(zip(header, columns, strict=True))
        if i != column
    ]
    if not features:
        raise ValueError(f"file {source!r} has no column beside its target {target!r}; add some")
    inputs = as_table(np.concatenate(features, axis=1), source)
    targets, classes = _targets(columns[column], f"target {target!r} of {source!r}")
    return Decoded(inputs, targets, classes, unassigned(len(rows)))


def _rows(source: str) -> tuple[list[str], list[list[str]]]:
    try:
        # utf-8-sig: spreadsheet programs put a mark before the first name.
        with Path(source).open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            lines = csv.reader(file, delimiter=max(",;\t", key=first.count))
            header, *rows = [[cell.strip() for cell in line] for line in lines if line] or [[]]
    except UnicodeDecodeError:
        raise ValueError(f"file {source!r} is not UTF-8 text; save it as CSV UTF-8") from None
    except csv.Error as error:
        raise ValueError(f"file {source!r} is no table ({error}); save it as CSV") from None
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise ValueError(
                f"row {number} of {source!r} has {len(row)} cells and the header {len(header)}; "
                f"mend or remove it"
            )
    if not rows:
        raise ValueError(f"file {source!r} has no rows below its header; add some")
    return header, rows


def _target_column(header: list[str], target: str | None, source: str) -> int:
    if target in header:
        return header.index(target)
    shown = ", ".join(header)
    shown = shown if len(shown) <= 120 else f"{shown[:117]}..."
    if target is None:
        raise ValueError(f"{source!r} needs --target COLUMN, one of: {shown}")
    near = difflib.get_close_matches(target, header, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"use one of: {shown}"
    raise ValueError(f"{source!r} has no column {target!r}; {hint}")


def _feature(cells: Cells, what: str) -> NDArray[np.float64]:
    """(rows, 1) for a column of numbers, (rows, different texts) for one of text."""
    if _is_numeric(cells):
        return _numbers(cells, what)[:, None]
    texts, indices = np.unique(np.array(cells), return_inverse=True)
    if len(texts) > MOST_TEXTS:
        raise ValueError(
            f"{what} has {len(texts)} different texts, more than {MOST_TEXTS}; "
            f"leave the column out, or fill in its numbers"
        )
    return np.eye(len(texts))[indices]


def _targets(cells: Cells, what: str) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    if "" in cells:
        raise ValueError(f"{what} is empty in row {cells.index('') + 1}; fill or remove the row")
    if _is_numeric(cells):
        numbers = _numbers(cells, what)
        values, indices = np.unique(numbers, return_inverse=True)
        if len(values) > FEW or not all(cell.lstrip("+-").isdigit() for cell in cells):
            return numbers.astype(np.float32), None
        return indices.astype(np.int64), tuple(str(int(value)) for value in values)
    texts, indices = np.unique(np.array(cells), return_inverse=True)
    return indices.astype(np.int64), tuple(str(text) for text in texts)


def _is_numeric(cells: Cells) -> bool:
    """Whether all cells that are filled in are numbers, and there are any."""
    filled = [cell for cell in cells if cell.lower() not in MISSING]
    return bool(filled) and all(_is_number(cell) for cell in filled)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(cells: Cells, what: str) -> NDArray[np.float64]:
    for row, cell in enumerate(cells, 1):
        if cell.lower() in MISSING or not np.isfinite(float(cell)):
            raise ValueError(
                f"{what} has no number in row {row} ({cell!r}); fill it, or leave the column out"
            )
    return np.array([float(cell) for cell in cells])
