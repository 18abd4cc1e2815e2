import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_factors.search_spaces.dimension import (
    Dimension,
    Fixed,
    Integer,
    LogUniform,
    OneOf,
    Uniform,
    Varied,
    dimension_document,
    normal_text,
    read_dimension,
)

bounds = st.floats(-1e6, 1e6, allow_subnormal=False)
positive = st.floats(1e-8, 1e6, allow_subnormal=False)


def ordered(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[list[float]]:
    """Return pairs of bounds that are not so close that encoding loses the difference."""
    pairs = st.lists(numbers, min_size=2, max_size=2).map(sorted)
    return pairs.filter(lambda p: p[1] - p[0] > 1e-9 * max(1.0, abs(p[0]), abs(p[1])))


dimensions: st.SearchStrategy[Varied] = st.one_of(
    ordered(bounds).map(lambda p: Uniform(*p)),
    ordered(positive).map(lambda p: LogUniform(*p)),
    st.tuples(st.integers(-50, 50), st.integers(1, 60)).map(lambda p: Integer(p[0], p[0] + p[1])),
    st.lists(st.text(min_size=1), min_size=1, max_size=6, unique=True).map(lambda c: OneOf(*c)),
)
units = st.floats(0, 1, exclude_max=True)


@given(dimensions, units)
def test_every_point_decodes_to_a_value_inside(dimension: Varied, unit: float) -> None:
    assert dimension.contains(dimension.decode(unit))


@given(dimensions, units)
def test_encode_is_the_inverse_of_decode(dimension: Varied, unit: float) -> None:
    value = dimension.decode(unit)
    again = dimension.decode(dimension.encode(value))
    if isinstance(value, float):
        assert math.isclose(float(again), value, rel_tol=1e-6, abs_tol=1e-6)
    else:
        assert again == value


@given(dimensions, units)
def test_a_printed_value_can_be_parsed(dimension: Varied, unit: float) -> None:
    value = dimension.decode(unit)
    assert dimension.parse(str(value)) == value


@given(st.one_of(dimensions, st.builds(Fixed, st.floats(allow_nan=False))))
def test_a_dimension_survives_its_document(dimension: Dimension) -> None:
    assert read_dimension(dimension_document(dimension)) == dimension


def test_choices_have_subintervals_of_equal_length() -> None:
    dimension = OneOf("a", "b", "c", "d")
    assert [dimension.decode(u / 8) for u in range(8)] == list("aabbccdd")


def test_a_logarithmic_range_is_uniform_in_the_logarithm() -> None:
    assert LogUniform(1e-4, 1.0).decode(0.5) == pytest.approx(1e-2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(1, 0), "below the upper"),
        (lambda: Uniform(0, math.inf), "finite"),
        (lambda: Uniform(math.nan, 1), "finite"),
        (lambda: LogUniform(0, 1), "above 0"),
        (lambda: OneOf("a", "a"), "no duplicates"),
        (lambda: OneOf(), "at least one"),
        (lambda: Integer(0, 5).parse("1.5"), "whole number"),
        (lambda: Uniform(0, 1).parse("x"), "expected a number"),
        (lambda: OneOf("a", "b").parse("c"), "expected one of a, b"),
    ],
)
def test_invalid_bounds_choices_and_texts_are_rejected(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


def test_a_bool_is_not_a_number() -> None:
    assert not Integer(0, 1).contains(True)
    assert OneOf(False, True).contains(True)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("1e-4", "0.0001"), ("32.0", "32"), ("+7", "7"), (".5", "0.5"), ("1E3", "1000"),
        ("true", "True"), (" adam ", "adam"), ("1e999", "inf"), ("nan", "nan"), ("1_0", "1_0"),
        ("9007199254740993", "9007199254740993"), ("", ""), ("1:2", "1:2"),
    ],
)  # fmt: skip
def test_a_value_has_one_text(text: str, normal: str) -> None:
    assert normal_text(text) == normal


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_one_text_of_a_number_is_the_same_number(number: float) -> None:
    assert float(normal_text(str(number))) == number


def test_a_choice_is_found_by_any_of_its_texts() -> None:
    assert OneOf(False, True).parse("true") is True
    assert OneOf(0.5, 1.0).parse("1") == 1.0
    assert OneOf("1.0", "1").parse("1") == "1"
