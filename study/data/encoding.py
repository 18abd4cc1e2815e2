"""Hold how a source's images or columns became tensors, so that new ones become the same."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple


class ColumnKind(StrEnum):
    """The kind of the cells of a column.

    A number may be written with a unit, or be a time in hours; a date becomes a number of days.
    """

    NUMBER = "number"
    TRUTH = "truth value"
    DATE = "date"
    CATEGORY = "category"


Scaling64 = tuple[float, float, float]
"""Largest magnitude, mean and deviation of a column of many digits, which is standardized in 64
bits: (value / largest − mean) / deviation."""


class ImageEncoding(NamedTuple):
    """The way in which image files become bytes of one size; see `images.Conversion`."""

    fit: str = "pad"
    low: float = 0.0
    high: float = 255.0
    background: int = 255


class ColumnEncoding(NamedTuple):
    """The way in which the cells of a column become numbers.

    values: of a category: all its texts in the order of their columns of 0 and 1, the empty text
    where some were missing; of two texts only the second has a column. first_day: of a date, the
    day 0, in UTC and ISO 8601. scaling: of a column of many digits. about: how cells were read.
    """

    name: str
    kind: ColumnKind = ColumnKind.NUMBER
    values: tuple[str, ...] = ()
    first_day: str = ""
    scaling: Scaling64 | None = None
    about: str = ""

    @property
    def features(self) -> tuple[str, ...]:
        """The texts that have a column of 0 and 1; of a number the empty text alone."""
        if self.kind is not ColumnKind.CATEGORY:
            return ("",)
        return self.values[1:] if len(self.values) == 2 else self.values


Encoding = ImageEncoding | tuple[ColumnEncoding, ...]


def encoding_document(encoding: Encoding | None) -> dict[str, Any] | None:
    """Return the encoding as JSON, which `read_encoding` reads."""
    if isinstance(encoding, ImageEncoding):
        return {"image": encoding._asdict()}
    if encoding is None:
        return None
    return {"columns": [column._asdict() for column in encoding]}


def read_encoding(document: Mapping[str, Any] | None) -> Encoding | None:
    """Read an encoding from its JSON document."""
    if document is None:
        return None
    if "image" in document:
        return ImageEncoding(**document["image"])
    return tuple(
        ColumnEncoding(
            **{
                **column,
                "kind": ColumnKind(column["kind"]),
                "values": tuple(column["values"]),
                "scaling": column["scaling"] and tuple(column["scaling"]),
            }
        )
        for column in document["columns"]
    )
