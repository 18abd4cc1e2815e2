import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_factors.search_spaces.description import read_description
from training_factors.search_spaces.dimension import OneOf
from training_factors.search_spaces.overrides import Overrides, open_space, override
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import (
    DOCUMENTED_TOPICS,
    PLACEBO_COORDINATE,
    SPACES,
    Space,
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
def test_a_point_decodes_to_the_active_parameters_alone(units: list[float]) -> None:
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


def test_what_does_not_vary_owns_no_coordinate() -> None:
    held = {factor.name for factor in DOCUMENTED.factors} - {f.name for f in DOCUMENTED.varied}
    assert "schedule" in held
    assert not held & {axis.factor for axis in DOCUMENTED.coordinates()}


def test_the_placebo_is_the_last_coordinate_and_no_factor() -> None:
    assert DOCUMENTED.coordinates()[-1] == PLACEBO_COORDINATE
    assert "placebo" not in {factor.name for factor in DOCUMENTED.factors}


def test_the_baseline_is_the_first_option_of_every_factor() -> None:
    config = DOCUMENTED.baseline()
    for axis in DOCUMENTED.coordinates():
        if isinstance(axis.dimension, OneOf) and axis.name == axis.factor:
            assert config[axis.name] == axis.dimension.choices[0]


def test_what_does_not_apply_is_left_out_and_named() -> None:
    space, left_out = DOCUMENTED.fitted(TABLE)
    names = {item.name: item.where for item in left_out}
    assert names["augment_geometry"] == "images only"
    assert names["normalization.per_image"] == "images only"
    assert names["augment_mix.cutmix"] == "images only"
    assert not {axis.factor for axis in space.coordinates()} & set(names)
    grey, left_out = DOCUMENTED.fitted(DIGITS)
    assert [item.name for item in left_out] == ["augment_color.jitter.saturation"]
    assert "augment_color.jitter.saturation" not in {axis.name for axis in grey.coordinates()}


@pytest.mark.parametrize("name", SPACES)
def test_a_space_describes_itself_as_json(name: str) -> None:
    space = named_space(name)
    described = space.describe()
    assert read_description(json.loads(json.dumps(described.as_document()))) == described
    assert described.coordinates == space.coordinates()


def changed(**changes: list[str]) -> Space:
    return override(DOCUMENTED, Overrides(**changes), DIGITS)


def test_overrides_change_the_fingerprint() -> None:
    prints = {
        DOCUMENTED.fingerprint(),
        changed(drop=["augment_mix"]).fingerprint(),
        changed(fix=["optimizer=adamw"]).fingerprint(),
        changed(range=["optimizer.sgd.lr=1e-2:1e-1"]).fingerprint(),
        changed(choices=["activation=relu,gelu"]).fingerprint(),
    }
    assert len(prints) == 5


def test_fix_holds_the_option_and_leaves_its_knobs() -> None:
    axes = {axis.name for axis in changed(fix=["optimizer=adamw"]).coordinates()}
    assert "optimizer" not in axes
    assert {name for name in axes if name.startswith("optimizer")} == {
        "optimizer.adamw.lr",
        "optimizer.adamw.beta1",
    }


def test_a_fixed_knob_keeps_its_value() -> None:
    space = changed(fix=["optimizer=adamw", "optimizer.adamw.lr=2e-3"])
    recipe = space.build(space.baseline(), DIGITS)
    assert recipe.optimizer.keywords["lr"] == 2e-3  # type: ignore[attr-defined]


def test_a_factor_outside_the_space_can_be_fixed_or_brought_in() -> None:
    held = changed(fix=["schedule=cosine"])
    assert "schedule" not in {axis.factor for axis in held.coordinates()}
    assert held.factor("schedule").baseline.name == "cosine"
    brought = changed(choices=["schedule=constant,cosine"])
    assert "schedule" in {axis.name for axis in brought.coordinates()}


def test_a_range_moves_the_baseline_inside() -> None:
    space = changed(range=["optimizer.sgd.lr=0.3:0.9:log"])
    assert space.baseline()["optimizer.sgd.lr"] == 0.3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fix": ["optimiser=adam"]}, "did you mean 'optimizer'"),
        ({"fix": ["optimizer=adm"]}, "did you mean 'adam'"),
        ({"fix": ["optimizer.sgd.rl=1"]}, "did you mean 'lr'"),
        ({"fix": ["optimizer.adam.lr=5"]}, "outside its range"),
        ({"fix": ["optimizer.adam.lr=fast"]}, "expected a number"),
        ({"fix": ["optimizer"]}, "not of the form"),
        ({"drop": ["augment_mixx"]}, "did you mean 'augment_mix'"),
        ({"range": ["optimizer.sgd.lr=1:0"]}, "below the upper"),
        ({"range": ["optimizer.sgd.lr=0:1:log"]}, "above 0"),
        ({"range": ["optimizer.sgd.lr=0.1"]}, "LOW:HIGH"),
        ({"range": ["optimizer.sgd.lr=0.1:1:cubic"]}, "log or linear"),
        ({"range": ["dropout.dropout.rate=0:2"]}, "rate must be in"),
        ({"range": ["optimizer.sgd.nesterov=0:1"]}, "no range"),
        ({"choices": ["activation=relu,glue"]}, "did you mean 'gelu'"),
    ],
)
def test_a_wrong_override_is_refused_in_one_line(
    changes: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        changed(**changes)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) <= 300


def test_an_unknown_space_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'full'"):
        open_space("fulll")


def test_an_option_that_cannot_apply_is_refused() -> None:
    with pytest.raises(ValueError, match="does not apply to this data"):
        override(DOCUMENTED, Overrides(fix=["normalization=per_image"]), TABLE).fitted(TABLE)
