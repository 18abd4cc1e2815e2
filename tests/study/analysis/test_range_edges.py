"""Best values at the end of a range are found, and chance alone hardly ever looks like that."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import qmc

from tests.support.simulations import Array, trial_of
from training_factors.search_spaces.description import Coordinate, SpaceDescription
from training_factors.search_spaces.dimension import Integer, LogUniform, Uniform
from training_factors.storage.trials import Trial
from training_factors.study.analysis.range_edges import AnyRange, extended_range, find_edges

LOG = LogUniform(0.001, 0.1)


def space_of(count: int, dimension: AnyRange = LOG) -> SpaceDescription:
    names = [f"f{i}.option.x" for i in range(count)]
    return SpaceDescription("", tuple(Coordinate(n, n[:2], None, dimension) for n in names))


def study_of(
    space: SpaceDescription, function: Callable[[Array], Array], rows: int = 32, seed: int = 0
) -> list[Trial]:
    """Measured rows of a Sobol sequence, and some searched runs, with noise of variance 1."""
    random = np.random.default_rng(seed)
    axes = space.coordinates
    units = qmc.Sobol(len(axes), scramble=True, rng=random).random(rows)
    units = np.concatenate([units, random.random((8, len(axes)))])
    values = function(units) + random.normal(size=len(units))
    trials = []
    names = [axis.name for axis in axes]
    for row, (unit, value) in enumerate(zip(units, values, strict=True)):
        decoded = (a.dimension.decode(float(u)) for a, u in zip(axes, unit, strict=True))  # type: ignore[union-attr]
        trial = trial_of(row, row, 0, dict(zip(names, decoded, strict=True)), float(value))
        trials.append(trial if row < rows else trial._replace(phase="search"))
    return trials


def test_at_most_5_percent_of_studies_without_any_effect_have_an_edge() -> None:
    space = space_of(9)
    studies = (study_of(space, lambda units: np.zeros(len(units)), seed=i) for i in range(200))
    assert sum(bool(find_edges(trials, space)) for trials in studies) <= 10


@pytest.mark.parametrize("is_high", [True, False])
def test_an_objective_that_climbs_to_an_end_has_an_edge_there(is_high: bool) -> None:
    space = space_of(9)
    trials = study_of(space, lambda units: (9 if is_high else -9) * units[:, 0], rows=64)
    (edge,) = find_edges(trials, space)
    assert (edge.name, edge.is_high) == ("f0.option.x", is_high)
    assert edge.at_edge >= 2 and edge.best == 8 and edge.p_value < 0.05
    assert edge.extended == (LogUniform(0.001, 0.9) if is_high else LogUniform(0.0001, 0.1))


def test_an_optimum_inside_the_range_is_no_edge() -> None:
    space = space_of(9)
    for place in (0.5, 0.7):
        trials = study_of(space, lambda units, at=place: -30 * (units[:, 0] - at) ** 2, rows=64)  # type: ignore[misc]
        assert find_edges(trials, space) == ()


def test_it_is_no_edge_if_the_search_found_better_values_elsewhere() -> None:
    space = space_of(9)
    trials = study_of(space, lambda units: 9 * units[:, 0], rows=64)
    better = trials[-1]._replace(value=99.0)
    better.parameters["f0.option.x"] = 0.002
    assert find_edges([*trials[:-1], better], space) == ()


def test_natural_limits_are_no_edges() -> None:
    space = space_of(9, Uniform(0, 1))
    assert find_edges(study_of(space, lambda units: 9 * units[:, 0], rows=64), space) == ()


@pytest.mark.parametrize(
    ("dimension", "lower", "higher"),
    [
        (LogUniform(0.001, 1), LogUniform(0.0001, 1), LogUniform(0.001, 10)),
        (Uniform(0, 0.99), None, Uniform(0, 0.995)),
        (Uniform(0.5, 1), Uniform(0.25, 1), None),
        (Uniform(0.1, 2), Uniform(0.01, 2), Uniform(0.1, 2.95)),
        (Uniform(-2, 2), Uniform(-4, 2), Uniform(-2, 4)),
        (Integer(1, 4), None, Integer(1, 6)),
        (Integer(0, 3), None, Integer(0, 5)),
        (Integer(8, 10), Integer(7, 10), Integer(8, 11)),
    ],
)
def test_a_range_is_extended_up_to_its_natural_limits(
    dimension: AnyRange, lower: AnyRange | None, higher: AnyRange | None
) -> None:
    assert extended_range(dimension, is_high=False) == lower
    assert extended_range(dimension, is_high=True) == higher
