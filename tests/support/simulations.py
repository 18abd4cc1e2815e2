"""Simulated trials: designed rows of known functions, with noise like that of training seeds.

The functions and their exact indices are those of the literature on sensitivity analysis; see
`EXACT`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from training_factors.search_spaces.description import (
    PLACEBO,
    UNRESTRICTED,
    Coordinate,
    DescribedFactor,
    DescribedHyperparameter,
    DescribedOption,
    SpaceDescription,
    parse_parameter,
)
from training_factors.search_spaces.dimension import OneOf, Uniform
from training_factors.search_spaces.distribution import place_of
from training_factors.storage.trials import Trial
from training_factors.study.analysis.features import Layout, read_layout
from training_factors.study.analysis.rows import Rows

Array = NDArray[np.float64]
UNIT = Uniform(0.0, 1.0)


class Simulation(NamedTuple):
    """A described space, and a function of its unit cube that takes the place of training."""

    space: SpaceDescription
    function: Callable[[Array], Array]


def axis(name: str, option: str | None = None, *choices: str) -> Coordinate:
    dimension = OneOf(*choices) if choices else UNIT
    return Coordinate(name, parse_parameter(name).factor, option, dimension)


def describe_space(*axes: Coordinate, topics: dict[str, str] | None = None) -> SpaceDescription:
    factors = tuple(
        DescribedFactor(name, (topics or {}).get(name, name), UNRESTRICTED, "", options(name, axes))
        for name in dict.fromkeys(one.factor for one in axes)
    )
    return SpaceDescription("simulated", (*axes, axis(PLACEBO)), factors)


def options(factor: str, axes: Sequence[Coordinate]) -> tuple[DescribedOption, ...]:
    """Return the options of a factor as a space describes them, the baseline first."""
    (choice,) = (one.dimension for one in axes if one.name == factor)
    return tuple(
        DescribedOption(
            name,
            UNRESTRICTED,
            "",
            tuple(
                DescribedHyperparameter(own.hyperparameter, 0.5, UNRESTRICTED, one.dimension)
                for one in axes
                if (own := parse_parameter(one.name)).option == name
                and own.factor == factor
                and own.hyperparameter is not None
            ),
        )
        for name in (map(str, choice.choices) if isinstance(choice, OneOf) else ())
    )


def rows_of(features: NDArray[np.float32], values: Array, seed: int = 0) -> Rows:
    """Return rows whose every column is a factor of its own, between 0 and 1."""
    names = [f"x{i}" for i in range(features.shape[1])]
    return Rows(features, values, seed, read_layout(tuple(axis(name) for name in names)))


def branch_function(units: Array) -> Array:
    a, x, y = units[:, 0] < 0.5, units[:, 1], units[:, 2]
    z = np.floor(3 * units[:, 3]) - 1
    value: Array = np.where(a, 2 * x, 1 + 4 * y) + z + np.where(a, 1, -1) * z
    return value


def twin_function(units: Array) -> Array:
    value: Array = (units[:, :2] < 0.5).sum(axis=1).astype(np.float64)
    return value


def decode_parameters(layout: Layout, units: Array) -> dict[str, Any]:
    """Decode the active parameters at a point one by one, as a run does."""
    parameters: dict[str, Any] = {}
    for one, unit in zip(layout.axes, units, strict=True):
        if all(
            (chosen := layout.axes[parent]).name in parameters
            and place_of(chosen.dimension, parameters[chosen.name]) in slots  # type: ignore[arg-type]
            for parent, slots in one.conditions
        ):
            parameters[one.name] = one.dimension.decode(float(unit))
    return parameters


def simulate_trials(
    simulation: Simulation, rows: int, *, noise: float = 0.1, repeats: int = 16, seed: int = 0
) -> list[Trial]:
    """Return the trials of a design. noise: variance of the seeds as a part of the function's."""
    layout = read_layout(simulation.space.coordinates)
    random = np.random.default_rng(seed)
    sampler = qmc.Sobol(len(layout.axes), scramble=True, rng=random)
    units = sampler.random_base2((rows - 1).bit_length())[:rows]
    values = simulation.function(units)
    spread = float(noise * values.var()) ** 0.5 if np.ptp(values) else noise**0.5
    trials: list[Trial] = []
    for row in range(rows):
        parameters = decode_parameters(layout, units[row])
        for repeat in range(3 if row < repeats else 1):
            value = float(values[row] + spread * random.standard_normal())
            trials.append(trial_of(len(trials), row, repeat, parameters, value))
    return trials


def trial_of(number: int, row: int, repeat: int, parameters: dict[str, Any], value: float) -> Trial:
    return Trial(
        number, "COMPLETE", "measure", row, repeat, number, parameters, value, {}, {}, 1.0, {}
    )


def ishigami_function(units: Array) -> Array:
    x, y, z = (2 * units[:, :3].T - 1) * np.pi
    value: Array = np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)
    return value


def sobol_g_function(units: Array) -> Array:
    weights = np.array([0, 1, 4.5, 9, 99, 99, 99, 99])
    value: Array = np.prod((abs(4 * units[:, :8] - 2) + weights) / (1 + weights), axis=1)
    return value


def flip_function(units: Array) -> Array:
    """Return values where the best option of one factor depends on another factor."""
    first, second = units[:, 0] < 0.5, units[:, 1] < 0.5
    value: Array = np.where(first == second, 1.0, 0.0) + 0.3 * first
    return value


BRANCH = Simulation(
    describe_space(
        axis("opt", None, "a", "b"),
        axis("opt.a.x", "a"),
        axis("opt.b.y", "b"),
        axis("z", None, "low", "middle", "high"),
        topics={"opt": "choice", "z": "choice"},
    ),
    branch_function,
)
ISHIGAMI = Simulation(describe_space(*(axis(f"x{i}") for i in range(1, 4))), ishigami_function)
SOBOL_G = Simulation(describe_space(*(axis(f"x{i}") for i in range(1, 9))), sobol_g_function)
NOISE = Simulation(
    describe_space(*(axis(f"f{i}", None, "a", "b", "c") for i in range(10))),
    lambda units: np.zeros(len(units)),
)
TWINS = Simulation(
    describe_space(*(axis(name, None, "a", "b") for name in ("left", "right", "idle"))),
    twin_function,
)
FLIP = Simulation(
    describe_space(*(axis(name, None, "a", "b") for name in ("left", "right", "idle"))),
    flip_function,
)

SIMULATIONS = {
    "branch": BRANCH, "ishigami": ISHIGAMI, "sobol g": SOBOL_G, "noise": NOISE, "twins": TWINS,
    "flip": FLIP,
}  # fmt: skip

EXACT: dict[str, tuple[Simulation, dict[str, float], dict[str, float]]] = {
    "branch": (
        BRANCH, {"opt": 15 / 19, "z": 8 / 19}, {"opt": 13 / 19, "z": 6 / 19},
    ),
    "ishigami": (
        ISHIGAMI, {"x1": 0.557589, "x2": 0.442411, "x3": 0.243684},
        {"x1": 0.435747, "x2": 0.442411, "x3": 0.121842},
    ),
    "sobol g": (
        SOBOL_G,
        {"x1": 0.787144, "x2": 0.242198, "x3": 0.034317, "x4": 0.010460, "x5": 0.000105}, {},
    ),
}  # fmt: skip
"""Name -> simulation, total indices, and Shapley shares, of the factors that matter."""
