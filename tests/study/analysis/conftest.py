"""Simulated studies: designed rows of a known function, with the noise of a training seed."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import qmc

from storage.tables import Trial
from study.analysis.features import Layout, read_layout

Array = NDArray[np.float64]
Described = dict[str, Any]
UNIT = {"kind": "uniform", "low": 0.0, "high": 1.0}


class Simulation(NamedTuple):
    """A described space, and the function of its unit cube that stands for training."""

    space: Described
    function: Callable[[Array], Array]


def axis(name: str, option: str | None = None, *choices: str) -> Described:
    dimension = {"kind": "one_of", "choices": list(choices)} if choices else UNIT
    return {
        "name": name,
        "factor": name.split(".")[0],
        "option": option,
        "dimension": dimension,
    }


def described(*axes: Described, topics: dict[str, str] | None = None) -> Described:
    names = dict.fromkeys(one["factor"] for one in axes)
    factors = [
        {"name": name, "topic": (topics or {}).get(name, name), "options": options(name, axes)}
        for name in names
    ]
    return {"coordinates": [*axes, axis("placebo")], "factors": factors}


def options(factor: str, axes: Sequence[Described]) -> list[Described]:
    """As a space describes them, the first being the baseline."""
    return [
        {
            "name": choice,
            "knobs": [
                {"name": one["name"].split(".")[-1], "default": 0.5}
                for one in axes
                if one["name"].startswith(f"{factor}.{choice}.")
            ],
        }
        for one in axes
        if one["name"] == factor
        for choice in one["dimension"].get("choices", [])
    ]


def branch_function(units: Array) -> Array:
    a, x, y = units[:, 0] < 0.5, units[:, 1], units[:, 2]
    z = np.floor(3 * units[:, 3]) - 1
    value: Array = np.where(a, 2 * x, 1 + 4 * y) + z + np.where(a, 1, -1) * z
    return value


def twin_function(units: Array) -> Array:
    value: Array = (units[:, :2] < 0.5).sum(axis=1).astype(np.float64)
    return value


def decoded(layout: Layout, units: Array) -> dict[str, Any]:
    """The active parameters at a point, decoded one by one as running does it."""
    parameters: dict[str, Any] = {}
    for one, unit in zip(layout.axes, units, strict=True):
        chosen = None if one.parent is None else layout.axes[one.parent]
        if chosen is None or chosen.dimension.encode(parameters[chosen.name]) == (
            one.option + 0.5
        ) / len(chosen.dimension.choices):  # type: ignore[union-attr]
            parameters[one.name] = one.dimension.decode(float(unit))
    return parameters


def measure(
    simulation: Simulation, rows: int, *, noise: float = 0.1, repeats: int = 16, seed: int = 0
) -> list[Trial]:
    """Trials of a design, `noise` the seed's variance as a part of the function's."""
    layout = read_layout(simulation.space["coordinates"])
    random = np.random.default_rng(seed)
    sampler = qmc.Sobol(len(layout.axes), scramble=True, rng=random)
    units = sampler.random_base2((rows - 1).bit_length())[:rows]
    values = simulation.function(units)
    spread = float(noise * values.var()) ** 0.5 if np.ptp(values) else noise**0.5
    trials: list[Trial] = []
    for row in range(rows):
        parameters = decoded(layout, units[row])
        for repeat in range(3 if row < repeats else 1):
            value = float(values[row] + spread * random.standard_normal())
            trials.append(_trial(len(trials), row, repeat, parameters, value))
    return trials


def _trial(number: int, row: int, repeat: int, parameters: Described, value: float) -> Trial:
    return Trial(
        number, "COMPLETE", "measure", row, repeat, number, parameters, value, {}, {}, 1.0, {}
    )


@pytest.fixture
def measured() -> Callable[..., list[Trial]]:
    return measure


@pytest.fixture
def decode_one() -> Callable[[Layout, Array], dict[str, Any]]:
    return decoded


@pytest.fixture
def branch() -> Simulation:
    """The function of research/importance.md section 4, with a knob under each option."""
    space = described(
        axis("opt", None, "a", "b"),
        axis("opt.a.x", "a"),
        axis("opt.b.y", "b"),
        axis("z", None, "low", "middle", "high"),
        topics={"opt": "choice", "z": "choice"},
    )
    return Simulation(space, branch_function)


@pytest.fixture
def noise_only() -> Simulation:
    """Ten factors of which none does anything."""
    axes = [axis(f"f{i}", None, "a", "b", "c") for i in range(10)]
    return Simulation(described(*axes), lambda units: np.zeros(len(units)))


@pytest.fixture
def twins() -> Simulation:
    """Two factors that matter equally, and one that does not."""
    axes = [axis(name, None, "a", "b") for name in ("left", "right", "idle")]
    return Simulation(described(*axes), twin_function)
