"""Decide what is predicted, by one rule for every source: classes or numbers."""

import unicodedata
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training_factors.storage.data_report import CONVERTED, LABELS, LEFT_OUT, DataNote, data_note
from training_factors.study.data.columns import MISSING, MOSTLY
from training_factors.study.data.features import loses_digits

MAX_FEW_CLASSES = 20
"""Maximum number of different whole numbers that are read as classes whatever they are."""

MIN_SAMPLES_PER_NUMBERED_CLASS = 10
"""Minimum number of samples of each class where more whole numbers than `MAX_FEW_CLASSES` are
classes: 0, 1, 2, … or 1, 2, 3, … without a gap, as labels are and prices or ages are not."""

MISSING_LABELS = frozenset({"", "na", "n/a", "nan", "null", "?"})
"""Texts, in lower case, that stand for a missing label; `none` may well be a class."""

MAX_MISSING_LABELS = 0.2
"""Maximum part of the samples without a label that are left out; above it the data is refused."""


class Targets(NamedTuple):
    """Holds what is predicted.

    values: int64 indices into `classes`, or float32 numbers; one for each kept sample.
    classes: class names; None for regression. kept: mask over all samples, False where the label
    is missing. notes: what was decided.
    """

    values: NDArray[Any]
    classes: tuple[str, ...] | None
    kept: NDArray[np.bool_]
    notes: tuple[DataNote, ...] = ()


def read_targets(values: Any, label: str, source: str, task: str | None = None) -> Targets:
    """Read the targets of any source.

    Texts and truth values are classes. Whole numbers, whatever their type, are classes if there
    are at most `MAX_FEW_CLASSES` different ones, or if they count 0, 1, 2, … or 1, 2, 3, … without
    a gap and each has `MIN_SAMPLES_PER_NUMBERED_CLASS` samples. All other numbers are regression
    targets. Texts of digits are numbers unless one has a leading zero.

    values: one per sample: an array, a column of a table, or one-hot rows (samples, classes).
    label: of the target, in messages and notes. source: of the data, which errors name; notes do
    not, since they are kept with the content of the data, wherever it lies. task:
    `classification` or `regression`, to decide otherwise.

    Raises ValueError when too many labels are missing, or for texts where numbers are asked for.
    """
    place = f"{label} of {source!r}"
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        if task == "regression":
            raise ValueError(f"{place} has several columns; leave --task regression out")
        return _from_one_hot(array, label, place)
    column = _as_column(array)
    kept = ~(_is_missing(column) | _is_gap_among_numbers(column))
    notes = _missing_notes(kept, place)
    column = column[kept]
    numbers = _as_numbers(column, codes_too=task == "regression")
    if task == "regression":
        if numbers is None:
            raise ValueError(
                f"{place} holds {_first_text(column)!r}, which is no number; leave "
                "--task regression out"
            )
        return _regression(numbers, label, kept, notes)
    if numbers is None:
        _refuse_texts_among_numbers(column, place, task)
        return _classes_of_texts(column, kept, notes)
    different = np.unique(numbers)
    if task is None and not _are_labels(numbers, different):
        text = (
            f"{label} holds {len(different)} different whole numbers, predicted as numbers "
            "(regression); --task classification takes each as a class"
        )
        is_whole = bool((numbers == np.rint(numbers)).all())
        notes = (*notes, data_note(LABELS, text)) if is_whole else notes
        return _regression(numbers, label, kept, notes)
    if column.dtype.kind == "f" or len(different) > 2:
        text = (f"{label} holds {len(different)} different numbers, taken as classes; "
                "--task regression predicts the number")  # fmt: skip
        notes = (*notes, data_note(LABELS, text))
    names = tuple(_number_name(number) for number in different)
    return _classified(np.searchsorted(different, numbers), names, kept, notes)


def _normal_text(text: str) -> str:
    """Return a class name without spaces around it, in Unicode's composed form (NFC)."""
    return unicodedata.normalize("NFC", text.strip())


def _as_column(array: NDArray[Any]) -> pd.Series:
    if array.dtype.kind in "SO":
        decoded = [e.decode("utf-8", "replace") if isinstance(e, bytes) else e for e in array]
        array = np.array(decoded, dtype=object)
    return pd.Series(array)


def _is_missing(column: pd.Series) -> NDArray[np.bool_]:
    missing = column.isna().to_numpy()
    if column.dtype.kind in "biuf":
        return missing
    texts = column.astype(str).str.strip().str.lower()
    return missing | texts.isin(MISSING_LABELS).to_numpy()


def _missing_notes(kept: NDArray[np.bool_], place: str) -> tuple[DataNote, ...]:
    count = int((~kept).sum())
    if not count:
        return ()
    if count > MAX_MISSING_LABELS * len(kept):
        raise ValueError(
            f"{place} is missing in {count} of {len(kept)} samples (the first is number "
            f"{int(np.argmin(kept)) + 1}); fill it, or remove these samples"
        )
    return (
        data_note(LEFT_OUT, f"{count} {'sample' if count == 1 else 'samples'} without a label"),
    )


def _is_gap_among_numbers(column: pd.Series) -> NDArray[np.bool_]:
    """Return where a text such as `-` or `none` stands for a missing number among many numbers.

    Elsewhere it may well be a class.
    """
    if column.dtype.kind in "biuf":
        return np.zeros(len(column), dtype=bool)
    texts = column.astype(str).str.strip()
    is_gap = texts.str.lower().isin(MISSING)
    numbers = pd.to_numeric(texts[~is_gap], errors="coerce")
    if numbers.isna().any() or numbers.nunique() <= MAX_FEW_CLASSES:
        return np.zeros(len(column), dtype=bool)
    return is_gap.to_numpy()


def _refuse_texts_among_numbers(column: pd.Series, place: str, task: str | None) -> None:
    """Raise ValueError for texts among many different numbers, unless classes are asked for."""
    numbers = pd.to_numeric(column.astype(str).str.strip(), errors="coerce")
    others = column[~column.astype(str).str.strip().str.lower().isin(MISSING)]
    if task is None and numbers.nunique() > MAX_FEW_CLASSES and numbers.notna().mean() > MOSTLY:
        raise ValueError(
            f"{place} holds numbers and {_first_text(others)!r} among them; correct these, or say "
            "--task classification"
        )


def _regression(
    numbers: NDArray[np.float64], label: str, kept: NDArray[np.bool_], notes: tuple[DataNote, ...]
) -> Targets:
    """Return numbers to predict, counted from their mean where float32 would lose digits."""
    if np.isfinite(numbers).all() and loses_digits(numbers):
        origin = float(np.rint(numbers.mean()))
        numbers = numbers - origin
        text = f"{label} has more digits than 32 bits hold; it is counted from {origin:.0f}"
        notes = (*notes, data_note(CONVERTED, text))
    return Targets(numbers.astype(np.float32), None, kept, notes)


def _as_numbers(column: pd.Series, codes_too: bool) -> NDArray[np.float64] | None:
    """Return the column as numbers; None when one is no number, or is a code as 01 is.

    codes_too: whether codes are numbers.
    """
    if column.dtype.kind == "b":
        return None
    if column.dtype.kind not in "iuf":
        texts = column.astype(str).str.strip()
        if not codes_too and texts.str.fullmatch(r"[+-]?0\d+").any():
            return None
        column = pd.to_numeric(texts, errors="coerce")
        if column.isna().any():
            return None
    return column.to_numpy(dtype=np.float64)


def _are_labels(numbers: NDArray[np.float64], different: NDArray[np.float64]) -> bool:
    if not np.isfinite(different).all() or (different != np.rint(different)).any():
        return False
    if len(different) <= MAX_FEW_CLASSES:
        return True
    counts_up = different[0] in (0, 1) and different[-1] - different[0] + 1 == len(different)
    smallest = np.unique(numbers, return_counts=True)[1].min()
    return bool(counts_up and smallest >= MIN_SAMPLES_PER_NUMBERED_CLASS)


def _number_name(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def _classes_of_texts(
    column: pd.Series, kept: NDArray[np.bool_], notes: tuple[DataNote, ...]
) -> Targets:
    names, indices = np.unique(
        np.array([_normal_text(str(each)) for each in column]), return_inverse=True
    )
    return _classified(indices, tuple(str(name) for name in names), kept, notes)


def _classified(
    indices: NDArray[Any],
    names: tuple[str, ...],
    kept: NDArray[np.bool_],
    notes: tuple[DataNote, ...],
) -> Targets:
    return Targets(indices.astype(np.int64), names, kept, notes)


def _first_text(column: pd.Series) -> str:
    texts = column.astype(str)
    return str(texts[pd.to_numeric(texts, errors="coerce").isna().to_numpy()].iloc[0])


def _from_one_hot(rows: NDArray[Any], label: str, place: str) -> Targets:
    is_one_hot = rows.dtype.kind in "biuf" and ((rows == 0) | (rows == 1)).all()
    if not is_one_hot or (rows.sum(axis=1) != 1).any():
        raise ValueError(
            f"{place} has the shape {rows.shape}, and not each row is a 1 among zeros; use one "
            "class or number per sample"
        )
    note = data_note(LABELS, f"{label} is one-hot, taken as {rows.shape[1]} classes")
    indices = rows.argmax(axis=1).astype(np.int64)
    used = np.unique(indices)
    if len(used) < rows.shape[1]:
        missing = [str(i) for i in range(rows.shape[1]) if i not in used]
        note = data_note(LABELS, f"{label} is one-hot; classes without a sample are left out",
                         missing)  # fmt: skip
    names = tuple(str(i) for i in used)
    return _classified(np.searchsorted(used, indices), names, np.ones(len(rows), bool), (note,))
