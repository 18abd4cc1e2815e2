"""What is to be learned: the shape of one input and what is predicted from it."""

from collections.abc import Callable
from typing import NamedTuple


class Problem(NamedTuple):
    """One prediction problem.

    shape: of one input without the batch: (channels, height, width) for an image,
        (features,) for a row of a table.
    classes: how many there are; None when a number is predicted (regression).
    """

    shape: tuple[int, ...]
    classes: int | None

    @property
    def is_image(self) -> bool:
        """Whether the inputs are images."""
        return len(self.shape) == 3

    @property
    def outputs(self) -> int:
        """How many numbers a network gives for one input."""
        return self.classes or 1


class Where(NamedTuple):
    """Where a factor, an option or a knob applies: in words, and as a test."""

    words: str
    holds: Callable[[Problem], bool]


EVERYWHERE = Where("everywhere", lambda problem: True)
IMAGES = Where("images only", lambda problem: problem.is_image)
COLOUR_IMAGES = Where(
    "colour images only", lambda problem: problem.is_image and problem.shape[0] == 3
)
CLASSIFICATION = Where("classification only", lambda problem: problem.classes is not None)
