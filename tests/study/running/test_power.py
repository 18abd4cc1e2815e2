import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training_factors.study.running.confirmation import FEWEST_SEEDS, MOST_SEEDS, seeds_needed


@pytest.mark.parametrize(
    ("deviation", "comparisons", "seeds"),
    [(1.0, 1, 10), (0.5, 1, 5), (1.0, 12, 18), (0.0, 1, FEWEST_SEEDS), (9.0, 1, MOST_SEEDS)],
)
def test_seeds_are_those_of_the_tables(deviation: float, comparisons: int, seeds: int) -> None:
    """A paired t test with power 0.8 needs 10 for a difference of one deviation, 18 of twelve."""
    assert seeds_needed(deviation, 1.0, comparisons) == seeds


@settings(max_examples=30)
@given(st.floats(0.1, 3), st.floats(0.1, 3), st.integers(1, 20))
def test_more_spread_or_more_comparisons_never_need_fewer(
    one: float, other: float, comparisons: int
) -> None:
    low, high = sorted((one, other))
    assert seeds_needed(low, 1.0, comparisons) <= seeds_needed(high, 1.0, comparisons)
    assert seeds_needed(low, 1.0, comparisons) <= seeds_needed(low, 1.0, comparisons + 1)
