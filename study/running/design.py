"""The designed experiment: which configuration every row of the measuring phase has."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from training_factors.search_spaces.space import Config, Space
from training_factors.study.training.seeds import derive_seed


def designed_configuration(space: Space, seed: int, row: int) -> Config:
    """The configuration of a row: it depends on the space, the study's seed and the row alone.

    Rows are a scrambled Sobol sequence (Sobol, 1967; Owen, 1995) over the latent unit cube, in
    which every hyperparameter of every option owns one coordinate, and the placebo one: inputs are
    independent by construction, and a study that is extended goes on in the same sequence.
    """
    units = _block(len(space.coordinates()), derive_seed(seed, "design"), row.bit_length())[row]
    return space.decode(units.tolist())


@lru_cache(maxsize=4)
def _block(dimensions: int, seed: int, exponent: int) -> NDArray[np.float64]:
    sampler = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed))
    points: NDArray[np.float64] = sampler.random_base2(exponent)
    return points
