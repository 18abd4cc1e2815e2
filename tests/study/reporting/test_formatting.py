"""Numbers with their nouns, signs and units."""

import pytest

from training_factors.study.reporting.formatting import (
    decimals,
    percent,
    plural,
    probability,
    signed,
    unit_of,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [(1.26, "+1.3"), (-1.26, "-1.3"), (0.04, "0.0"), (-0.04, "0.0"), (0.0, "0.0"), (-0.06, "-0.1")],
)
def test_a_number_that_rounds_to_zero_has_no_sign(number: float, text: str) -> None:
    assert signed(number) == text
    assert unit_of("accuracy").signed(number) == text
    assert decimals(number, 1) == text.removeprefix("+")
    assert percent(number / 100) == text.removeprefix("+")


def test_an_interval_around_zero() -> None:
    assert unit_of("accuracy").interval((-0.01, 0.02)) == "0.0 to 0.0"
    assert unit_of("negative_log_loss").interval((-0.01, 2.0)) == "-0.000100 to +0.0200"


def test_nouns_have_the_number_of_their_count() -> None:
    assert [plural(count, "run") for count in (0, 1, 2, 1797)] == [
        "0 runs", "1 run", "2 runs", "1,797 runs",
    ]  # fmt: skip


def test_a_small_p_value_is_never_shown_as_zero() -> None:
    assert [probability(p) for p in (0.0004, 0.001, 0.5)] == ["< 0.001", "0.001", "0.500"]
