"""Bring the numbers of a table to float32 without a loss, and fill missing ones."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training_factors.storage.data_report import CONVERTED, FILLED, DataNote, data_note
from training_factors.study.data.encoding import Scaling64

MAX_ROUNDING = 1e-3
"""Rounding to float32, in standard deviations of a column, above which 64 bits are used first."""

MAX_MAGNITUDE = 1e18
"""Magnitude of a number above which its square is near the end of float32's range."""

Table = NDArray[np.float32]


def as_features(
    blocks: Sequence[NDArray[Any]], names: Sequence[str], impute: str, source: str
) -> tuple[Table, tuple[DataNote, ...], Mapping[str, Scaling64]]:
    """Return blocks of columns as one table (rows, features), with nan where a number is missing.

    Columns whose digits float32 would lose are standardized in float64 before; how is returned by
    their names, and so are notes about what was done.

    blocks: (rows, columns) each. names: one for each block. impute: see `options.DataOptions`;
    here it only decides whether numbers may be missing, and is noted: `fill_missing` fills them.

    Raises ValueError for missing numbers if `impute` is `none`.
    """
    table = np.empty((len(blocks[0]), sum(block.shape[1] for block in blocks)), np.float32)
    scaled: dict[str, Scaling64] = {}
    gaps = []
    place = 0
    for block, name in zip(blocks, names, strict=True):
        for column in block.T:
            values = column
            if loses_digits(values):
                largest = np.nanmax(np.abs(values))
                values = values.astype(np.float64) / largest
                mean, deviation = np.nanmean(values), np.nanstd(values)
                scaled[name] = (float(largest), float(mean), float(deviation))
                values = (values - mean) / deviation
            table[:, place] = values
            place += 1
        missing = np.isnan(block.astype(np.float64, copy=False)).any(axis=1)
        if missing.any():
            gaps.append(f"{name}: {int(missing.sum())}")
            if impute == "none":
                raise ValueError(
                    f"column {name!r} of {source!r} lacks {int(missing.sum())} numbers; leave "
                    f"--impute none out, or leave the column out with --ignore {name!r}"
                )
    table[np.isnan(table)] = np.nan  # one form of nan, so that equal tables have equal bytes
    notes = []
    if scaled:
        text = "large numbers of many digits, standardized in 64 bits before they become 32"
        notes.append(data_note(CONVERTED, text, list(scaled)))
    if gaps:
        how = "median" if impute == "median" else "most frequent value"
        text = f"missing numbers, with the {how} of the training part"
        notes.append(data_note(FILLED, text, gaps))
    return table, tuple(notes), scaled


def fill_missing(table: Table, training: Table, impute: str) -> Table:
    """Fill the nan of a table by what the training part has in the same column; 0 if nothing.

    impute: `median` or `most_frequent`, as scikit-learn's `SimpleImputer` has them.
    """
    if not np.isnan(table).any():
        return table
    return np.asarray(_fit_imputer(training, impute).transform(table), dtype=np.float32)


def filling_values(training: Table, impute: str) -> NDArray[np.float64]:
    """Return the number that fills a missing one, for every column of the training part."""
    return np.asarray(_fit_imputer(training, impute).statistics_, dtype=np.float64)


def _fit_imputer(training: Table, impute: str) -> Any:
    """Return a fitted imputer of scikit-learn, which has no type annotations."""
    sklearn = import_module("sklearn.impute")  # takes a second
    return sklearn.SimpleImputer(strategy=impute, keep_empty_features=True).fit(training)


def loses_digits(values: NDArray[Any]) -> bool:
    """Return whether rounding to float32 changes a column by a noticeable part of its spread."""
    if values.dtype.kind == "b":
        return False
    present = values[~np.isnan(values)].astype(np.float64)
    if not present.size:
        return False
    largest = np.abs(present).max()
    deviation = (present / (largest or 1.0)).std() * largest
    rounding = largest * float(np.finfo(np.float32).eps) / 2
    return bool(deviation > 0 and (largest > MAX_MAGNITUDE or rounding > MAX_ROUNDING * deviation))
