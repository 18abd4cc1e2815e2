import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_factors.search_spaces.description import read_description
from training_factors.search_spaces.dimension import OneOf
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import (
    DOCUMENTED_TOPICS,
    PLACEBO_COORDINATE,
    SPACES,
    named_space,
)

DOCUMENTED = named_space("documented")
DIGITS = Problem((1, 8, 8), 10)
TABLE = Problem((13,), 3)

points = st.lists(
    st.floats(0, 1, exclude_max=True),
    min_size=len(DOCUMENTED.coordinates()),
    max_size=len(DOCUMENTED.coordinates()),
)


@given(points)
def test_a_point_decodes_to_active_parameters_only(units: list[float]) -> None:
    config = DOCUMENTED.decode(units)
    for axis in DOCUMENTED.coordinates():
        active = axis.option is None or config[axis.factor] == axis.option
        assert (axis.name in config) == active
        if active:
            assert axis.dimension.contains(config[axis.name])
    assert set(DOCUMENTED.distributions(config)) == set(config)


@given(points)
def test_every_point_builds_a_recipe(units: list[float]) -> None:
    config = DOCUMENTED.decode(units)
    recipe = DOCUMENTED.build(config, DIGITS)
    plain = DOCUMENTED.build({}, DIGITS)
    changed = config["residual"] != "none"
    assert (recipe.shortcut is not plain.shortcut) == changed


def test_documented_varies_the_nine_topics_and_full_every_factor() -> None:
    assert {factor.topic for factor in DOCUMENTED.varied} == set(DOCUMENTED_TOPICS)
    full = named_space("full")
    assert full.varied == full.factors


def test_a_fixed_factor_has_no_coordinate() -> None:
    fixed = {factor.name for factor in DOCUMENTED.factors} - {f.name for f in DOCUMENTED.varied}
    assert "schedule" in fixed
    assert not fixed & {axis.factor for axis in DOCUMENTED.coordinates()}


def test_the_placebo_is_the_last_coordinate_and_no_factor() -> None:
    assert DOCUMENTED.coordinates()[-1] == PLACEBO_COORDINATE
    assert "placebo" not in {factor.name for factor in DOCUMENTED.factors}


def test_the_baseline_is_the_first_option_of_every_factor() -> None:
    config = DOCUMENTED.baseline()
    for axis in DOCUMENTED.coordinates():
        if isinstance(axis.dimension, OneOf) and axis.name == axis.factor:
            assert config[axis.name] == axis.dimension.choices[0]


def test_options_that_do_not_apply_are_left_out_and_listed() -> None:
    space, left_out = DOCUMENTED.for_problem(TABLE)
    names = {item.name: item.where for item in left_out}
    assert names["augment_geometry"] == "images only"
    assert names["normalization.per_image"] == "images only"
    assert names["augment_mix.cutmix"] == "images only"
    assert not {axis.factor for axis in space.coordinates()} & set(names)
    grey, left_out = DOCUMENTED.for_problem(DIGITS)
    assert [item.name for item in left_out] == ["augment_color.jitter.saturation"]
    assert "augment_color.jitter.saturation" not in {axis.name for axis in grey.coordinates()}


@pytest.mark.parametrize("name", SPACES)
def test_a_described_space_survives_json(name: str) -> None:
    space = named_space(name)
    described = space.describe()
    assert read_description(json.loads(json.dumps(described.as_document()))) == described
    assert described.coordinates == space.coordinates()
