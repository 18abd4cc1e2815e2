"""Find the columns of a table that say nothing about the target, or that give it away."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training_factors.storage.data_report import LEFT_OUT, WARNING, DataNote, data_note
from training_factors.study.data.columns import MAX_CATEGORIES, TEXTS, Column

IDENTIFIER = re.compile(r"(unnamed: ?\d+|column 1|index|(.*[^a-z])?ids?|row[ _]?(nr|no|number))",
                        re.IGNORECASE)  # fmt: skip
"""Names of columns that number the rows, if their values do so too."""

CAMEL_IDENTIFIER = re.compile(r".*[a-z]I[dD]")
"""The same as `PassengerId` is written."""

MIN_ROWS_PER_VALUE = 5
"""Mean number of rows for each text of a column from which it can give the label away."""


def useful_columns(
    columns: Sequence[Column], targets: NDArray[Any], is_classification: bool
) -> tuple[list[Column], tuple[DataNote, ...]]:
    """Leave out columns that say nothing, or say the target itself; return a note for each reason.

    targets: (rows,). is_classification: whether they are classes.
    """
    left_out: dict[str, list[str]] = {}
    known: dict[bytes, str] = {}
    useful = []
    target_codes = pd.factorize(targets)[0]
    telling = []
    for column in columns:
        codes = column.codes
        key = codes.tobytes() if column.texts is not None else _bytes(column.numbers)
        reason = _reason(column, codes)
        if reason is None and _is_copy(column, codes, targets, target_codes, is_classification):
            reason = "columns that give the target away: each value stands for one"
        if reason is None and key in known:
            reason = "copies of other columns"
        if reason is not None:
            same = f"{column.name} = {known[key]}" if reason.startswith("copies") else column.name
            left_out.setdefault(reason, []).append(same)
            continue
        known[key] = column.name
        useful.append(column)
        if is_classification and _tells_class(column, codes, target_codes):
            telling.append(column.name)
    notes = [data_note(LEFT_OUT, reason, names) for reason, names in left_out.items()]
    if telling:
        text = "columns in which each text goes with one class only; was it known beforehand?"
        notes.append(data_note(WARNING, text, telling))
    return useful, tuple(notes)


def _reason(column: Column, codes: NDArray[np.int64]) -> str | None:
    """Return why a column says nothing about the target, or None."""
    present = codes[codes >= 0]
    different = len(np.unique(present))
    if not different:
        return "empty columns"
    if different == 1 and len(present) == len(codes):
        return "constant columns"
    if different < len(codes):
        is_text = column.texts is not None and column.form == TEXTS
        nearly = is_text and different > MAX_CATEGORIES and different > 0.95 * len(present)
        return "identifiers, different in nearly every row" if nearly else None
    if column.texts is not None:
        return "identifiers, different in every row"
    assert column.numbers is not None
    steps = np.diff(column.numbers)
    if len(steps) and (steps == steps[0]).all() and abs(steps[0]) == 1:
        return "row numbers"
    is_named = IDENTIFIER.fullmatch(column.name) or CAMEL_IDENTIFIER.fullmatch(column.name)
    is_whole = bool((column.numbers == np.rint(column.numbers)).all())
    return "identifiers, different in every row" if is_named and is_whole else None


def _is_copy(
    column: Column,
    codes: NDArray[np.int64],
    targets: NDArray[Any],
    target_codes: NDArray[np.int64],
    is_classification: bool,
) -> bool:
    """Return whether the column is the target in other words, or a multiple of it."""
    if is_classification:
        return bool((codes == target_codes).all())
    if column.numbers is None or column.missing.any():
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        correlation = np.corrcoef(column.numbers, targets.astype(np.float64))[0, 1]
    return bool(abs(correlation) > 1 - 1e-9)


def _tells_class(column: Column, codes: NDArray[np.int64], target_codes: NDArray[np.int64]) -> bool:
    """Return whether each text of a column goes with one class only, in rows enough to see it."""
    different = len(np.unique(codes))
    if column.texts is None or different * MIN_ROWS_PER_VALUE > len(codes):
        return False
    return len(np.unique(np.stack([codes, target_codes]), axis=1).T) == different


def _bytes(numbers: NDArray[np.float64] | None) -> bytes:
    assert numbers is not None
    return (numbers + 0.0).tobytes()
