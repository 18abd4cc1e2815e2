"""What a stratified draw keeps in proportion: classes, or bands of numbers."""

from torch import Tensor

BANDS = 10
"""Equally filled bands that the targets of a regression are sorted into."""


def strata(targets: Tensor) -> Tensor:
    """The class of every sample; for float targets (regression) its band, 0 to 9."""
    if not targets.is_floating_point():
        return targets
    return targets.argsort(stable=True).argsort() * BANDS // len(targets)
