import pytest

from training_factors.search_spaces.dimension import OneOf
from training_factors.search_spaces.factors import batch_size, depth, width
from training_factors.search_spaces.recipe import Recipe


@pytest.mark.parametrize(
    ("features", "multiplier", "expected"),
    [(64, 1.0, 64), (64, 1.5, 96), (16, 0.5, 8), (8, 0.5, 8), (20, 1.0, 16), (3, 1.0, 8)],
)
def test_widths_are_multiples_of_8(features: int, multiplier: float, expected: int) -> None:
    assert width.scaled(Recipe(), multiplier).width(features) == expected


@pytest.mark.parametrize(
    ("blocks", "multiplier", "expected"), [(3, 1.0, 3), (4, 1.5, 6), (2, 2.0, 4), (1, 0.5, 1)]
)
def test_depth_is_at_least_one_block(blocks: int, multiplier: float, expected: int) -> None:
    assert depth.scaled(Recipe(), multiplier).depth(blocks) == expected


def test_different_choices_build_different_networks_of_the_default_size() -> None:
    """Two choices that round to the same network would make a choice without effect."""
    for factor, size in ((width.FACTOR, 64), (width.FACTOR, 16), (depth.FACTOR, 4)):
        (option,) = factor.options
        (hyperparameter,) = option.hyperparameters
        assert isinstance(hyperparameter.dimension, OneOf)
        recipes = [option.function(Recipe(), choice) for choice in hyperparameter.dimension.choices]
        sizes = [getattr(recipe, factor.name)(size) for recipe in recipes]
        assert len(set(sizes)) == len(sizes)


def test_the_batch_size_is_set_and_checked() -> None:
    assert batch_size.minibatch(Recipe(), samples=128).batch_size == 128
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        batch_size.minibatch(Recipe(), samples=0)
