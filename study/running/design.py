"""The designed experiment: the configuration of every row of the measuring phase."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from training_factors.search_spaces.space import Config, Space
from training_factors.study.training.seeds import derive_seed


def designed_configuration(space: Space, seed: int, row: int) -> Config:
    """Return the configuration of a row; it depends on the space, the study's seed and the row.

    Rows are a scrambled Sobol sequence (Sobol, 1967; Owen, 1995) over the latent unit cube. Every
    hyperparameter of every option has a coordinate of its own, and so has the placebo: inputs are
    independent by construction, and a study that is extended continues the same sequence.
    """
    units = _sobol_points(len(space.coordinates()), derive_seed(seed, "design"), row.bit_length())
    return space.decode(units[row].tolist())


@lru_cache(maxsize=4)
def _sobol_points(dimensions: int, seed: int, exponent: int) -> NDArray[np.float64]:
    """Return the first 2**exponent points, (points, dimensions), each coordinate in [0, 1)."""
    sampler = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed))
    points: NDArray[np.float64] = sampler.random_base2(exponent)
    return points
