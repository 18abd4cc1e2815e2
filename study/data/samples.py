"""Read what a table says about its samples: targets, parts and groups, and which rows are used."""

import difflib
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training_factors.storage.data_report import CONVERTED, LEFT_OUT, PARTS, DataNote, data_note
from training_factors.study.data.columns import WRITTEN, as_texts, read_column
from training_factors.study.data.options import DataOptions
from training_factors.study.data.parts import PartLabel, part_of, unassigned
from training_factors.study.data.targets import read_targets


class Samples(NamedTuple):
    """Holds what is known of the samples of a table.

    rows: (samples,) int64, the rows of the table that are used, ascending.
    targets, classes: see `targets.Targets`. parts: a `PartLabel` per sample. notes: what was done.
    groups: equal numbers for samples of one group; None without groups.
    """

    rows: NDArray[np.int64]
    targets: NDArray[Any]
    classes: tuple[str, ...] | None
    parts: NDArray[np.uint8]
    notes: tuple[DataNote, ...]
    groups: NDArray[np.int64] | None


def read_samples(
    frame: pd.DataFrame,
    target: "pd.Series[Any]",
    source: str,
    options: DataOptions,
    used: NDArray[np.bool_],
    parts: NDArray[np.uint8] | None = None,
    decimal_comma: bool = False,
) -> Samples:
    """Read targets, parts and groups. Rows without a label are left out, and parts without any.

    frame: has the columns `options.group` and `options.split_column`. target: what is predicted,
    one per row. used: mask of the rows that may be used. parts: of the rows, if known.
    decimal_comma: see `columns.read_column`.

    Raises ValueError for unknown columns and parts, and when too many labels are missing.
    """
    notes: list[DataNote] = []
    given = unassigned(len(frame)) if parts is None else parts
    if options.split_column is not None:
        name = choose_column(frame, options.split_column, source, "--split-column")
        given = _parts_of_rows(frame[name], used, source)
        notes.append(data_note(PARTS, "the parts are those of the column", [name]))
    for part in _parts_without_labels(target, given, used):
        count = count_of(int((used & (given == part)).sum()), "row")
        notes.append(data_note(LEFT_OUT, f"the {part.word} part has no labels ({count})"))
        used = used & (given != part)
    rows = np.flatnonzero(used)
    values, further = _target_cells(target.iloc[rows], decimal_comma)
    read = read_targets(values, f"target {target.name!r}", source, options.task)
    rows = rows[read.kept]
    groups = None
    if options.group is not None:
        name = choose_column(frame, options.group, source, "--group")
        groups = as_groups(frame[name].iloc[rows], name, source)
    return Samples(
        rows, read.values, read.classes, given[rows], (*notes, *further, *read.notes), groups
    )


def choose_column(frame: pd.DataFrame, name: str | None, source: str, option: str) -> str:
    """Return the name if it is that of a column. Raises ValueError with the nearest else."""
    header = list(frame.columns)
    if name is not None and name in header:
        return name
    names = ", ".join(header)
    names = names if len(names) <= 120 else f"{names[:117]}..."
    if name is None:
        raise ValueError(f"{source!r} needs {option} COLUMN, one of: {names}")
    near = difflib.get_close_matches(name, header, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"use one of: {names}"
    raise ValueError(f"{source!r} has no column {name!r}; {hint}")


def as_groups(cells: Any, name: str, source: str) -> NDArray[np.int64]:
    """Return equal numbers for the samples of one group.

    Raises ValueError when a sample has no group.
    """
    texts = as_texts(pd.Series(cells))
    if texts.isna().any():
        row = texts.index[texts.isna()][0] + 1
        raise ValueError(
            f"column {name!r} of {source!r} has no group in row {row}; fill it or remove the row"
        )
    return np.asarray(pd.factorize(texts)[0], dtype=np.int64)


def count_of(number: int, noun: str) -> str:
    """Return a number of things in words: `1 row`, `2,000 rows`."""
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"


def _target_cells(cells: "pd.Series[Any]", decimal_comma: bool) -> tuple[Any, tuple[DataNote, ...]]:
    """Return numbers for a target that is written as numbers are, with decimal commas or a unit."""
    if cells.dtype.kind in "biuf":
        return cells, ()
    if isinstance(cells.dtype, pd.CategoricalDtype):
        cells = cells.astype(object)
    try:
        column = read_column(cells, str(cells.name), "", decimal_comma)
    except ValueError:
        return cells, ()
    if column.form != WRITTEN:
        return cells, ()
    text = "the target holds numbers written with marks or units"
    return column.numbers, (data_note(CONVERTED, text, [f"{column.name}: {column.about}"]),)


def _parts_of_rows(cells: pd.Series, used: NDArray[np.bool_], source: str) -> NDArray[np.uint8]:
    """Return the part that the column says for each row."""
    texts = as_texts(cells)
    meanings = {text: part_of(text) for text in texts[used].dropna().unique()}
    unknown = [text for text, part in meanings.items() if part is None]
    if unknown or texts[used].isna().any():
        value = unknown[0] if unknown else ""
        raise ValueError(
            f"column {cells.name!r} of {source!r} has {value!r}; use train, validation or test in "
            "each row"
        )
    if PartLabel.POOL not in meanings.values():
        raise ValueError(f"column {cells.name!r} of {source!r} has no row for training; add some")
    return texts.map(meanings).fillna(int(PartLabel.UNDECIDED)).to_numpy(np.uint8)


def _parts_without_labels(
    target: pd.Series, parts: NDArray[np.uint8], used: NDArray[np.bool_]
) -> list[PartLabel]:
    """Return validation or test where none of their rows has a label."""
    missing = as_texts(target).isna().to_numpy()
    return [
        label
        for label in (PartLabel.VALIDATION, PartLabel.TEST)
        if (rows := used & (parts == label)).any() and missing[rows].all()
    ]
