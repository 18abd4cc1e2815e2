"""Measured rows as surrogates are fitted on them, and what a surrogate is.

Loads neither scikit-learn nor joblib: screens that only show numbers read records made from these.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training_factors.study.analysis.features import Array, Blocks, Features, Layout


class Rows(NamedTuple):
    """The data that surrogates are fitted on.

    features: (rows, columns), as the layout encodes configurations. values: the objective, (rows,).
    seed: of all that is drawn.
    """

    features: Features
    values: Array
    seed: int
    layout: Layout

    @property
    def bounded(self) -> bool:
        """Return whether all values lie within [0, 1], as those of accuracy do."""
        return bool(self.values.min() >= 0 and self.values.max() <= 1)

    @property
    def blocks(self) -> Blocks:
        """The columns of every factor."""
        return self.layout.blocks(self.layout.factors())

    def subset(self, part: NDArray[np.int64], seed: int) -> "Rows":
        """Return the rows of these numbers, with another seed."""
        return self._replace(features=self.features[part], values=self.values[part], seed=seed)

    def without(self, fold: NDArray[np.int64]) -> "Rows":
        """Return all rows but those of these numbers."""
        return self.subset(np.setdiff1d(np.arange(len(self.values)), fold), self.seed)


Predict = Callable[[Features], Array]
"""A fitted surrogate: features (rows, columns) -> predicted objective (rows,)."""

Fit = Callable[[Rows], Predict]
"""Fits a surrogate to rows."""

Tune = Callable[[Rows], Fit]
"""Finds a surrogate's settings on rows: returns the fit with these settings."""
