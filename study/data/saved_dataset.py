"""Read a data set of Hugging Face's `datasets`: saved to disk, or returned by a function."""

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from training_factors.storage.data_report import LEFT_OUT, DataNote, data_note
from training_factors.study.data.dataset import Decoded
from training_factors.study.data.images import StoredImage, decode_images
from training_factors.study.data.options import DataOptions
from training_factors.study.data.parts import PartLabel, part_labels, part_of
from training_factors.study.data.samples import choose_column, read_samples
from training_factors.study.data.table import from_frame


def is_saved_dataset(folder: Path) -> bool:
    """Return whether `save_to_disk` of the `datasets` package wrote this folder."""
    has_state = (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()
    return has_state or (folder / "dataset_dict.json").is_file()


def is_hugging_face(value: Any) -> bool:
    """Return whether this is a `Dataset` or a `DatasetDict` of the `datasets` package."""
    names = {f"{each.__module__.partition('.')[0]}.{each.__name__}" for each in type(value).__mro__}
    return bool(names & {"datasets.Dataset", "datasets.DatasetDict"})


def read_saved_dataset(source: str, options: DataOptions) -> Decoded:
    """Read a folder that `save_to_disk` wrote.

    Raises ValueError when the `datasets` package is missing or the folder is damaged.
    """
    try:
        datasets = import_module("datasets")  # takes seconds
    except ImportError:
        raise ValueError(
            f"folder {source!r} needs the datasets package; install it: "
            "pip install 'training-factors[datasets]'"
        ) from None
    try:
        saved = datasets.load_from_disk(source)
    except (ValueError, KeyError, TypeError, FileNotFoundError) as error:
        raise ValueError(
            f"folder {source!r} is a damaged data set ({str(error).splitlines()[0][:80]}); save it "
            "again"
        ) from None
    return from_hugging_face(saved, source, options)


def from_hugging_face(saved: Any, source: str, options: DataOptions) -> Decoded:
    """Read a `Dataset`, or a `DatasetDict` whose splits are the parts.

    The target is `options.target`, or the only column of class labels. With a column of images
    these are the inputs, otherwise all other columns are.

    Raises ValueError for splits that are no parts, several columns of images, or no target.
    """
    notes: list[DataNote] = []
    splits = _splits(saved, source, notes)
    features = next(iter(splits.values())).features
    labels = [name for name, feature in features.items() if type(feature).__name__ == "ClassLabel"]
    target = options.target or (labels[0] if len(labels) == 1 else None)
    options = options._replace(target=target)
    images = [name for name, feature in features.items() if type(feature).__name__ == "Image"]
    parts = part_labels(list(splits), [len(split) for split in splits.values()])
    tables = [split.remove_columns(images).to_pandas() for split in splits.values()]
    frame = pd.concat(tables, ignore_index=True)
    for name in labels:
        names = dict(enumerate(features[name].names))
        frame[name] = frame[name].map(names).astype(object)  # -1 stands for no label
    if not images:
        return from_frame(frame, source, options, notes, parts)
    if len(images) > 1:
        raise ValueError(f"{source!r} has {len(images)} columns of images; keep one of them")
    return _from_images(splits, images[0], frame, parts, source, options, notes)


def _splits(saved: Any, source: str, notes: list[DataNote]) -> dict[PartLabel, Any]:
    if not isinstance(saved, dict):
        return {PartLabel.UNDECIDED: saved}
    known = {name: part_of(str(name)) for name in saved}
    others = [str(name) for name, part in known.items() if part is None]
    splits = {part: saved[name] for name, part in known.items() if part is not None}
    if PartLabel.POOL not in splits:
        if len(saved) == 1:
            return {PartLabel.UNDECIDED: next(iter(saved.values()))}
        raise ValueError(f"{source!r} has the splits {', '.join(saved)}, but none for training")
    if others:
        notes.append(data_note(LEFT_OUT, "splits that are no part for training or test", others))
    return dict(sorted(splits.items()))


def _from_images(
    splits: dict[PartLabel, Any],
    column: str,
    frame: pd.DataFrame,
    parts: Any,
    source: str,
    options: DataOptions,
    notes: list[DataNote],
) -> Decoded:
    undecoded_image = import_module("datasets").Image(decode=False)
    target = choose_column(frame, options.target, source, "--target")
    samples = read_samples(frame, frame[target], source, options, np.ones(len(frame), bool), parts)
    rows = samples.rows
    undecoded = [split.cast_column(column, undecoded_image) for split in splits.values()]
    items = [
        StoredImage(f"image {row}", partial(_image_bytes, split, row, column))
        for split in undecoded
        for row in range(len(split))
    ]
    others = [n for n in frame.columns if n not in {target, options.group, options.split_column}]
    if others:
        notes.append(data_note(LEFT_OUT, "columns beside the images", others))
    images, readable, further, encoding = decode_images(
        [items[row] for row in rows], options.image_size, options.fit
    )
    if not all(readable):
        names = [items[row].name for row, good in zip(rows, readable, strict=True) if not good]
        notes.append(data_note(LEFT_OUT, f"{len(names):,} images are damaged", names))
    return Decoded(
        images,
        samples.targets[readable],
        samples.classes,
        samples.parts[readable],
        notes=(*notes, *samples.notes, *further),
        groups=None if samples.groups is None else samples.groups[readable],
        encoding=encoding,
    )


def _image_bytes(split: Any, row: int, column: str) -> bytes:
    """Return the file of an image, which lies in the data set or beside it."""
    stored = split[row][column] or {}
    if stored.get("bytes") is not None:
        return bytes(stored["bytes"])
    return Path(stored["path"]).read_bytes() if stored.get("path") else b""
