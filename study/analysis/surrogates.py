"""Fit surrogates, which predict the objective of a configuration from its features.

There are two kinds: gradient boosting of regression trees, here, and the Gaussian process of
`gaussian_process`. Each kind has a function that tunes it on some rows and returns a function that
fits it with these settings.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn
from sklearn.tree import DecisionTreeRegressor

from training_factors.study.analysis.features import Array, Features
from training_factors.study.analysis.rows import Fit, Predict, Rows

TREES = 300
"""Number of trees that gradient boosting grows."""

LEARNING_RATE = 0.06
"""Factor by which the prediction of each tree is scaled down."""

MAX_DEPTH = 4
"""Maximum depth of a tree."""

SUBSAMPLE = 0.7
"""Fraction of the rows that each tree is grown on."""

COLUMN_FRACTION = 0.5
"""Fraction of the columns that each split considers."""

MIN_LEAF_ROWS = 5
"""Minimum number of rows in a leaf."""

FEW_ROWS = 40
"""Number of rows below which leaves may be smaller, since trees would be stumps otherwise, and a
third of the trees learn at three times the rate: at 32 rows R² is 0.35 instead of 0.38 (14
simulated factors, 4 seeds), in a third of the time."""


def tune_boosting(rows: Rows) -> Fit:
    """Return `boost`: gradient boosting has the same settings for every study."""
    return boost


def boost(rows: Rows) -> Predict:
    """Fit stochastic gradient boosting of regression trees to squared error (Friedman, 2002).

    Each tree is grown on the residuals of a random part of the rows. The method is that of
    scikit-learn's GradientBoostingRegressor, whose checks around every tree take most of its time
    on so few rows: 0.14 s here, 0.25 s there (64 rows, 60 columns, one core).
    """
    features, values = rows.features, rows.values
    random = np.random.RandomState(
        rows.seed
    )  # the kind of generator that scikit-learn's trees take
    centre, scale, residuals = standardize(values)
    few = len(values) < FEW_ROWS
    count, rate = (TREES // 3, LEARNING_RATE * 3) if few else (TREES, LEARNING_RATE)
    leaf = max(2, len(values) // 8) if few else MIN_LEAF_ROWS
    drawn = max(1, int(SUBSAMPLE * len(values)))
    trees = []
    with sklearn.config_context(skip_parameter_validation=True, assume_finite=True):
        for _ in range(count):
            part = random.permutation(len(values))[:drawn]
            tree = DecisionTreeRegressor(
                max_depth=MAX_DEPTH,
                max_features=COLUMN_FRACTION,
                min_samples_leaf=leaf,
                random_state=random,
            ).fit(features[part], residuals[part], check_input=False)
            residuals = residuals - rate * tree.tree_.predict(features)[:, 0]
            trees.append(tree.tree_)
    return _BoostedTrees(centre, scale * rate, tuple(trees))


@dataclass(frozen=True)
class _BoostedTrees:
    """The sum of many trees, in the unit of the objective.

    trees: scikit-learn's `Tree` objects, which have no type that mypy knows.
    """

    centre: float
    step: float
    trees: tuple[Any, ...]

    def __call__(self, features: Features) -> Array:
        total = np.zeros(len(features))
        for tree in self.trees:
            total += tree.predict(features)[:, 0]
        return self.centre + self.step * total


def standardize(values: Array) -> tuple[float, float, Array]:
    """Return the mean, the standard deviation, and the standardized values.

    They are rounded to nine digits, so that the unit and the origin of the objective cannot break
    ties through its last bits.
    """
    centre, scale = float(values.mean()), float(values.std()) or 1.0
    return centre, scale, np.round((values - centre) / scale, 9)
