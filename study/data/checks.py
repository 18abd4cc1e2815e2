"""Refuse data that no fair study can be run on, before anything is trained or stored."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training_factors.storage.data_report import WARNING, DataNote, data_note
from training_factors.study.data.dataset import Decoded
from training_factors.study.data.parts import PartLabel

MIN_SAMPLES_PER_CLASS = 10
"""Minimum number of samples of a class: a fifth of fewer is too little to measure accuracy on."""

MAX_IMBALANCE = 50
"""Number of samples of the largest class per sample of the smallest above which one is warned."""

MIN_VARIETY = 1.0
"""Smallest mean standard deviation of a pixel, in grey levels, over the images of a class; images
that vary less are empty or copies of one another."""

MIN_SAMPLES_REGRESSION = 50
"""Minimum number of samples for regression: validation and test part then hold ten each."""


def refuse_unlearnable(decoded: Decoded, source: str) -> None:
    """Raise ValueError when the targets are too few, invalid or all the same.

    source: of the data, as the user gave it; named in the message.
    """
    if decoded.classes is None:
        _refuse_numbers(decoded.targets, source)
    else:
        _refuse_classes(decoded, decoded.classes, source)


def _refuse_numbers(targets: NDArray[Any], source: str) -> None:
    if len(targets) < MIN_SAMPLES_REGRESSION:
        raise ValueError(
            f"data {source!r} has {_samples(len(targets))}; "
            f"regression needs {MIN_SAMPLES_REGRESSION} or more"
        )
    if not np.isfinite(targets).all():
        raise ValueError(f"a target of {source!r} is not finite; leave such samples out")
    if (targets == targets[0]).all():
        raise ValueError(f"every target of {source!r} is {targets[0]:g}; nothing can be learned")


def _refuse_classes(decoded: Decoded, classes: tuple[str, ...], source: str) -> None:
    targets, skipped = decoded.targets, decoded.skipped
    if len(classes) < 2:
        raise ValueError(
            f"data {source!r} has only one class ({', '.join(classes)!r}); two or more are needed"
        )
    counts = np.bincount(targets, minlength=len(classes))
    if counts.min() < MIN_SAMPLES_PER_CLASS:
        are_numbers = all(name.lstrip("-").replace(".", "").isdigit() for name in classes)
        numbers = ", or predict the number with --task regression" if are_numbers else ""
        files = "1 file" if len(skipped) == 1 else f"{len(skipped)} files"
        readable = f" that can be read ({files} cannot)" if skipped else ""
        raise ValueError(
            f"class {classes[counts.argmin()]!r} of {source!r} has {_samples(counts.min())}"
            f"{readable}; every class needs {MIN_SAMPLES_PER_CLASS} or more: add some, or merge "
            f"or remove the class{numbers}"
        )
    for part, members, least in _required_per_class(decoded.parts):
        counts = np.bincount(targets[members], minlength=len(classes))
        if counts.min() < least:
            raise ValueError(
                f"class {classes[counts.argmin()]!r} of {source!r} has {_samples(counts.min())} "
                f"in its {part} part and needs {least} or more there; move some"
            )


def warnings_about(decoded: Decoded) -> tuple[DataNote, ...]:
    """Return warnings: a rare class, and classes whose images are nearly all alike."""
    if decoded.classes is None:
        return ()
    return (
        *_same_but_for_capitals(decoded.classes),
        *_imbalance(decoded.targets, decoded.classes),
        *_lack_of_variety(decoded.inputs, decoded.targets, decoded.classes),
    )


def _same_but_for_capitals(classes: tuple[str, ...]) -> list[DataNote]:
    folded = [name.casefold() for name in classes]
    alike = [name for name in classes if folded.count(name.casefold()) > 1]
    text = "classes that differ in capitals only; are they the same?"
    return [data_note(WARNING, text, alike)] if alike else []


def _imbalance(targets: NDArray[np.int64], classes: tuple[str, ...]) -> list[DataNote]:
    counts = np.bincount(targets, minlength=len(classes))
    if counts.min() * MAX_IMBALANCE >= counts.max():
        return []
    text = (
        f"class {classes[int(counts.argmin())]!r} has {counts.min()} of {len(targets):,} samples; "
        f"a network that always says {classes[int(counts.argmax())]!r} has an accuracy of "
        f"{counts.max() / len(targets):.3f}: choose --metric balanced_accuracy or "
        "macro_f1, and vary class_weight (--space full); more runs do not help"
    )
    return [data_note(WARNING, text)]


def _lack_of_variety(
    inputs: NDArray[Any], targets: NDArray[np.int64], classes: tuple[str, ...]
) -> list[DataNote]:
    if inputs.ndim == 2:
        return []
    alike = []
    for index, name in enumerate(classes):
        some = inputs[np.flatnonzero(targets == index)[:100]].astype(np.float32)
        if some.std(axis=0).mean() < MIN_VARIETY:
            alike.append(name)
    text = "classes whose images are constant or nearly all alike; look at them before training"
    return [data_note(WARNING, text, alike)] if alike else []


def _required_per_class(parts: NDArray[np.uint8]) -> list[tuple[str, NDArray[np.bool_], int]]:
    """Return (name of a part, mask of its samples, samples that each class needs in it)."""
    given = [
        (label.word, parts == label, 1)
        for label in (PartLabel.VALIDATION, PartLabel.TEST)
        if (parts == label).any()
    ]
    rest = (parts == PartLabel.POOL) | (parts == PartLabel.UNDECIDED)
    # One sample stays for training, and one goes to each part that the source does not have.
    return [("training", rest, 1 + 2 - len(given)), *given]


def _samples(count: int) -> str:
    return "1 sample" if count == 1 else f"{count} samples"
