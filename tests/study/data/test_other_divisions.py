"""Other divisions of the data keep the test part and the proportions, and differ."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training_factors.search_spaces.problem import strata
from training_factors.study.data.dataset import Dataset, Decoded, to_dataset
from training_factors.study.data.division import PartIndices, divide
from training_factors.study.data.other_divisions import other_division
from training_factors.study.data.parts import PartLabel, unassigned


def made(
    targets: list[int] | list[float],
    *,
    groups: list[int] | None = None,
    parts: list[PartLabel] | None = None,
) -> Dataset:
    numbers = np.array(targets)
    classes = None if numbers.dtype.kind == "f" else tuple("abcdefgh"[: numbers.max() + 1])
    inputs = np.arange(2 * len(numbers), dtype=np.float32).reshape(-1, 2)
    places = unassigned(len(numbers)) if parts is None else np.array(parts, dtype=np.uint8)
    of_groups = None if groups is None else np.array(groups, dtype=np.int64)
    return to_dataset(Decoded(inputs, numbers, classes, places, groups=of_groups), "made")


def contents(indices: PartIndices) -> list[list[int]]:
    return [part.tolist() for part in indices]


classified = st.lists(st.integers(10, 40), min_size=2, max_size=5).map(
    lambda counts: made(np.repeat(np.arange(len(counts)), counts).tolist())
)
numbered = st.integers(50, 200).map(
    lambda size: made(np.random.default_rng(size).normal(size=size).tolist())
)


@settings(max_examples=40, deadline=None)
@given(st.one_of(classified, numbered), st.integers(0, 2**32 - 1), st.integers(0, 20))
def test_only_pool_and_validation_are_drawn_again(dataset: Dataset, seed: int, row: int) -> None:
    own = divide(dataset, seed)
    others = [other_division(dataset, seed, row, number) for number in (1, 2, 3)]
    assert contents(others[1]) == contents(other_division(dataset, seed, row, 2))
    assert len({tuple(each.validation.tolist()) for each in (own, *others)}) == 4
    rest = torch.cat([own.pool, own.validation]).sort().values
    groups = strata(dataset.targets[rest])

    def held(part: torch.Tensor) -> list[int]:
        return groups[torch.searchsorted(rest, part)].bincount(minlength=10).tolist()

    for other in others:
        assert other.test.equal(own.test)
        assert torch.cat([other.pool, other.validation]).sort().values.equal(rest)
        assert held(other.validation) == held(own.validation)


def test_every_row_has_divisions_of_its_own() -> None:
    dataset = made([i % 3 for i in range(90)])
    first, second = (other_division(dataset, 0, row, 1).validation for row in (0, 1))
    assert not first.equal(second)


def test_every_sample_is_in_validation_equally_often() -> None:
    dataset = made([i % 2 for i in range(50)])
    own = divide(dataset, 0)
    counts = torch.zeros(50)
    for row in range(400):
        counts[other_division(dataset, 0, row, 1).validation] += 1
    assert not counts[own.test].any()
    rest = torch.cat([own.pool, own.validation])
    # The standard error of a count of 400 draws with probability 0.25 is 9.
    assert counts[rest].mean() == 100
    assert (counts[rest] - 100).abs().max() < 36


@pytest.mark.parametrize("sizes", [[6] * 20, [*range(1, 21)], [40, 30, 20, 10, 5, 5, 5, 5]])
def test_groups_stay_whole(sizes: list[int]) -> None:
    """Also where every group has its own size, so that the study's own algorithm would find the
    same parts whatever its seed."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    dataset = made([i % 2 for i in range(len(groups))], groups=groups.tolist())
    own = divide(dataset, 3)
    others = [other_division(dataset, 3, 0, number) for number in (1, 2, 3)]
    assert len({tuple(each.validation.tolist()) for each in (own, *others)}) == 4
    for other in others:
        assert other.test.equal(own.test)
        places = [set(groups[part.numpy()].tolist()) for part in other]
        assert sum(map(len, places)) == len(sizes)
        assert set(dataset.targets[other.validation].tolist()) == {0, 1}


def test_an_own_test_part_is_kept() -> None:
    parts = [PartLabel.TEST if i % 4 == 0 else PartLabel.POOL for i in range(80)]
    dataset = made([i % 2 for i in range(80)], parts=parts)
    assert other_division(dataset, 0, 0, 1).test.tolist() == list(range(0, 80, 4))


def test_an_own_validation_part_leaves_nothing_to_draw() -> None:
    parts = [PartLabel.VALIDATION if i % 4 == 0 else PartLabel.POOL for i in range(80)]
    with pytest.raises(ValueError, match="'made' brings its own; leave --divisions out"):
        other_division(made([i % 2 for i in range(80)], parts=parts), 0, 0, 1)


def test_too_few_groups_are_refused() -> None:
    """Five groups of which one is the test part: four validation parts, three of them others."""
    dataset = made([i % 2 for i in range(50)], groups=[i // 10 for i in range(50)])
    assert len(other_division(dataset, 0, 0, 3).validation) == 10
    with pytest.raises(ValueError, match=r"cannot be divided in 5 ways; use a smaller --div"):
        other_division(dataset, 0, 0, 4)
