"""A limit gives a subset with equally many samples of every class."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from training_factors.study.data.subset import balanced_subset


@given(st.data())
@settings(deadline=None)
def test_groups_are_cut_to_equal_sizes(data: st.DataObject) -> None:
    cells = data.draw(
        st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=120)
    )
    groups = np.array([group for group, _ in cells])
    parts = np.array([part for _, part in cells], dtype=np.uint8)
    limit = data.draw(st.integers(1, len(cells)))
    chosen = balanced_subset(groups, parts, limit)
    assert len(chosen) == len(set(chosen.tolist())) == limit
    assert (np.diff(chosen) > 0).all()
    sizes, taken = np.bincount(groups), np.bincount(groups[chosen], minlength=groups.max() + 1)
    cut = taken < sizes
    assert not cut.any() or taken[cut].max() - taken[cut].min() <= 1
    assert not cut.any() or (taken[~cut] <= taken[cut].min() + 1).all()


def test_parts_keep_their_proportions() -> None:
    parts = np.array([0] * 80 + [1] * 15 + [2] * 5, dtype=np.uint8)
    chosen = balanced_subset(np.zeros(100, dtype=np.int64), parts, 20)
    assert np.bincount(parts[chosen]).tolist() == [16, 3, 1]


def test_a_small_part_keeps_at_least_one_sample() -> None:
    parts = np.array([0] * 99 + [2], dtype=np.uint8)
    assert 99 in balanced_subset(np.zeros(100, dtype=np.int64), parts, 10)
