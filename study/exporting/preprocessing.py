"""Describe how new inputs become those of the network: the content of preprocess.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from training_factors.search_spaces.recipe import Transform
from training_factors.study.data.dataset import Dataset
from training_factors.study.data.division import TargetScale
from training_factors.study.data.encoding import ColumnEncoding, ColumnKind, ImageEncoding
from training_factors.study.data.features import filling_values
from training_factors.study.exporting.normalization import normalization_values


@dataclass(frozen=True)
class ImagePreprocessing:
    """The way from an image file to an input: bytes (channels, height, width).

    encoding: how images of another shape are fitted, which values of deep images become 0 and 255,
    and the grey level under transparent pixels.
    """

    width: int
    height: int
    channels: int
    encoding: ImageEncoding

    @property
    def mode(self) -> str:
        """Pillow's mode of the images."""
        return "L" if self.channels == 1 else "RGB"

    @property
    def has_deep_images(self) -> bool:
        """Return whether images of more than 8 bits were among those of the study."""
        return (self.encoding.low, self.encoding.high) != (0.0, 255.0)

    def as_document(self) -> dict[str, Any]:
        """Return what stands in preprocess.json."""
        return {
            "kind": "image",
            "size": [self.width, self.height],
            "channels": self.channels,
            "mode": self.mode,
            **self.encoding._asdict(),
        }


@dataclass(frozen=True)
class ColumnPreprocessing:
    """The way from a cell to numbers.

    fill: the number, encoded as others are, that stands for a missing cell; None if none may be
    missing, and for categories: a missing text is a value of its own, if it is one at all.
    """

    encoding: ColumnEncoding
    fill: float | None

    def as_document(self) -> dict[str, Any]:
        """Return what stands in preprocess.json."""
        encoding = self.encoding
        document: dict[str, Any] = {"name": encoding.name, "kind": str(encoding.kind)}
        if encoding.about:
            document["about"] = encoding.about
        if encoding.kind is ColumnKind.CATEGORY:
            return {**document, "values": encoding.values, "one_hot": encoding.features}
        if encoding.kind is ColumnKind.DATE:
            document["first_day"] = encoding.first_day
        if encoding.scaling is not None:
            document |= zip(("largest", "mean", "deviation"), encoding.scaling, strict=True)
        return {**document, "fill": self.fill}


@dataclass(frozen=True)
class TablePreprocessing:
    """The way from a row to an input: float32 numbers, in the order of the columns."""

    columns: tuple[ColumnPreprocessing, ...]

    def as_document(self) -> dict[str, Any]:
        """Return what stands in preprocess.json."""
        return {"kind": "table", "columns": [column.as_document() for column in self.columns]}


@dataclass(frozen=True)
class Preprocessing:
    """The way from new inputs to those of the network, and from its outputs to the source's unit.

    target: mean and deviation of the target that is predicted; None for classes. normalization: the
    numbers of the fitted normalization, see `normalization_values`; it is applied to images in
    [0, 1], and to rows as they are. notes: what was done to the data.
    """

    inputs: ImagePreprocessing | TablePreprocessing
    target: TargetScale | None
    normalization: Mapping[str, object]
    notes: tuple[str, ...]

    def as_document(self) -> dict[str, Any]:
        """Return the content of preprocess.json."""
        target = {} if self.target is None else {"target": self.target._asdict()}
        return {
            **self.inputs.as_document(),
            **target,
            "normalization": dict(self.normalization),
            "notes": list(self.notes),
        }


def describe_preprocessing(
    dataset: Dataset, pool: Tensor, target: TargetScale | None, normalize: Transform
) -> Preprocessing:
    """Return how new inputs become those of the network.

    pool: indices of the samples by which missing numbers are filled. target: scale of the targets
    that the network predicts. normalize: the fitted normalization.
    """
    inputs = _image(dataset) if dataset.problem.is_image else _table(dataset, pool)
    notes = tuple(map(str, dataset.notes))
    return Preprocessing(inputs, target, normalization_values(normalize), notes)


def _image(dataset: Dataset) -> ImagePreprocessing:
    channels, height, width = dataset.inputs.shape[1:]
    encoding = dataset.encoding if isinstance(dataset.encoding, ImageEncoding) else ImageEncoding()
    return ImagePreprocessing(width, height, channels, encoding)


def _table(dataset: Dataset, pool: Tensor) -> TablePreprocessing:
    encodings = dataset.encoding
    if not isinstance(encodings, tuple) or isinstance(encodings, ImageEncoding):
        count = dataset.inputs.shape[1]
        encodings = tuple(ColumnEncoding(f"column {number}") for number in range(count))
    fills: list[float | None] = [None] * dataset.inputs.shape[1]
    if dataset.impute != "none":
        fills = list(filling_values(dataset.inputs[pool].numpy(), dataset.impute))
    columns = []
    place = 0
    for encoding in encodings:
        fill = fills[place]
        is_category = encoding.kind is ColumnKind.CATEGORY
        columns.append(
            ColumnPreprocessing(encoding, None if fill is None or is_category else float(fill))
        )
        place += len(encoding.features)
    return TablePreprocessing(tuple(columns))
