"""List the images of a folder by a table that names the file and the class of each."""

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training_factors.storage.data_report import LABELS, LEFT_OUT, DataNote, data_note
from training_factors.study.data.columns import as_texts
from training_factors.study.data.image_folder import (
    Listing,
    note_no_images,
    shown_name,
    walk_images,
)
from training_factors.study.data.options import DataOptions
from training_factors.study.data.samples import choose_column, read_samples
from training_factors.study.data.table import read_cells

LABEL_FILES = ("metadata.csv", "labels.csv")
"""Tables beside the images of a folder without class folders that are used unasked."""

MIN_FOUND = 0.5
"""Part of the rows whose files must be there for a column to be that of the files."""


def labels_beside(folder: str) -> str | None:
    """Return the path of a table of labels in a folder whose images lie in no class folders."""
    found = [f"{folder}/{name}" for name in LABEL_FILES if Path(folder, name).is_file()]
    if not found:
        return None
    folders = [entry for entry in Path(folder).iterdir() if entry.is_dir()]
    below = [entry for each in folders for entry in each.iterdir() if entry.is_dir()]
    return found[0] if len(folders) <= 1 and not below else None


def list_labelled(source: str, labels: str, options: DataOptions) -> Listing:
    """List the images of a folder that a table names.

    The column of the files is the one whose values are files of the folder: with or without the
    path and the ending. The target is `options.target`, the only other column, or, if all others
    are 0 but for a 1 in each row, the name of the column that has the 1.

    Raises ValueError when no column names the files, one file has two labels, or the target is not
    named.
    """
    frame, read_notes = read_cells(labels, options)
    notes = list(read_notes)
    left_out: list[str] = []
    known = _Files(sorted(walk_images(source, left_out), key=os.fsencode))
    table = Path(labels).resolve()
    notes.extend(
        note_no_images([name for name in left_out if Path(source, name).resolve() != table])
    )
    column, files = _file_column(frame, known, source, labels)
    target, values = _target(frame, column, options, labels, notes)
    present = files.notna().to_numpy()
    if not present.all():
        names = [str(name) for name in frame[column][~present]]
        notes.append(data_note(LEFT_OUT, f"rows of {labels} without such a file", names))
    used = present & ~_repeated(files, values, present, labels)
    samples = read_samples(frame, values.rename(target), labels, options, used)
    notes.extend(samples.notes)
    names_used = files.iloc[samples.rows]
    # In the order of the files' names, as the images of class folders are.
    order = np.argsort([os.fsencode(name) for name in names_used], kind="stable")
    unnamed = sorted(set(known.names) - set(files.dropna()))
    if unnamed:
        shown = [shown_name(name) for name in unnamed]
        notes.append(data_note(LEFT_OUT, f"images without a row in {labels}", shown))
    return Listing(
        Path(source),
        tuple(names_used.iloc[order]),
        samples.targets[order],
        samples.parts[order],
        samples.classes,
        tuple(notes),
        None if samples.groups is None else samples.groups[order],
    )


def groups_of_names(files: Sequence[str], pattern: str, source: str) -> NDArray[np.int64]:
    """Return equal numbers for files in whose paths the pattern finds the same.

    pattern: a regular expression; its first group is taken, or all that it finds.

    Raises ValueError for a wrong pattern, and when it finds nothing in a path.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"group-from {pattern!r} is no regular expression ({error})") from None
    groups = []
    for name in files:
        match = compiled.search(name)
        if match is None or match[min(1, compiled.groups)] is None:
            raise ValueError(
                f"group-from {pattern!r} finds nothing in {shown_name(name)!r} of {source!r}; "
                "correct the pattern"
            )
        groups.append(match[min(1, compiled.groups)])
    return np.asarray(pd.factorize(np.array(groups, dtype=object))[0], dtype=np.int64)


class _Files:
    """Finds the files of a folder by how a table may name them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._found: dict[str, str | None] = {}
        for name in names:
            path = PurePosixPath(name)
            for key in {path.name, path.stem, str(path.with_suffix(""))} - {name}:
                # None stands for a name that several files have.
                self._found[key] = None if key in self._found else name
        self._found.update({name: name for name in names})

    def find(self, cell: str) -> str | None:
        text = cell.replace("\\", "/").removeprefix("./")
        # A table may name a path from elsewhere: its end is compared as well.
        parts = text.split("/")
        ends = ["/".join(parts[i:]) for i in range(len(parts))]
        return next((found for end in ends if (found := self._found.get(end))), None)


def _file_column(
    frame: pd.DataFrame, known: _Files, source: str, labels: str
) -> tuple[str, pd.Series]:
    """Return the column that names the files, and the file of each row, or None."""
    best, chosen, count = None, "", 0
    most = (0, 0)
    for name in frame.columns:
        if known.find(name) is not None:
            raise ValueError(f"{labels!r} has no header line; add one, such as file,class")
        texts = as_texts(frame[name])
        files = texts.map(known.find, na_action="ignore")
        # Numbers may look like names of files without their endings: whole names count first.
        is_whole = texts.map(lambda cell: "." in cell, na_action="ignore").eq(True)
        score = (files[is_whole].nunique(), files.nunique())
        if score > most:
            most, best, chosen, count = score, files, name, int(files.notna().sum())
    if best is None or count < MIN_FOUND * len(frame):
        raise ValueError(
            f"no column of {labels!r} names the {len(known.names)} images of {source!r} (at most "
            f"{count} of {len(frame)} rows do); correct the names, or name another folder"
        )
    return chosen, best.astype(object).where(best.notna(), None)


def _target(
    frame: pd.DataFrame, column: str, options: DataOptions, labels: str, notes: list[DataNote]
) -> tuple[str, pd.Series]:
    roles = {column, options.group, options.split_column, *options.ignore}
    others = [name for name in frame.columns if name not in roles]
    if options.target is not None or len(others) == 1:
        name = choose_column(frame, options.target or others[0], labels, "--target")
        unused = [each for each in others if each != name]
        if unused:
            notes.append(data_note(LEFT_OUT, f"columns of {labels} beside the class", unused))
        return name, frame[name]
    if len(others) > 2:
        numbers = frame[others].apply(pd.to_numeric, errors="coerce")
        if numbers.isin([0, 1]).all(axis=None) and (numbers.sum(axis=1) == 1).all():
            text = f"{labels} has a column of 0 and 1 for each class"
            notes.append(data_note(LABELS, text, others))
            return "the columns", numbers.idxmax(axis=1)
    return choose_column(frame[others], None, labels, "--target"), frame[column]


def _repeated(
    files: pd.Series, values: pd.Series, present: NDArray[np.bool_], labels: str
) -> NDArray[np.bool_]:
    """Return which rows repeat an earlier one. Raises ValueError if one file has two labels."""
    table = pd.DataFrame({"file": files, "value": as_texts(values)})[present]
    different = table.drop_duplicates()
    twice = different["file"][different["file"].duplicated()]
    if not twice.empty:
        raise ValueError(f"{labels!r} has two labels for {twice.iloc[0]!r}; correct one of them")
    return files.duplicated().to_numpy() & present
