"""The prediction problem: the shape of one input, what is predicted, and what applies to it."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from training_factors.search_spaces.description import UNRESTRICTED


class Problem(NamedTuple):
    """One prediction problem.

    shape: the shape of one input without the batch axis: (channels, height, width) for an image,
        (features,) for a row of a table.
    classes: the number of classes; None for regression.
    own_model: the network is the user's own or a library's, so that its parts may stay as it has
        them.
    has_weights: the study was given a file of weights to start from.
    """

    shape: tuple[int, ...]
    classes: int | None
    own_model: bool = False
    has_weights: bool = False

    @property
    def is_image(self) -> bool:
        """Return whether the inputs are images."""
        return len(self.shape) == 3

    @property
    def outputs(self) -> int:
        """The number of outputs of the network: one per class, or 1 for regression."""
        return self.classes or 1


class Where(NamedTuple):
    """The problems that a factor, an option or a hyperparameter applies to.

    text: the condition in words, such as "images only"; it is shown on screen and stored.
    holds: returns whether the condition holds for a problem.
    """

    text: str
    holds: Callable[[Problem], bool]


EVERYWHERE = Where(UNRESTRICTED, lambda problem: True)
IMAGES = Where("images only", lambda problem: problem.is_image)
COLOUR_IMAGES = Where(
    "colour images only", lambda problem: problem.is_image and problem.shape[0] == 3
)
CLASSIFICATION = Where("classification only", lambda problem: problem.classes is not None)
OWN_MODELS = Where("own models only", lambda problem: problem.own_model)
WITH_WEIGHTS = Where("with --weights only", lambda problem: problem.has_weights)

TARGET_BINS = 10
"""Number of bins of equal size that regression targets are stratified into (deciles)."""


def strata(targets: Tensor) -> Tensor:
    """Return the stratum of every sample, shape (samples,).

    For integer targets it is the class; for floating-point targets it is the decile, 0 to 9.
    """
    if not targets.is_floating_point():
        return targets
    return targets.argsort(stable=True).argsort() * TARGET_BINS // len(targets)
