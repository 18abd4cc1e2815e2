"""What data must be to be studied; refused before anything is trained or stored."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training_factors.study.training.dataset import Decoded, PartLabel

SMALLEST = 10
"""Samples of a class, at least: with fewer, a fifth of them is not enough to measure on."""

SMALLEST_TABLE = 50
"""Samples for regression, at least: its validation and test parts then hold ten each."""


def refuse_limit(limit: int, targets: NDArray[Any], classes: tuple[str, ...] | None) -> None:
    """Raise ValueError when a subset of so many samples cannot be drawn or is too small."""
    if limit > len(targets):
        raise ValueError(
            f"limit {limit} is larger than the data ({len(targets)} samples); leave --limit out"
        )
    least = SMALLEST_TABLE if classes is None else SMALLEST * len(classes)
    if limit < least:
        why = "regression" if classes is None else f"{len(classes)} classes"
        raise ValueError(f"limit {limit} is too small for {why}; it must be at least {least}")


def refuse_unlearnable(decoded: Decoded, source: str) -> None:
    """Raise ValueError, naming what is wrong, when no fair study of this data is possible."""
    if decoded.classes is None:
        _refuse_numbers(decoded.targets, source)
    else:
        _refuse_classes(decoded, decoded.classes, source)


def _refuse_numbers(targets: NDArray[Any], source: str) -> None:
    if len(targets) < SMALLEST_TABLE:
        raise ValueError(
            f"data {source!r} has {len(targets)} samples; regression needs {SMALLEST_TABLE} or more"
        )
    if not np.isfinite(targets).all():
        raise ValueError(f"a target of {source!r} is not finite; leave such samples out")
    if (targets == targets[0]).all():
        raise ValueError(f"every target of {source!r} is {targets[0]:g}; nothing can be learned")


def _refuse_classes(decoded: Decoded, classes: tuple[str, ...], source: str) -> None:
    targets, parts, skipped = decoded.targets, decoded.parts, decoded.skipped
    if len(classes) < 2:
        raise ValueError(
            f"data {source!r} has only one class ({', '.join(classes)!r}); two or more are needed"
        )
    counts = np.bincount(targets, minlength=len(classes))
    if counts.min() < SMALLEST:
        unreadable = f" that can be read ({len(skipped)} files cannot)" if skipped else ""
        raise ValueError(
            f"class {classes[counts.argmin()]!r} of {source!r} has {_samples(counts.min())}"
            f"{unreadable}; every class needs {SMALLEST} or more: add some, or merge or remove "
            "the class"
        )
    for words, inside, least in _demands(parts):
        counts = np.bincount(targets[inside], minlength=len(classes))
        if counts.min() < least:
            raise ValueError(
                f"class {classes[counts.argmin()]!r} of {source!r} has {_samples(counts.min())} "
                f"in its {words} part and needs {least} or more there; move some"
            )


def _demands(parts: NDArray[np.uint8]) -> list[tuple[str, NDArray[np.bool_], int]]:
    """(part in words, its samples, how many of each class it needs)."""
    own = [
        (place.name.lower(), parts == place, 1)
        for place in (PartLabel.VALIDATION, PartLabel.TEST)
        if (parts == place).any()
    ]
    rest = (parts == PartLabel.POOL) | (parts == PartLabel.UNDECIDED)
    # One stays for training, and one goes to each part that the source does not have.
    return [("training", rest, 1 + 2 - len(own)), *own]


def _samples(count: int) -> str:
    return "1 sample" if count == 1 else f"{count} samples"
