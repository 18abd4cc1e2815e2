"""The data sets inside scikit-learn: there without a network."""

from importlib import import_module
from typing import Any

import numpy as np

from study.training.dataset import Decoded, undecided


def decode_builtin(name: str) -> Decoded:
    """`digits` (images 1 × 8 × 8), `wine`, `breast_cancer` (tables) or `diabetes` (regression)."""
    # Loaded here: it takes over a second, and data in the cache does without it.
    raw: Any = getattr(import_module("sklearn.datasets"), f"load_{name}")()
    if name == "diabetes":
        return Decoded(
            raw.data.astype(np.float32),
            raw.target.astype(np.float32),
            None,
            undecided(len(raw.target)),
        )
    classes = tuple(str(label) for label in raw.target_names)
    inputs = _stretched(raw.images) if name == "digits" else raw.data.astype(np.float32)
    return Decoded(inputs, raw.target.astype(np.int64), classes, undecided(len(raw.target)))


def _stretched(images: Any) -> Any:
    """Grey values 0-16, (images, 8, 8), as bytes 0-255, (images, 1, 8, 8)."""
    return np.rint(images * (255 / 16)).astype(np.uint8)[:, None]
