import pytest
import torch
from torch import Tensor

from training_factors.search_spaces.factor import Option
from training_factors.search_spaces.factors.split import FACTOR, random, stratified
from training_factors.search_spaces.recipe import Recipe

CLASSES = torch.repeat_interleave(torch.arange(3), torch.tensor([700, 200, 100]))
EACH = pytest.mark.parametrize("option", FACTOR.options, ids=lambda option: option.name)


def chosen(option: Option, targets: Tensor, fraction: float, seed: int = 0) -> Tensor:
    split = option.function(Recipe(), train_fraction=fraction).split
    return split(targets, torch.Generator().manual_seed(seed))


@EACH
@pytest.mark.parametrize("fraction", [0.3, 0.55, 1.0])
def test_the_fraction_is_drawn_without_replacement(option: Option, fraction: float) -> None:
    indices = chosen(option, CLASSES, fraction)
    assert len(indices) == round(1000 * fraction)
    assert len(indices.unique()) == len(indices)
    assert indices.min() >= 0 and indices.max() < 1000


@EACH
def test_the_result_depends_on_the_seed(option: Option) -> None:
    first, again, other = (chosen(option, CLASSES, 0.4, seed) for seed in (1, 1, 2))
    assert first.equal(again)
    assert not first.sort().values.equal(other.sort().values)


def test_stratified_keeps_every_class_in_proportion_and_random_does_not() -> None:
    stratified_option, random_option = FACTOR.options
    exact = [350, 100, 50]
    counts = [
        [CLASSES[chosen(option, CLASSES, 0.5, seed)].bincount().tolist() for seed in range(5)]
        for option in (stratified_option, random_option)
    ]
    assert counts[0] == [exact] * 5
    assert counts[1] != [exact] * 5


def test_stratified_keeps_at_least_one_sample_of_each_class() -> None:
    targets = torch.tensor([0] * 100 + [1])
    for seed in range(5):
        indices = stratified(Recipe(), 0.3).split(targets, torch.Generator().manual_seed(seed))
        assert 100 in indices


def test_regression_targets_are_stratified_by_decile() -> None:
    targets = torch.randn(1000, generator=torch.Generator().manual_seed(0)).exp()
    indices = chosen(FACTOR.option("stratified"), targets, 0.3)
    ranks = targets.argsort().argsort()[indices]
    assert (ranks // 100).bincount().tolist() == [30] * 10


@EACH
def test_a_tiny_pool_gives_at_least_one_sample(option: Option) -> None:
    for targets in (torch.zeros(1, dtype=torch.int64), torch.tensor([0.5, 1.5])):
        assert len(chosen(option, targets, 0.3)) >= 1


@pytest.mark.parametrize("fraction", [0.0, -0.2, 1.1, float("nan")])
def test_an_invalid_fraction_is_rejected(fraction: float) -> None:
    for option in (stratified, random):
        with pytest.raises(
            ValueError, match=rf"train_fraction must be in \(0, 1\], got {fraction}"
        ):
            option(Recipe(), train_fraction=fraction)
