"""What every augmentation of images promises, whichever it is."""

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
    ("seam", "option"), AUGMENTING, ids=[f"{seam}.{option.name}" for seam, option in AUGMENTING]
)
SHAPES = pytest.mark.parametrize(
    "shape", [(6, 1, 8, 8), (4, 3, 12, 20), (3, 2, 9, 5), (1, 3, 8, 8), (2, 4, 1, 3)], ids=str
)


class Seeded(NamedTuple):
    """An augmentation whose draws start at the same seed every time."""

    augment: Augmentation

    def __call__(self, images: Tensor, seed: int = 0) -> Tensor:
        return self.augment(images, torch.Generator().manual_seed(seed))


def augmentation(seam: str, option: Option, amount: str = "default") -> Seeded:
    """The option with every hyperparameter at its default, or at its `low` or `high` end."""
    hyperparameters = {
        hyperparameter.name: hyperparameter.default
        if amount == "default"
        else getattr(hyperparameter.dimension, amount)
        for hyperparameter in option.hyperparameters
    }
    return Seeded(getattr(option.function(Recipe(), **hyperparameters), seam))


def images(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(7))


@SHAPES
@EACH
@pytest.mark.parametrize("amount", ["low", "default", "high"])
def test_it_keeps_shape_and_range(
    seam: str, option: Option, shape: tuple[int, ...], amount: str
) -> None:
    augmented = augmentation(seam, option, amount)(images(*shape))
    assert augmented.shape == shape
    assert augmented.isfinite().all()
    assert augmented.min() >= 0 and augmented.max() <= 1 + 1e-6


@EACH
def test_it_keeps_the_type_and_leaves_its_input_alone(seam: str, option: Option) -> None:
    given = images(4, 3, 8, 8).double()
    before = given.clone()
    assert augmentation(seam, option)(given).dtype == torch.float64
    torch.testing.assert_close(given, before, rtol=0, atol=0)


@EACH
def test_the_same_seed_gives_the_same_batch_and_another_seed_another(
    seam: str, option: Option
) -> None:
    given, augment = images(16, 3, 8, 8), augmentation(seam, option)
    assert augment(given, seed=1).equal(augment(given, seed=1))
    assert not augment(given, seed=1).equal(augment(given, seed=2))


@EACH
def test_the_global_seed_has_no_say(seam: str, option: Option) -> None:
    given, augment = images(16, 3, 8, 8), augmentation(seam, option)
    torch.manual_seed(1)
    first, state = augment(given), torch.get_rng_state()
    torch.manual_seed(2)
    assert augment(given).equal(first)
    torch.manual_seed(1)
    assert torch.get_rng_state().equal(state)


@EACH
def test_every_sample_draws_its_own(seam: str, option: Option) -> None:
    """64 copies of one image become many different ones, as far as the option has many."""
    copies = images(1, 3, 16, 16).expand(64, -1, -1, -1)
    different = augmentation(seam, option, "high")(copies).flatten(1).unique(dim=0)
    assert len(different) >= (2 if option.name == "flip" else 10)


@pytest.mark.parametrize(
    ("seam", "option"),
    # A flip has no amount, and a crop moves by a pixel at least.
    [(seam, option) for seam, option in AUGMENTING if seam != "augment_crop_flip"],
    ids=lambda value: getattr(value, "name", value),
)
def test_amounts_of_zero_leave_images_as_they_are(seam: str, option: Option) -> None:
    given = images(8, 3, 8, 10)
    torch.testing.assert_close(augmentation(seam, option, "low")(given), given, rtol=0, atol=1e-5)


@EACH
def test_an_impossible_amount_is_refused_when_the_recipe_is_built(
    seam: str, option: Option
) -> None:
    for hyperparameter in option.hyperparameters:
        for wrong in (-0.1, 1000.0):
            with pytest.raises(
                ValueError, match=rf"{hyperparameter.name} must be in .* got {wrong}"
            ):
                option.function(Recipe(), **{hyperparameter.name: wrong})
