"""A cheap stand-in for training: features of a configuration -> the objective to expect."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.tree import DecisionTreeRegressor

Features = NDArray[np.float32]
"""(configurations, columns), in the precision that scikit-learn's trees read."""

Values = NDArray[np.float64]
Predict = Callable[[Features], Values]
Fit = Callable[[Features, Values, int], Predict]
"""Features, values and a seed -> a function from features to values."""

TREES = 300
LEARNING_RATE = 0.06
DEPTH = 4
SUBSAMPLE = 0.7
"""The part of the rows that a tree is grown on."""

COLUMN_FRACTION = 0.5
"""The part of the columns that a split looks at."""

LEAF_ROWS = 5
"""Rows in a leaf at the least."""

FEW_ROWS = 40
"""Below this, leaves are smaller, or trees would be stumps, and a third of the trees learn three
times as fast: at 32 rows R² 0.35 instead of 0.38 (14 simulated factors, 4 seeds), three times
sooner."""


@dataclass(frozen=True)
class _Boosted:
    centre: float
    step: float
    trees: tuple[Any, ...]

    def __call__(self, features: Features) -> Values:
        total = np.zeros(len(features))
        for tree in self.trees:
            total += tree.predict(features)[:, 0]
        return self.centre + self.step * total


def boost(features: Features, values: Values, seed: int) -> Predict:
    """Stochastic gradient boosting of regression trees on squared error (Friedman, 2002).

    Each tree is grown on the residuals of a random part of the rows. The same as scikit-learn's
    GradientBoostingRegressor, whose checks around every tree take most of its time on so few
    rows: 0.14 s here, 0.25 s there (64 rows, 60 columns, one core).
    """
    random = np.random.RandomState(seed)  # the kind of generator that scikit-learn's trees take
    centre, scale, residuals = standardized(values)
    few = len(values) < FEW_ROWS
    count, rate = (TREES // 3, LEARNING_RATE * 3) if few else (TREES, LEARNING_RATE)
    leaf = max(2, len(values) // 8) if few else LEAF_ROWS
    drawn = max(1, int(SUBSAMPLE * len(values)))
    trees = []
    with sklearn.config_context(skip_parameter_validation=True, assume_finite=True):
        for _ in range(count):
            part = random.permutation(len(values))[:drawn]
            tree = DecisionTreeRegressor(
                max_depth=DEPTH,
                max_features=COLUMN_FRACTION,
                min_samples_leaf=leaf,
                random_state=random,
            ).fit(features[part], residuals[part], check_input=False)
            residuals = residuals - rate * tree.tree_.predict(features)[:, 0]
            trees.append(tree.tree_)
    return _Boosted(centre, scale * rate, tuple(trees))


def tune_boosting(features: Features, values: Values, seed: int) -> Fit:
    """Boosting has nothing to tune: the same settings do for every study."""
    return boost


def standardized(values: Values) -> tuple[float, float, Values]:
    """Mean, standard deviation, and the values in these units.

    Rounded, so that the objective's unit and origin, through its last bits, break no ties.
    """
    centre, scale = float(values.mean()), float(values.std()) or 1.0
    return centre, scale, np.round((values - centre) / scale, 9)


TUNING_ROWS = 256
"""Rows that length scales are found on at the most; their cost grows with the cube."""

OPTIMIZER_STEPS = 8
"""Steps towards the largest likelihood, from a smooth start. More of them follow the noise: 128
and 256 rows of 14 factors on digits gave R² 0.35 and 0.39 after 8, 0.17 and 0.40 after 10 from a
less smooth start (length 5), 0.08 and 0.33 from length 3."""

INITIAL_LENGTH = 8.0
SHORTEST_LENGTH = 0.5
LONGEST_LENGTH = 1000.0

PREDICTION_CHUNK = 4096
"""Points predicted at once, which bounds the memory for their distances to all rows."""


def tune_gaussian_process(features: Features, values: Values, seed: int) -> Fit:
    """Find length scales by marginal likelihood; what fits a process with them kept.

    Matérn kernel (ν = 5/2) with a length scale for every column, and white noise (Rasmussen &
    Williams, 2006, chapters 4 and 5).
    """
    random = np.random.default_rng((seed, 23))
    part = np.sort(random.permutation(len(values))[:TUNING_ROWS])
    lengths = np.full(features.shape[1], INITIAL_LENGTH)
    kernel = ConstantKernel(1.0) * Matern(lengths, (SHORTEST_LENGTH, LONGEST_LENGTH), nu=2.5)
    kernel += WhiteKernel(0.1, (1e-3, 2.0))
    regressor = GaussianProcessRegressor(kernel, optimizer=_few_steps)
    with warnings.catch_warnings():
        # A length at its bound, which the warning is about, is what a smooth start asks for.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regressor.fit(features[part].astype(np.float64), standardized(values[part])[2])
    return partial(fit_gaussian_process, kernel=regressor.kernel_)


def fit_gaussian_process(features: Features, values: Values, seed: int, *, kernel: Any) -> Predict:
    """A process with this kernel, through these rows."""
    centre, scale, targets = standardized(values)
    regressor = GaussianProcessRegressor(kernel, optimizer=None)
    regressor.fit(features.astype(np.float64), targets)
    return partial(_predict, regressor, centre, scale)


def _predict(
    regressor: GaussianProcessRegressor, centre: float, scale: float, features: Features
) -> Values:
    chunks = np.array_split(features.astype(np.float64), -(-len(features) // PREDICTION_CHUNK))
    return centre + scale * np.concatenate([regressor.predict(chunk) for chunk in chunks])


def _few_steps(
    objective: Callable[..., Any], start: NDArray[np.float64], bounds: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    found = minimize(
        objective,
        start,
        jac=True,
        bounds=bounds,
        method="L-BFGS-B",
        options={"maxiter": OPTIMIZER_STEPS},
    )
    return found.x, float(found.fun)
