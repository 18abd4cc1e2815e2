"""What is to be learned: the shape of one input and what is predicted from it."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from training_factors.search_spaces.description import UNRESTRICTED


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
    """Where a factor, an option or a hyperparameter applies: in words, and as a test."""

    words: str
    holds: Callable[[Problem], bool]


EVERYWHERE = Where(UNRESTRICTED, lambda problem: True)
IMAGES = Where("images only", lambda problem: problem.is_image)
COLOUR_IMAGES = Where(
    "colour images only", lambda problem: problem.is_image and problem.shape[0] == 3
)
CLASSIFICATION = Where("classification only", lambda problem: problem.classes is not None)


BANDS = 10
"""Equally filled bands that the targets of a regression are sorted into."""


def strata(targets: Tensor) -> Tensor:
    """The class of every sample; for float targets (regression) its band, 0 to 9."""
    if not targets.is_floating_point():
        return targets
    return targets.argsort(stable=True).argsort() * BANDS // len(targets)
