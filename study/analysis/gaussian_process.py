"""Fit a Gaussian process whose kernel is a product over factors.

The correlation of two configurations is

    k(x, x') = ∏_g (1 + w_g m(d_g)) / (1 + w_g)        d_g² = Σ_c (x_c − x'_c)² / l_c²

over the factors g, with the columns c of a factor and Matérn's correlation m (ν = 5/2). A weight
w_g near 0 means that the factor has no effect. Multiplied out, the product is the sum of a kernel
for every set of factors, as in an analysis of variance (Duvenaud, Nickisch & Rasmussen, 2011). The
weights and lengths maximize the posterior density (Rasmussen & Williams, 2006, chapter 5), with
log-normal priors: there are too many lengths for 128 rows to tell them all.

An objective between 0 and 1, such as accuracy, is modelled by its logit, since effects on a part of
a whole cannot simply add up. R² on other rows of 128, 256 and 512 real trainings of digits (14
factors; 6, 4 and 3 studies): 0.47, 0.61 and 0.66 with one kernel over all columns and the accuracy
itself, 0.54 and 0.65 with the product (512 rows were not tried), 0.57, 0.67 and 0.74 with the logit
as well.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import OptimizeResult, minimize
from scipy.spatial.distance import cdist
from scipy.special import expit, logit

from training_factors.study.analysis.features import Array, Features
from training_factors.study.analysis.rows import Fit, Predict, Rows
from training_factors.study.analysis.surrogates import standardize

TUNING_ROWS = 256
"""Maximum number of rows that the kernel is tuned on; the cost grows with the cube of it."""

OPTIMIZER_STEPS = 40
"""Maximum number of steps of the optimizer towards the largest posterior density."""

LENGTH_PRIOR = (np.log(3.0), 1.0)
"""Mean and standard deviation of the logarithm of a length; active columns range from 0 to 1."""

START_LENGTHS = (3.0, 0.7)
"""Lengths from which the search starts; the kernel with the larger posterior density is kept. A
function that rises and falls several times, such as Ishigami's, is found from short lengths only:
R² is 0.95 instead of 0.31 (200 rows, one simulated study)."""

WEIGHT_PRIOR = (np.log(0.3), 1.5)
"""Mean and standard deviation of the logarithm of a factor's weight."""

NOISE_PRIOR = (np.log(0.5), 0.5)
"""Mean and standard deviation of the logarithm of the noise variance, as a part of the variance of
the objective. It is narrow: with a wide prior the process takes noise for effects (R² on other rows
of 128 of breast_cancer, 18 % of whose variance is noise: 0.30 instead of 0.35; 6 studies)."""

AMPLITUDE_PRIOR = (0.0, 1.5)
"""Mean and standard deviation of the logarithm of the process's variance."""

MARGIN = 0.02
"""Distance that keeps 0 and 1 from the ends of the logit. From 0.005 to 0.05 R² changes by less
than 0.01 (128 and 256 rows of digits)."""

RESIDUALS = 16
"""Number of quantiles of the residuals over which a prediction is averaged."""

PREDICTION_CHUNK = 1024
"""Number of sample points to predict at once; their correlations then fit into the processor's
cache: 0.7 s instead of 1.1 s with 2,048 (32,000 points, 512 rows, one core, one run)."""

ROOT5 = 5**0.5


class Kernel(NamedTuple):
    """A tuned kernel. amplitude, noise: variances. blocks: columns of every factor, with their
    lengths and the factor's weight."""

    amplitude: float
    noise: float
    blocks: tuple[tuple[int, ...], ...]
    lengths: tuple[Array, ...]
    weights: Array

    def between(self, some: Features, others: Features) -> Array:
        """Return the covariance of every pair of configurations: (some, others).

        A factor takes few different values among sample points, since a step of a walk changes one
        factor only. Its correlations are computed once for every different value.
        """
        product = np.full((len(some), len(others)), self.amplitude)
        for block, lengths, weight in zip(self.blocks, self.lengths, self.weights, strict=True):
            columns = list(block)
            first, place = _distinct(some[:, columns])
            distinct = some[first][:, columns]
            distances = cdist(distinct / lengths, others[:, columns] / lengths, "sqeuclidean")
            product *= ((1 + weight * _matern(distances)[0]) / (1 + weight))[place]
        return product


def _distinct(rows: Features) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of different rows, and for every row which of them it equals.

    Rows are compared by their projection onto a random direction, on which different rows have
    different places: sorting numbers is much faster than sorting rows.
    """
    direction = np.random.default_rng(43).random(rows.shape[1])
    _, first, place = np.unique(rows @ direction, return_index=True, return_inverse=True)
    return first, place


def tune_gaussian_process(rows: Rows) -> Fit:
    """Find a kernel by its posterior density; return the fit of a process that keeps it."""
    random = np.random.default_rng((rows.seed, 23))
    part = rows.subset(np.sort(random.permutation(len(rows.values))[:TUNING_ROWS]), rows.seed)
    blocks = tuple(block for block in rows.blocks if block)
    targets = standardize(_to_scale(part))[2]
    pairs = np.triu_indices(len(targets), 1)
    features = part.features.astype(np.float64)
    squares = [
        (features[pairs[0]][:, list(block)] - features[pairs[1]][:, list(block)]) ** 2
        for block in blocks
    ]
    prior = _Prior.of(blocks)

    def search(start: Array) -> OptimizeResult:
        return minimize(
            _negative_log_posterior,
            start,
            args=(prior, squares, pairs, targets),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-8.0, 8.0)] * len(start),
            options={"maxiter": OPTIMIZER_STEPS},
        )

    found = [search(prior.start(length)) for length in START_LENGTHS]
    best = min(found, key=lambda one: float(one.fun))
    return partial(fit_gaussian_process, kernel=_kernel(best.x, blocks))


def fit_gaussian_process(rows: Rows, kernel: Kernel) -> Predict:
    """Fit a Gaussian process whose kernel stays as it is. Nothing is drawn, so no seed is used."""
    centre, scale, targets = standardize(_to_scale(rows))
    covariance = kernel.between(rows.features, rows.features)
    covariance[np.diag_indices_from(covariance)] += kernel.noise
    factored = cho_factor(covariance, lower=True)
    coefficients = cho_solve(factored, targets)
    residuals = None
    if rows.bounded:
        left_out = coefficients / np.diag(cho_solve(factored, np.eye(len(targets))))
        residuals = np.quantile(scale * left_out, (np.arange(RESIDUALS) + 0.5) / RESIDUALS)
    return _Process(kernel, rows.features, coefficients, centre, scale, residuals).predict


class _Process(NamedTuple):
    """A fitted process, in the unit of the objective.

    residuals: quantiles of the residuals on the logit scale, each row left out in turn (Rasmussen &
    Williams, 2006, section 5.4.2); None where the objective is modelled as it is.
    """

    kernel: Kernel
    features: Features
    coefficients: Array
    centre: float
    scale: float
    residuals: Array | None

    def predict(self, features: Features) -> Array:
        """Predict the objective of configurations."""
        chunks = np.array_split(features, max(1, -(-len(features) // PREDICTION_CHUNK)))
        return np.concatenate([self._predict_chunk(chunk) for chunk in chunks])

    def _predict_chunk(self, features: Features) -> Array:
        """Predict the mean objective: that of the logit, averaged back over the residuals."""
        covariance = self.kernel.between(features, self.features)
        mean: Array = self.centre + self.scale * (covariance @ self.coefficients)
        if self.residuals is None:
            return mean
        parts = expit(mean[:, None] + self.residuals)
        objective: Array = (1 + 2 * MARGIN) * parts.mean(axis=1) - MARGIN
        return objective


def _to_scale(rows: Rows) -> Array:
    """Return the objective on the scale that is modelled: its logit if it is bounded."""
    if not rows.bounded:
        return rows.values
    scaled: Array = logit((rows.values + MARGIN) / (1 + 2 * MARGIN))
    return scaled


class _Prior(NamedTuple):
    """Normal priors of all logarithms: amplitude, noise, lengths of all blocks, weights."""

    mean: Array
    deviation: Array
    columns: int

    @classmethod
    def of(cls, blocks: Sequence[Sequence[int]]) -> "_Prior":
        counts = (1, 1, sum(map(len, blocks)), len(blocks))
        priors = (AMPLITUDE_PRIOR, NOISE_PRIOR, LENGTH_PRIOR, WEIGHT_PRIOR)
        mean, deviation = np.repeat(np.array(priors), counts, axis=0).T
        return cls(mean, deviation, counts[2])

    def start(self, length: float) -> Array:
        """Return the point from which a search starts: the mean, but with this length."""
        start = self.mean.copy()
        start[2 : 2 + self.columns] = np.log(length)
        return start


def _kernel(logarithms: Array, blocks: tuple[tuple[int, ...], ...]) -> Kernel:
    amplitude, noise = np.exp(logarithms[:2]).tolist()
    ends = np.cumsum([len(block) for block in blocks])
    lengths = np.split(np.exp(logarithms[2 : 2 + ends[-1]]), ends[:-1])
    return Kernel(amplitude, noise, blocks, tuple(lengths), np.exp(logarithms[2 + ends[-1] :]))


def _matern(squares: Array) -> tuple[Array, Array]:
    """Return Matérn's correlation (ν = 5/2) at squared distances, and its derivative by them."""
    distances = ROOT5 * np.sqrt(squares)
    decay = np.exp(-distances)
    return (1 + distances + distances**2 / 3) * decay, -(5 / 6) * (1 + distances) * decay


def _negative_log_posterior(
    logarithms: Array,
    prior: _Prior,
    squares: Sequence[Array],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    targets: Array,
) -> tuple[float, Array]:
    """Return the negative logarithm of the posterior density, and its gradient.

    squares: squared differences of every pair of rows, (pairs, columns) for every block. pairs:
    numbers of the two rows.
    """
    kernel = _kernel(logarithms, tuple(tuple(range(one.shape[1])) for one in squares))
    terms, product = [], np.full(len(pairs[0]), kernel.amplitude)
    for one, lengths, weight in zip(squares, kernel.lengths, kernel.weights, strict=True):
        terms.append(_matern(one @ lengths**-2))
        product *= (1 + weight * terms[-1][0]) / (1 + weight)
    covariance = np.diag(np.full(len(targets), kernel.amplitude + kernel.noise))
    covariance[pairs] = covariance[pairs[::-1]] = product
    factored = cho_factor(covariance, lower=True)
    coefficients = cho_solve(factored, targets)
    distances = (logarithms - prior.mean) / prior.deviation
    determinant = np.log(np.diag(factored[0])).sum()
    value = 0.5 * float(targets @ coefficients) + determinant + 0.5 * float(distances @ distances)
    inverse = cho_solve(factored, np.eye(len(targets)))
    slope = 0.5 * (inverse - np.outer(coefficients, coefficients))
    trace = float(np.trace(slope))
    # Every pair stands twice in the covariance.
    pulls = 2 * slope[pairs] * product
    by_length, by_weight = [], []
    for one, lengths, weight, (alike, steepness) in zip(
        squares, kernel.lengths, kernel.weights, terms, strict=True
    ):
        part = pulls * (weight / (1 + weight * alike))
        by_weight.append(part @ (alike - 1) / (1 + weight))
        by_length.append(-2 * lengths**-2 * ((part * steepness) @ one))
    gradient = np.concatenate(
        [
            [pulls.sum() + kernel.amplitude * trace, kernel.noise * trace],
            *by_length,
            by_weight,
        ]
    )
    return value, gradient + distances / prior.deviation
