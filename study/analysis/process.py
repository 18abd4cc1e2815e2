"""The second surrogate: a Gaussian process, unlike trees in all that it gets wrong."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from study.analysis.surrogate import Features, Fit, Predict, Values, standardized

TUNING_ROWS = 256
"""Rows that length scales are found on at the most; their cost grows with the cube."""

STEPS = 8
"""Steps towards the largest likelihood, from a smooth start. More of them follow the noise: 128
and 256 rows of 14 factors on digits gave R² 0.35 and 0.39 after 8, 0.17 and 0.40 after 10 from a
less smooth start (length 5), 0.08 and 0.33 from length 3."""

SMOOTH = 8.0
SHORTEST = 0.5
LONGEST = 1000.0

CHUNK = 4096
"""Points predicted at once, which bounds the memory for their distances to all rows."""


def tune_process(features: Features, values: Values, seed: int) -> Fit:
    """Find length scales by marginal likelihood; what fits a process with them kept.

    Matérn kernel (ν = 5/2) with a length scale for every column, and white noise (Rasmussen &
    Williams, 2006, chapters 4 and 5).
    """
    random = np.random.default_rng((seed, 23))
    part = np.sort(random.permutation(len(values))[:TUNING_ROWS])
    lengths = np.full(features.shape[1], SMOOTH)
    kernel = ConstantKernel(1.0) * Matern(lengths, (SHORTEST, LONGEST), nu=2.5)
    kernel += WhiteKernel(0.1, (1e-3, 2.0))
    regressor = GaussianProcessRegressor(kernel, optimizer=_few_steps)
    with warnings.catch_warnings():
        # A length at its bound, which the warning is about, is what a smooth start asks for.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regressor.fit(features[part].astype(np.float64), standardized(values[part])[2])
    return partial(fit_process, kernel=regressor.kernel_)


def fit_process(features: Features, values: Values, seed: int, *, kernel: Any) -> Predict:
    """A process with this kernel, through these rows."""
    centre, scale, targets = standardized(values)
    regressor = GaussianProcessRegressor(kernel, optimizer=None)
    regressor.fit(features.astype(np.float64), targets)
    return partial(_predict, regressor, centre, scale)


def _predict(
    regressor: GaussianProcessRegressor, centre: float, scale: float, features: Features
) -> Values:
    chunks = np.array_split(features.astype(np.float64), -(-len(features) // CHUNK))
    return centre + scale * np.concatenate([regressor.predict(chunk) for chunk in chunks])


def _few_steps(
    objective: Callable[..., Any], start: NDArray[np.float64], bounds: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    found = minimize(
        objective, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": STEPS}
    )
    return found.x, float(found.fun)
