"""Fit surrogates, which predict the objective of a configuration from its features.

There are two kinds: gradient boosting of regression trees, and a Gaussian process. Each kind has a
function that tunes it once per study and returns a function that fits it with these settings.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import sklearn
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern, WhiteKernel
from sklearn.tree import DecisionTreeRegressor

from training_factors.study.analysis.features import Array, Features

Predict = Callable[[Features], Array]
"""A fitted surrogate: features (rows, columns) -> predicted objective (rows,)."""

Fit = Callable[[Features, Array, int], Predict]
"""Fits a surrogate: features, objective and a seed -> the fitted surrogate."""

Tune = Callable[[Features, Array, int], Fit]
"""Finds a surrogate's settings: features, objective and a seed -> the fit with these settings."""

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

TUNING_ROWS = 256
"""Maximum number of rows that length scales are tuned on; the cost grows with the cube of it."""

OPTIMIZER_STEPS = 8
"""Steps of the optimizer towards the largest marginal likelihood, from a smooth start. More steps
overfit: 128 and 256 rows of 14 factors on digits gave R² 0.35 and 0.39 after 8 steps, 0.17 and 0.40
after 10 steps from a less smooth start (length 5), and 0.08 and 0.33 from length 3."""

INITIAL_LENGTH = 8.0
"""Length scale of every column at the start of tuning; active columns range from 0 to 1."""

MIN_LENGTH = 0.5
"""Shortest length scale that tuning may choose."""

MAX_LENGTH = 1000.0
"""Longest length scale that tuning may choose; the column then has hardly any effect."""

PREDICTION_CHUNK = 4096
"""Number of sample points to predict at once; bounds the memory for their distances to all rows."""


def tune_boosting(features: Features, values: Array, seed: int) -> Fit:
    """Return `boost`: gradient boosting has the same settings for every study."""
    return boost


def boost(features: Features, values: Array, seed: int) -> Predict:
    """Fit stochastic gradient boosting of regression trees to squared error (Friedman, 2002).

    Each tree is grown on the residuals of a random part of the rows. The method is that of
    scikit-learn's GradientBoostingRegressor, whose checks around every tree take most of its time
    on so few rows: 0.14 s here, 0.25 s there (64 rows, 60 columns, one core).
    """
    random = np.random.RandomState(seed)  # the kind of generator that scikit-learn's trees take
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


def tune_gaussian_process(features: Features, values: Array, seed: int) -> Fit:
    """Find length scales by marginal likelihood; return the fit of a process that keeps them.

    The kernel is Matérn's (ν = 5/2) with a length scale for every column, plus white noise
    (Rasmussen & Williams, 2006, chapters 4 and 5).
    """
    random = np.random.default_rng((seed, 23))
    part = np.sort(random.permutation(len(values))[:TUNING_ROWS])
    lengths = np.full(features.shape[1], INITIAL_LENGTH)
    kernel = ConstantKernel(1.0) * Matern(lengths, (MIN_LENGTH, MAX_LENGTH), nu=2.5)
    kernel += WhiteKernel(0.1, (1e-3, 2.0))
    regressor = GaussianProcessRegressor(kernel, optimizer=_optimize_few_steps)
    with warnings.catch_warnings():
        # It warns of a length scale at its bound, which is where a smooth start leaves many.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regressor.fit(features[part].astype(np.float64), standardize(values[part])[2])
    return partial(fit_gaussian_process, kernel=regressor.kernel_)


def fit_gaussian_process(
    features: Features, values: Array, seed: int, *, kernel: Kernel
) -> Predict:
    """Fit a Gaussian process whose kernel stays as it is. Nothing is drawn, so no seed is used."""
    centre, scale, targets = standardize(values)
    regressor = GaussianProcessRegressor(kernel, optimizer=None)
    regressor.fit(features.astype(np.float64), targets)
    return partial(_predict_in_chunks, regressor, centre, scale)


def standardize(values: Array) -> tuple[float, float, Array]:
    """Return the mean, the standard deviation, and the standardized values.

    They are rounded to nine digits, so that the unit and the origin of the objective cannot break
    ties through its last bits.
    """
    centre, scale = float(values.mean()), float(values.std()) or 1.0
    return centre, scale, np.round((values - centre) / scale, 9)


def _predict_in_chunks(
    regressor: GaussianProcessRegressor, centre: float, scale: float, features: Features
) -> Array:
    chunks = np.array_split(features.astype(np.float64), -(-len(features) // PREDICTION_CHUNK))
    return centre + scale * np.concatenate([regressor.predict(chunk) for chunk in chunks])


def _optimize_few_steps(
    objective: Callable[..., Any], start: Array, bounds: Array
) -> tuple[Array, float]:
    """Minimize for at most `OPTIMIZER_STEPS` steps; the signature is that of scikit-learn."""
    result = minimize(
        objective,
        start,
        jac=True,
        bounds=bounds,
        method="L-BFGS-B",
        options={"maxiter": OPTIMIZER_STEPS},
    )
    return result.x, float(result.fun)
