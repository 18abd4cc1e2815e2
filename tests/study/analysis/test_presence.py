"""Test how conditions are found from the presence of parameters in trials."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training_factors.study.analysis.presence import Column, Requirement, find_requirements

TRIALS = 200
RANDOM = np.random.default_rng(0)
ALWAYS = np.ones(TRIALS, dtype=np.bool_)


def choice(count: int, present: NDArray[np.bool_] = ALWAYS, ordered: bool = False) -> Column:
    places = np.where(present, RANDOM.integers(count, size=TRIALS), -1)
    return Column(present, places, count, ordered)


def number(present: NDArray[np.bool_]) -> Column:
    return Column(present, None, 0, True)


def has(column: Column, *places: int) -> NDArray[np.bool_]:
    assert column.places is not None
    return np.isin(column.places, places)


def test_one_and_several_options_of_a_parent() -> None:
    optimizer, other = choice(4), choice(4)
    found = find_requirements(
        {
            "optimizer": optimizer,
            "other": other,
            "beta": number(has(optimizer, 2)),
            "momentum": number(has(optimizer, 0, 3)),
            "lr": number(ALWAYS),
        }
    )
    assert found == {
        "optimizer": (),
        "other": (),
        "lr": (),
        "beta": (Requirement("optimizer", (2,)),),
        "momentum": (Requirement("optimizer", (0, 3)),),
    }


def test_a_nested_parent_is_the_nearest_one() -> None:
    optimizer = choice(3)
    nesterov = choice(2, has(optimizer, 1))
    damp = number(has(nesterov, 1))
    found = find_requirements({"optimizer": optimizer, "nesterov": nesterov, "damp": damp})
    assert found["nesterov"] == (Requirement("optimizer", (1,)),)
    assert found["damp"] == (Requirement("nesterov", (1,)),)


def test_a_number_of_layers_allows_all_numbers_on_one_side() -> None:
    """Also those that no trial has: 4, 5 and 9 of 0 to 9 here."""
    layers = choice(4, ordered=True)
    places = np.array([0, 2, 6, 8])[layers.places]
    layers = Column(ALWAYS, places, 10, True)
    third, small = number(places >= 6), number(places < 6)
    found = find_requirements({"layers": layers, "third": third, "small": small})
    assert found["third"] == (Requirement("layers", (6, 7, 8, 9)),)
    assert found["small"] == (Requirement("layers", (0, 1, 2)),)


def test_a_threshold_on_a_number_with_many_values() -> None:
    width = choice(400, ordered=True)
    assert width.places is not None
    found = find_requirements({"width": width, "dropout": number(width.places > 250)})
    assert found["dropout"] is not None
    (requirement,) = found["dropout"]
    assert requirement.parent == "width"
    assert set(requirement.places) == set(range(min(requirement.places), 400))


def test_two_parents_together() -> None:
    one, other, third = choice(2), choice(3), choice(2)
    found = find_requirements(
        {"one": one, "other": other, "third": third, "x": number(has(one, 1) & has(other, 0, 2))}
    )
    assert found["x"] == (Requirement("one", (1,)), Requirement("other", (0, 2)))


def test_presence_that_nothing_explains() -> None:
    """A number that is different in every trial would explain anything, so it explains nothing."""
    unique = Column(ALWAYS, RANDOM.permutation(TRIALS), TRIALS, True)
    columns = {"c": choice(3), "unique": unique, "x": number(RANDOM.random(TRIALS) < 0.5)}
    assert find_requirements(columns)["x"] is None


def test_either_of_two_parents_is_not_found() -> None:
    one, other = choice(2), choice(2)
    columns = {"one": one, "other": other, "x": number(has(one, 1) | has(other, 1))}
    assert find_requirements(columns)["x"] is None


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_the_conditions_of_random_spaces_are_found(seed: int) -> None:
    """A tree of choices; every parameter depends on some values of an earlier choice, or of none.

    Conditions hold for a tenth of the trials at least, so that there is something to see.
    """
    random = np.random.default_rng(seed)
    columns: dict[str, Column] = {}
    expected: dict[str, tuple[Requirement, ...]] = {}
    for i in range(8):
        present = ALWAYS
        conditions: tuple[Requirement, ...] = ()
        if columns and random.random() < 0.7:
            parent = str(random.choice(list(columns)))
            column = columns[parent]
            allowed = random.choice(column.values, random.integers(1, column.values), replace=False)
            narrowed = has(column, *allowed)
            if narrowed.sum() >= TRIALS / 10 and (column.present & ~narrowed).sum() >= 3:
                present = narrowed
                conditions = (Requirement(parent, tuple(sorted(allowed.tolist()))),)
        count = int(random.integers(2, 5))
        places = np.where(present, random.integers(count, size=TRIALS), -1)
        columns[f"p{i}"] = Column(present, places, count, False)
        expected[f"p{i}"] = conditions
    assert find_requirements(columns) == expected


@pytest.mark.parametrize("trials", [16, 40])
def test_few_trials_are_enough_where_presence_is_half_of_them(trials: int) -> None:
    places = np.arange(trials) % 2
    columns = {
        "c": Column(np.ones(trials, dtype=np.bool_), places, 2, False),
        "x": Column(places == 1, None, 0, True),
    }
    assert find_requirements(columns)["x"] == (Requirement("c", (1,)),)
