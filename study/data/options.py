"""The options of a data source: what to predict, and how images come to one size and type."""

from typing import NamedTuple


class DataOptions(NamedTuple):
    """Holds what a user says about the data; every default lets the source decide.

    limit: number of samples of a class-balanced subset; see `subset.balanced_subset`.
    image_size: side of square images, in pixels.
    target: the column of a table to predict.
    task: `classification` or `regression`.
    fit: how images of another shape come to the common one: `pad` with black borders, `crop` at the
        centre, or `stretch`.
    scale: `LOW:HIGH`, the values of image arrays that are black and white.
    labels: a table with the file and the class of each image of a folder.
    ignore: columns to leave out. impute: how missing numbers are filled from
        the training part: by its `median` (the same as None) or `most_frequent` value; `none`
        refuses them.
    group: a column or an array; samples of one group stay in one part.
    group_from: regular expression; what it finds in an image's path is the image's group.
    split_column: a column that says in which part each row is.
    """

    limit: int | None = None
    image_size: int | None = None
    target: str | None = None
    task: str | None = None
    fit: str | None = None
    scale: str | None = None
    labels: str | None = None
    ignore: tuple[str, ...] = ()
    impute: str | None = None
    group: str | None = None
    group_from: str | None = None
    split_column: str | None = None


NO_OPTIONS = DataOptions()
"""The options of a user who says nothing."""
