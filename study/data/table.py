"""Read a table: which column is predicted, which are left out, and numbers for all others.

scikit-learn is imported only where it is needed, since this takes a second.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training_factors.storage.data_report import (
    CONVERTED,
    ENCODED,
    FILLED,
    LEFT_OUT,
    DataNote,
    data_note,
)
from training_factors.study.data.column_checks import useful_columns
from training_factors.study.data.columns import (
    CODES,
    DATES,
    MAX_CATEGORIES,
    TRUTH,
    WRITTEN,
    Column,
    clean,
    has_decimal_commas,
    read_clean_column,
)
from training_factors.study.data.dataset import Decoded
from training_factors.study.data.encoding import ColumnEncoding, ColumnKind, Scaling64
from training_factors.study.data.features import as_features
from training_factors.study.data.options import DataOptions
from training_factors.study.data.samples import choose_column, count_of, read_samples
from training_factors.study.data.text_table import TextTable, is_text_table, read_text_table

PARQUET_SUFFIXES = (".parquet", ".pq")
"""Endings, in lower case, of the names of files in Apache Parquet's format."""


def read_table(source: str, options: DataOptions) -> Decoded:
    """Read a text file or a .parquet; see `from_frame` and `read_text_table`.

    Raises ValueError for what cannot be read as a table, and when .parquet cannot be read here.
    """
    cells, notes = read_cells(source, options)
    return from_frame(cells, source, options, notes)


def is_table(path: Path) -> bool:
    """Return whether the file's name says that it holds a table."""
    return path.suffix.lower() in PARQUET_SUFFIXES or is_text_table(path)


def read_cells(source: str, options: DataOptions) -> TextTable:
    """Return the cells of a file: texts, or of the types that a .parquet has.

    Raises ValueError for what cannot be read as a table.
    """
    if Path(source).suffix.lower() in PARQUET_SUFFIXES:
        return TextTable(_read_parquet(source), ())
    wanted = filter(None, (options.target, options.group, options.split_column, *options.ignore))
    return read_text_table(source, tuple(wanted))


def from_frame(
    frame: pd.DataFrame,
    source: str,
    options: DataOptions,
    notes: Sequence[DataNote] = (),
    parts: NDArray[np.uint8] | None = None,
) -> Decoded:
    """Read the columns of a table.

    frame: one row per sample. options: `target` is predicted; `group` and `split_column` decide
    about parts and are no features; `ignore` are left out. parts: of the rows, if known.

    Row numbers, identifiers, constants, copies of other columns and copies of the target are left
    out, and noted like all that is done. Texts become a column for each value.

    Raises ValueError for unknown columns, a column with more than `MAX_CATEGORIES` texts, and when
    no column is left.
    """
    frame = _with_plain_names(frame, source)
    notes = list(notes)
    target = choose_column(frame, options.target, source, "--target")
    for name, option in [(options.group, "--group"), (options.split_column, "--split-column"),
                         *((name, "--ignore") for name in options.ignore)]:  # fmt: skip
        if name is not None and choose_column(frame, name, source, option) == target:
            raise ValueError(f"{option} {name!r} is the target of {source!r}; name another column")
    raw = frame[target]
    frame = frame.apply(clean)
    empty = frame.isna().all(axis=1).to_numpy()
    if empty.any():
        notes.append(data_note(LEFT_OUT, count_of(int(empty.sum()), "empty row")))
    decimal_comma = any(has_decimal_commas(frame[name]) for name in frame)
    samples = read_samples(frame, raw, source, options, ~empty, parts, decimal_comma)
    notes.extend(samples.notes)
    frame = frame.iloc[samples.rows]
    roles = {target, options.group, options.split_column}
    names = [name for name in frame.columns if name not in roles | set(options.ignore)]
    if options.ignore:
        notes.append(data_note(LEFT_OUT, "columns, as asked for", list(options.ignore)))
    columns = [read_clean_column(frame[name], name, source, decimal_comma) for name in names]
    columns, further = useful_columns(columns, samples.targets, samples.classes is not None)
    notes.extend(further)
    if not columns:
        reasons = [str(note) for note in notes if note.kind == LEFT_OUT]
        why = f" ({'; '.join(reasons)[:150]})" if reasons else ""
        raise ValueError(
            f"file {source!r} has no column besides its target {target!r}{why}; add some"
        )
    inputs, further, encoding = _encode(columns, options.impute or "median", source)
    return Decoded(
        inputs,
        samples.targets,
        samples.classes,
        samples.parts,
        notes=(*notes, *further),
        groups=samples.groups,
        encoding=encoding,
    )


def _with_plain_names(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return the table with texts as names, and with an index that has a name as a column.

    Raises ValueError for columns of the same name.
    """
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    names = [
        " ".join(map(str, name)) if isinstance(name, tuple) else str(name).strip()
        for name in frame.columns
    ]
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise ValueError(f"{source!r} has two columns {twice[0]!r}; rename one")
    return frame.set_axis(names, axis=1).reset_index(drop=True)


def _read_parquet(source: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(source)
    except ImportError:
        raise ValueError(
            f"file {source!r} needs pyarrow; install it: pip install 'training-factors[parquet]'"
        ) from None
    except (ValueError, OSError) as error:
        # pyarrow's errors are ValueErrors and OSErrors.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(f"file {source!r} is a damaged .parquet; save it again") from None


def _encode(
    columns: Sequence[Column], impute: str, source: str
) -> tuple[NDArray[np.float32], tuple[DataNote, ...], tuple[ColumnEncoding, ...]]:
    """Return the columns as float32, (rows, features), with nan for missing numbers.

    Notes say what was done, and an encoding for each column how.
    """
    notes: list[DataNote] = []
    encoded: list[NDArray[Any]] = []
    texts = []
    for column in columns:
        if column.numbers is not None:
            encoded.append(column.numbers[:, None])
            continue
        assert column.texts is not None
        count = column.texts.nunique(dropna=False)
        if count > MAX_CATEGORIES:
            raise ValueError(
                f"column {column.name!r} of {source!r} has {count} different texts, more than "
                f"{MAX_CATEGORIES}; leave it out with --ignore {column.name!r}, or group its values"
            )
        texts.append(f"{column.name} ({count})")
        encoded.append(_one_hot(column.texts))
    if texts:
        text = "columns of texts, a column of 0 and 1 for each value"
        notes.append(data_note(ENCODED, text, texts))
    notes.extend(_note_of(columns, CODES, ENCODED, "digits with leading zeros, taken as texts"))
    notes.extend(_note_of(columns, WRITTEN, CONVERTED, "numbers written with marks or units"))
    notes.extend(_note_of(columns, DATES, CONVERTED, "dates, as numbers of days"))
    gaps = [column for column in columns if column.texts is not None and column.missing.any()]
    if gaps:
        names = [f"{column.name}: {int(column.missing.sum())}" for column in gaps]
        if impute == "none":
            raise ValueError(
                f"column {gaps[0].name!r} of {source!r} lacks {int(gaps[0].missing.sum())} "
                f"texts; leave --impute none out, or leave the "
                f"column out with --ignore {gaps[0].name!r}"
            )
        notes.append(data_note(FILLED, "missing texts, as a value of their own", names))
    names = [column.name for column in columns]
    table, further, scaled = as_features(encoded, names, impute, source)
    encodings = tuple(_encoding(column, scaled.get(column.name)) for column in columns)
    return table, (*notes, *further), encodings


def _encoding(column: Column, scaling: Scaling64 | None) -> ColumnEncoding:
    if column.texts is not None:
        values = tuple(sorted(set(column.texts.fillna(""))))
        return ColumnEncoding(column.name, ColumnKind.CATEGORY, values)
    kind = ColumnKind.TRUTH if column.form == TRUTH else ColumnKind.NUMBER
    if column.first_day:
        kind = ColumnKind.DATE
    return ColumnEncoding(
        column.name, kind, first_day=column.first_day, scaling=scaling, about=column.about
    )


def _one_hot(texts: pd.Series) -> NDArray[Any]:
    """Return a column of 0 and 1 for each text in sorted order; one column for two texts."""
    preprocessing = import_module("sklearn.preprocessing")
    encoder = preprocessing.OneHotEncoder(drop="if_binary", sparse_output=False, dtype=np.float32)
    return np.asarray(encoder.fit_transform(texts.fillna("").to_numpy(dtype=object)[:, None]))


def _note_of(columns: Sequence[Column], form: str, kind: str, text: str) -> list[DataNote]:
    names = [
        f"{column.name}: {column.about}" if column.about else column.name
        for column in columns
        if column.form == form
    ]
    return [data_note(kind, text, names)] if names else []
