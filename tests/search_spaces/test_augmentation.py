"""Properties that every augmentation of images must have."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from training_factors.search_spaces.factor import Option
from training_factors.search_spaces.factors import FACTORS
from training_factors.search_spaces.recipe import Augmentation, Recipe

MIX = "augment_mix"
AUGMENTING = [
    (factor.name, option)
    for factor in FACTORS
    if factor.name.startswith("augment") and factor.name != MIX
    for option in factor.options
    if option is not factor.baseline
]
EACH = pytest.mark.parametrize(
    ("field", "option"), AUGMENTING, ids=[f"{field}.{option.name}" for field, option in AUGMENTING]
)
SHAPES = pytest.mark.parametrize(
    "shape", [(6, 1, 8, 8), (4, 3, 12, 20), (3, 2, 9, 5), (1, 3, 8, 8), (2, 4, 1, 3)], ids=str
)


class Seeded(NamedTuple):
    """An augmentation that is called with a new generator of the given seed each time."""

    augment: Augmentation

    def __call__(self, images: Tensor, seed: int = 0) -> Tensor:
        return self.augment(images, torch.Generator().manual_seed(seed))


def augmentation(field: str, option: Option, amount: str = "default") -> Seeded:
    """Return the option's augmentation, with all hyperparameters at default, `low` or `high`."""
    hyperparameters = {
        hyperparameter.name: hyperparameter.default
        if amount == "default"
        else getattr(hyperparameter.dimension, amount)
        for hyperparameter in option.hyperparameters
    }
    (added,) = option.function(Recipe(), **hyperparameters).augmentations
    return Seeded(added.augment)


def images(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(7))


@SHAPES
@EACH
@pytest.mark.parametrize("amount", ["low", "default", "high"])
def test_it_keeps_shape_and_range(
    field: str, option: Option, shape: tuple[int, ...], amount: str
) -> None:
    augmented = augmentation(field, option, amount)(images(*shape))
    assert augmented.shape == shape
    assert augmented.isfinite().all()
    assert augmented.min() >= 0 and augmented.max() <= 1 + 1e-6


@EACH
def test_it_keeps_the_dtype_and_does_not_change_its_input(field: str, option: Option) -> None:
    inputs = images(4, 3, 8, 8).double()
    before = inputs.clone()
    assert augmentation(field, option)(inputs).dtype == torch.float64
    torch.testing.assert_close(inputs, before, rtol=0, atol=0)


@EACH
def test_the_result_depends_on_the_seed_only(field: str, option: Option) -> None:
    inputs, augment = images(16, 3, 8, 8), augmentation(field, option)
    assert augment(inputs, seed=1).equal(augment(inputs, seed=1))
    assert not augment(inputs, seed=1).equal(augment(inputs, seed=2))


@EACH
def test_it_does_not_use_the_global_generator(field: str, option: Option) -> None:
    inputs, augment = images(16, 3, 8, 8), augmentation(field, option)
    torch.manual_seed(1)
    first, state = augment(inputs), torch.get_rng_state()
    torch.manual_seed(2)
    assert augment(inputs).equal(first)
    torch.manual_seed(1)
    assert torch.get_rng_state().equal(state)


@EACH
def test_each_sample_has_its_own_random_amounts(field: str, option: Option) -> None:
    """64 copies of one image become different images, at least 10 unless the option is a flip."""
    copies = images(1, 3, 16, 16).expand(64, -1, -1, -1)
    different = augmentation(field, option, "high")(copies).flatten(1).unique(dim=0)
    assert len(different) >= (2 if option.name == "flip" else 10)


@pytest.mark.parametrize(
    ("field", "option"),
    # A flip has no amount, and the padding of a crop is at least one pixel.
    [(field, option) for field, option in AUGMENTING if field != "augment_crop_flip"],
    ids=lambda value: getattr(value, "name", value),
)
def test_amounts_of_zero_leave_images_unchanged(field: str, option: Option) -> None:
    inputs = images(8, 3, 8, 10)
    torch.testing.assert_close(
        augmentation(field, option, "low")(inputs), inputs, rtol=0, atol=1e-5
    )


@EACH
def test_an_invalid_amount_is_rejected_when_the_recipe_is_built(field: str, option: Option) -> None:
    for hyperparameter in option.hyperparameters:
        for wrong in (-0.1, 1000.0):
            with pytest.raises(
                ValueError, match=rf"{hyperparameter.name} must be in .* got {wrong}"
            ):
                option.function(Recipe(), **{hyperparameter.name: wrong})
