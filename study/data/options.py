"""The options of a data source: what to predict, and how images come to one size and type."""

from typing import NamedTuple

TASKS = ("classification", "regression")
"""What can be predicted: classes or numbers."""

FITS = ("pad", "crop", "stretch")
"""Ways to bring an image of another shape to the common size."""


class DataOptions(NamedTuple):
    """Holds what a user says about the data; every default lets the source decide.

    limit: number of samples of a class-balanced subset; see `subset.balanced_subset`.
    image_size: side of square images, in pixels.
    target: the column of a table to predict.
    task: one of `TASKS`.
    fit: one of `FITS`, how images of another shape come to the common one: with black borders,
        cropped at the centre, or stretched.
    """

    limit: int | None = None
    image_size: int | None = None
    target: str | None = None
    task: str | None = None
    fit: str | None = None


NO_OPTIONS = DataOptions()
"""The options of a user who says nothing."""
