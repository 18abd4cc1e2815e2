import pytest

from training_factors.search_spaces.factor import Option
from training_factors.search_spaces.factors import schedule, warmup
from training_factors.search_spaces.factors.schedule import cosine, one_cycle, step
from training_factors.search_spaces.factors.warmup import linear
from training_factors.search_spaces.recipe import Recipe

ALL = [*schedule.FACTOR.options, *warmup.FACTOR.options]


def multipliers(option: Option) -> list[float]:
    recipe = option.function(Recipe())
    return [recipe.schedule(i / 1000) * recipe.warmup(i / 1000) for i in range(1000)]


@pytest.mark.parametrize("option", ALL, ids=lambda option: option.name)
def test_the_multiplier_stays_between_0_and_1_and_reaches_1(option: Option) -> None:
    values = multipliers(option)
    assert min(values) > 0
    assert max(values) == pytest.approx(1, abs=1e-5)
    assert max(values) <= 1


def test_step_falls_after_each_third() -> None:
    at = step(Recipe(), gamma=0.5).schedule
    assert [at(p) for p in (0.0, 0.33, 1 / 3, 0.66, 2 / 3, 0.999)] == [1, 1, 0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize("steps", [3, 9, 30, 300, 999])
def test_step_falls_at_the_first_step_of_each_third(steps: int) -> None:
    at = step(Recipe(), gamma=0.5).schedule
    values = [at(i / steps) for i in range(steps)]
    assert values == [1.0] * (steps // 3) + [0.5] * (steps // 3) + [0.25] * (steps // 3)


def test_cosine_falls_from_1_to_0() -> None:
    at = cosine(Recipe()).schedule
    assert [at(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([1, 0.5, 0])


def test_one_cycle_rises_for_30_percent_and_falls_to_0() -> None:
    at = one_cycle(Recipe()).schedule
    assert [at(p) for p in (0.0, 0.15, 0.3, 0.65, 1.0)] == pytest.approx([0.04, 0.52, 1, 0.5, 0])


def test_warmup_rises_linearly_and_stays_at_1() -> None:
    at = linear(Recipe(), fraction=0.2).warmup
    assert [at(p) for p in (0.0, 0.1, 0.2, 0.9)] == pytest.approx([0.01, 0.505, 1, 1])


def test_invalid_hyperparameters_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"gamma must be in \(0, 1\], got 0\.0"):
        step(Recipe(), gamma=0.0)
    with pytest.raises(ValueError, match=r"fraction must be in \(0, 1\], got 0\.0"):
        linear(Recipe(), fraction=0.0)
