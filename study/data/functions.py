"""Call a user's function for data, and read what it returns: arrays, tables or data sets."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training_factors.search_spaces.user_code import import_object
from training_factors.study.data.arrays import Arrays, as_array, find_arrays, join_parts
from training_factors.study.data.dataset import Decoded
from training_factors.study.data.options import DataOptions
from training_factors.study.data.parts import PartLabel, part_labels, part_of
from training_factors.study.data.saved_dataset import from_hugging_face, is_hugging_face
from training_factors.study.data.table import from_frame

READ_TWICE = 32
"""Number of items of a data set that are read twice, to see whether they stay the same."""

RETURNS = (
    "return (X, y), a DataFrame, a torch Dataset, or (train, test) or (train, validation, test) "
    "of these"
)
"""What a function may return, in the words of error messages."""

PARTS_IN_ORDER = {
    2: (PartLabel.POOL, PartLabel.TEST),
    3: (PartLabel.POOL, PartLabel.VALIDATION, PartLabel.TEST),
}
"""Number of returned parts -> what they are."""


def call_function(source: str, options: DataOptions) -> Decoded:
    """Import a function, call it without arguments and read what it returns.

    source: `package.module:function` or `file.py:function`.

    Raises ValueError when it cannot be imported, fails or returns something else.
    """
    try:
        function: Any = import_object(source)
    except ValueError as error:
        raise ValueError(
            f"data {source!r} cannot be imported ({error}); "
            "use package.module:function or file.py:function"
        ) from error
    try:
        returned = function()
    except Exception as error:
        # A user's function may raise anything; --debug shows the traceback.
        raise ValueError(
            f"data {source!r} failed: {type(error).__name__}: {_first_line(error)}"
        ) from error
    return read_returned(returned, source, options)


def read_returned(returned: Any, source: str, options: DataOptions) -> Decoded:
    """Read what a function returned.

    Raises ValueError, which says what to return, for everything else.
    """
    if is_hugging_face(returned):
        return from_hugging_face(returned, source, options)
    parts = _parts(returned)
    kinds = {_kind(part) for part in parts.values()}
    if kinds == {"frame"}:
        return _from_frames(parts, source, options)
    _refuse_column_options(source, options)
    if None in kinds or len(kinds) > 1:
        what = type(returned).__name__
        if isinstance(returned, tuple | list):
            what = f"{what} of {', '.join(type(each).__name__ for each in returned[:4])}"
        raise ValueError(f"data {source!r} returned {what}; {RETURNS}")
    if kinds == {"named"}:
        found, notes = find_arrays(returned, source, options.group)
        return join_parts(found, source, options, notes)
    if options.group is not None:
        raise ValueError(
            f"{source!r} returns no columns; leave --group out, or return a DataFrame, or a "
            f"dictionary of arrays with {options.group!r}"
        )
    if kinds == {"pair"}:
        return join_parts({label: Arrays(*part) for label, part in parts.items()}, source, options)
    arrays = {label: _read_items(part, source) for label, part in parts.items()}
    return _named(join_parts(arrays, source, options), _class_names(parts))


def _parts(returned: Any) -> dict[PartLabel, Any]:
    """Return the parts that were returned; all samples are UNDECIDED if there is only one."""
    if isinstance(returned, Mapping):
        labels = [part_of(str(name)) for name in returned]
        known = [label for label in labels if label is not None]
        if known and known == labels:
            return dict(zip(known, returned.values(), strict=True))
    is_sequence = isinstance(returned, tuple | list) and len(returned) in PARTS_IN_ORDER
    if is_sequence and _kind(returned) is None:
        return dict(zip(PARTS_IN_ORDER[len(returned)], returned, strict=True))
    return {PartLabel.UNDECIDED: returned}


def _kind(value: Any) -> str | None:
    """Return what a part is: `frame`, `pair` of arrays, `named` arrays, `dataset`, or None."""
    if isinstance(value, pd.DataFrame):
        return "frame"
    if isinstance(value, Mapping):
        is_named = any(_is_array(each) and np.ndim(each) > 0 for each in value.values())
        return "named" if is_named else None
    if isinstance(value, tuple | list):
        if len(value) != 2 or not all(map(_is_array, value)):
            return None
        inputs, targets = value
        if isinstance(inputs, pd.DataFrame):
            is_other = isinstance(targets, pd.DataFrame) and set(targets) & set(inputs)
            return None if is_other else "frame"
        return "pair"
    is_dataset = hasattr(value, "__getitem__") and hasattr(value, "__len__")
    return "dataset" if is_dataset and not _is_array(value) and not isinstance(value, str) else None


def _is_array(value: Any) -> bool:
    return (
        isinstance(value, list | pd.DataFrame | pd.Series)
        or hasattr(value, "__array__")
        or (hasattr(value, "toarray"))
    )


def _from_frames(parts: Mapping[PartLabel, Any], source: str, options: DataOptions) -> Decoded:
    """Join tables to one. Of a table and its target the target becomes a column."""
    frames = []
    for part in parts.values():
        frame = part
        if not isinstance(part, pd.DataFrame):
            frame, target = part
            column = _one_column(target, source) if isinstance(target, pd.DataFrame) else target
            values = as_array(column)
            if len(values) != len(frame):
                raise ValueError(
                    f"X {frame.shape} and y {values.shape} of {source!r} do not match: "
                    "y must have one value for each sample of X"
                )
            name = str(getattr(column, "name", None) or "target")
            frame = frame.assign(**{name: values})
            options = options._replace(target=options.target or name)
        frames.append(frame)
    for one, other in pairwise(frames):
        if set(one.columns) != set(other.columns):
            name = sorted(map(str, set(one.columns) ^ set(other.columns)))[0]
            raise ValueError(
                f"only one part of {source!r} has a column {name!r}; rename or drop it"
            )
    labels = part_labels(list(parts), [len(frame) for frame in frames])
    return from_frame(pd.concat(frames, ignore_index=True), source, options, parts=labels)


def _one_column(target: pd.DataFrame, source: str) -> "pd.Series[Any]":
    """Return the only column, or, for columns of 0 and 1, the name of the one that has the 1."""
    if target.shape[1] == 1:
        return target.iloc[:, 0]
    numbers = target.apply(pd.to_numeric, errors="coerce")
    if not (numbers.isin([0, 1]).all(axis=None) and (numbers.sum(axis=1) == 1).all()):
        raise ValueError(f"y of {source!r} has {target.shape[1]} columns; return one")
    return pd.Series(numbers.idxmax(axis=1), name="target")


def _read_items(items: Any, source: str) -> Arrays:
    """Read all items of a data set: pairs (input, target), or dictionaries with these.

    Raises ValueError for items of different shapes, and for items that change from read to read.
    """
    if len(items) == 0:
        raise ValueError(f"data {source!r} returned an empty data set; {RETURNS}")
    try:
        read = [_item(items[i]) for i in range(len(items))]
    except Exception as error:
        # A user's data set may raise anything; --debug shows the traceback.
        raise ValueError(
            f"data {source!r} cannot be read: {type(error).__name__}: {_first_line(error)}"
        ) from error
    shapes = {inputs.shape for inputs, _ in read}
    if len(shapes) > 1:
        one, other = sorted(shapes)[:2]
        raise ValueError(
            f"items of {source!r} have different shapes, {one} and {other}; resize them in the "
            "data set"
        )
    for i in np.linspace(0, len(items) - 1, min(READ_TWICE, len(items))).astype(int):
        again, target = _item(items[int(i)])
        if not (np.array_equal(again, read[i][0], equal_nan=again.dtype.kind == "f")
                and np.array_equal(target, read[i][1])):  # fmt: skip
            raise ValueError(
                f"item {i} of {source!r} is another one each time it is read; leave random "
                "transforms out of the data set: augmentation is a factor of the study"
            )
    return Arrays(np.stack([inputs for inputs, _ in read]), np.array([t for _, t in read]))


def _item(item: Any) -> tuple[NDArray[Any], Any]:
    """Return input and target of an item as an array and a number, text or row."""
    if isinstance(item, Mapping):
        (arrays,) = find_arrays({k: [v] for k, v in item.items()}, "an item", None)[0].values()
        inputs, target = arrays.inputs[0], arrays.targets[0]
    else:
        inputs, target = item
    if hasattr(inputs, "convert"):  # an image of Pillow's
        inputs = inputs.convert("RGB") if inputs.mode in ("P", "CMYK", "YCbCr") else inputs
    target = as_array(target)
    return as_array(inputs), target.item() if target.ndim == 0 else target


def _class_names(parts: Mapping[PartLabel, Any]) -> list[str] | None:
    """Return the class names that a data set has, as those of torchvision and subsets of them."""
    for part in parts.values():
        while part is not None:
            names = getattr(part, "classes", None)
            if isinstance(names, tuple | list):
                return [str(name) for name in names]
            part = getattr(part, "dataset", None)
    return None


def _named(decoded: Decoded, names: list[str] | None) -> Decoded:
    """Give numbered classes their names."""
    if names is None or decoded.classes is None:
        return decoded
    if not all(each.isdigit() and int(each) < len(names) for each in decoded.classes):
        return decoded
    return decoded._replace(classes=tuple(names[int(each)] for each in decoded.classes))


def _refuse_column_options(source: str, options: DataOptions) -> None:
    for name, value in (("--target", options.target), ("--split-column", options.split_column),
                        ("--ignore", options.ignore)):  # fmt: skip
        if value:
            raise ValueError(f"{source!r} returns no columns; leave {name} out")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:120]
