"""Test the dimensions of Optuna's distributions."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from training_factors.search_spaces.dimension import Integer, LogUniform, OneOf, Uniform
from training_factors.search_spaces.distribution import (
    LogInteger,
    Steps,
    choice_texts,
    count_values,
    dimension_of,
    place_of,
    unit_of,
)

UNITS = st.floats(0, 1, exclude_max=True)


@st.composite
def distributions(draw: Any) -> BaseDistribution:
    """Draw a distribution of numbers of any kind, with more than one value."""
    low, width = draw(st.integers(1, 50)), draw(st.integers(1, 400))
    drawn: BaseDistribution = draw(
        st.sampled_from(
            [
                FloatDistribution(low - 30, low - 30 + width / 7),
                FloatDistribution(low * 1e-4, (low + width) * 1e-4, log=True),
                FloatDistribution(low / 10, low / 10 + width * 0.25, step=0.25),
                IntDistribution(low - 30, low - 30 + width),
                IntDistribution(low, low + width, log=True),
                IntDistribution(low - 30, low - 30 + 3 * width, step=3),
            ]
        )
    )
    return drawn


@given(distributions(), UNITS)
def test_a_unit_becomes_a_value_of_the_distribution_and_back(
    distribution: BaseDistribution, unit: float
) -> None:
    dimension = dimension_of(distribution)
    value = dimension.decode(unit)
    assert distribution._contains(distribution.to_internal_repr(value))
    again = dimension.encode(value)
    assert 0 <= again <= 1
    assert dimension.decode(min(again, 1 - 1e-12)) == pytest.approx(value)
    if isinstance(dimension, Integer | Steps | LogInteger):
        place = place_of(dimension, value)
        assert unit_of(dimension, place) == pytest.approx(again)
        assert 0 <= place < count_values(dimension)


@pytest.mark.parametrize(
    ("distribution", "dimension"),
    [
        (FloatDistribution(-1, 1), Uniform(-1, 1)),
        (FloatDistribution(1e-3, 1, log=True), LogUniform(1e-3, 1)),
        (FloatDistribution(0, 1, step=0.1), Steps(0, 1, 0.1)),
        (IntDistribution(2, 5), Integer(2, 5)),
        (IntDistribution(2, 10, step=4), Steps(2, 10, 4)),
        (IntDistribution(1, 64, log=True), LogInteger(1, 64)),
        (CategoricalDistribution(("a", None)), OneOf("a", "None")),
    ],
)
def test_each_kind_has_its_dimension(distribution: BaseDistribution, dimension: object) -> None:
    assert dimension_of(distribution) == dimension


def test_whole_steps_stay_whole() -> None:
    assert [Steps(2, 10, 4).decode(unit) for unit in (0.0, 0.5, 0.99)] == [2, 6, 10]
    assert isinstance(Steps(2, 10, 4).decode(0.5), int)


def test_logarithmic_whole_numbers_have_the_probabilities_of_optuna() -> None:
    """A number k is rounded to from k − 1/2 to k + 1/2 on the logarithmic scale."""
    found = [LogInteger(1, 3).decode((i + 0.5) / 10_000) for i in range(10_000)]
    for k in (1, 2, 3):
        part = math.log((k + 0.5) / (k - 0.5)) / math.log(3.5 / 0.5)
        assert found.count(k) / 10_000 == pytest.approx(part, abs=1e-3)


@pytest.mark.parametrize(
    ("choices", "texts"),
    [
        ((True, 1, 1.0, None), ["True", "1", "1.0", "None"]),
        ((1, "1"), ["1", "'1'"]),
        ((None, "None", "x"), ["None", "'None'", "'x'"]),
        ((2, 2, 3), ["2", "3"]),
        ((math.nan, "a"), ["nan", "a"]),
    ],
)
def test_choices_that_are_equal_in_python_stay_apart(
    choices: tuple[Any, ...], texts: list[str]
) -> None:
    assert choice_texts(choices) == texts
