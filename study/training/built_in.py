"""The data sets inside scikit-learn: no network needed."""

import numpy as np
import torch
from sklearn import datasets

from study.training.dataset import Dataset, assemble

LOADERS = {
    "digits": datasets.load_digits,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "diabetes": datasets.load_diabetes,
}

DIGITS_MAXIMUM = 16
"""Brightest value of the digits' pixels; it becomes 255."""


def load_built_in(name: str) -> Dataset:
    """The data set of this name: 8×8 images for digits, rows of a table for the others."""
    loaded = LOADERS[name]()
    if name == "diabetes":
        return assemble(
            name, torch.tensor(loaded.data).float(), torch.tensor(loaded.target).float(), None
        )
    targets = torch.tensor(loaded.target).long()
    classes = tuple(str(label) for label in loaded.target_names)
    if name == "digits":
        images = np.round(loaded.images * (255 / DIGITS_MAXIMUM)).astype(np.uint8)
        return assemble(name, torch.from_numpy(images).unsqueeze(1), targets, classes)
    return assemble(name, torch.tensor(loaded.data).float(), targets, classes)
