"""Properties that every factor and every option must have; new ones are tested by themselves."""

import pickle
from collections import Counter
from dataclasses import fields

import pytest
import torch
from torch.nn.functional import one_hot

from training_factors.search_spaces.dimension import Fixed
from training_factors.search_spaces.factor import Factor, Option
from training_factors.search_spaces.factors import FACTORS
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe, default_recipe
from training_factors.search_spaces.space import DOCUMENTED_TOPICS, FURTHER_TOPICS, named_space
from training_factors.study.training.division import DataPart
from training_factors.study.training.loop import batches, predict, train_step
from training_factors.study.training.network import open_model
from training_factors.study.training.training_state import start_training

COLOUR = Problem((3, 8, 8), 4)
TABLE = Problem((6,), None)

OPTIONS = [(factor, option) for factor in FACTORS for option in factor.options]
NOT_BASELINE = [(factor, option) for factor, option in OPTIONS if option is not factor.baseline]
FOR_TABLES = [
    (factor, option)
    for factor, option in OPTIONS
    if factor.where.holds(TABLE) and option.where.holds(TABLE)
]

EACH = pytest.mark.parametrize("factor", FACTORS, ids=lambda factor: factor.name)


def each(pairs: list[tuple[Factor, Option]]) -> pytest.MarkDecorator:
    ids = [f"{factor.name}.{option.name}" for factor, option in pairs]
    return pytest.mark.parametrize(("factor", "option"), pairs, ids=ids)


def changed_fields(option: Option, recipe: Recipe) -> set[str]:
    """Return the fields of the recipe that the option changes at its defaults."""
    edited = option.function(
        recipe,
        **{
            hyperparameter.name: hyperparameter.default for hyperparameter in option.hyperparameters
        },
    )
    return {
        field.name
        for field in fields(recipe)
        if getattr(edited, field.name) is not getattr(recipe, field.name)
    }


@EACH
def test_a_factor_has_a_name_a_known_topic_and_documentation(factor: Factor) -> None:
    assert factor.name.isidentifier()
    assert factor.topic in DOCUMENTED_TOPICS + FURTHER_TOPICS
    assert factor.documentation.endswith(".")


@EACH
def test_options_have_different_names(factor: Factor) -> None:
    names = [option.name for option in factor.options]
    assert len(set(names)) == len(names) >= 1


@each(OPTIONS)
def test_an_option_is_documented(factor: Factor, option: Option) -> None:
    first = option.documentation.partition("\n")[0]
    assert 10 < len(first) <= 100
    assert first.endswith(".")


@each(OPTIONS)
def test_defaults_lie_inside_their_dimensions(factor: Factor, option: Option) -> None:
    for hyperparameter in option.hyperparameters:
        assert not isinstance(hyperparameter.dimension, Fixed)
        assert hyperparameter.dimension.contains(hyperparameter.default), hyperparameter.name


@each(OPTIONS)
def test_a_recipe_can_be_built_at_both_ends_of_every_range(factor: Factor, option: Option) -> None:
    for hyperparameter in option.hyperparameters:
        assert not isinstance(hyperparameter.dimension, Fixed)
        for unit in (0.0, 1 - 1e-12):
            option.function(
                default_recipe(COLOUR),
                **{hyperparameter.name: hyperparameter.dimension.decode(unit)},
            )


def test_every_topic_has_a_factor_and_every_field_of_the_recipe_at_most_one() -> None:
    assert set(DOCUMENTED_TOPICS + FURTHER_TOPICS) == {factor.topic for factor in FACTORS}
    sentinels = Recipe(**{field.name: object() for field in fields(Recipe)})  # type: ignore[arg-type]
    owners: Counter[str] = Counter()
    for factor in FACTORS:
        owned = {field for option in factor.options for field in changed_fields(option, sentinels)}
        owners.update(owned)
        assert len(owned) == 1, f"{factor.name} acts on {sorted(owned)}"
    assert set(owners.values()) == {1}


@each(NOT_BASELINE)
def test_an_option_other_than_the_baseline_changes_the_recipe(
    factor: Factor, option: Option
) -> None:
    baseline = factor.apply(Recipe(), {})
    assert changed_fields(option, baseline)


@each(OPTIONS)
def test_a_recipe_can_be_pickled(factor: Factor, option: Option) -> None:
    space = named_space("full")
    recipe = space.build(space.baseline() | {factor.name: option.name}, COLOUR)
    assert isinstance(pickle.loads(pickle.dumps(recipe)), Recipe)


@each(OPTIONS)
def test_an_option_trains(factor: Factor, option: Option) -> None:
    """The loss is finite after two steps on 64 small images."""
    space = named_space("full")
    recipe = space.build(space.baseline() | {factor.name: option.name}, COLOUR)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randint(0, 256, (64, 3, 8, 8), generator=generator, dtype=torch.uint8)
    part = DataPart(inputs, torch.arange(64) % 4)
    for model in ("mlp", "cnn"):
        training = start_training(recipe, part, COLOUR, open_model(model, COLOUR), 1, seed=0)
        losses = [train_step(training, *next(batches(training))) for _ in range(2)]
        assert torch.stack(losses).isfinite().all()
        assert predict(training, inputs).shape == (64, 4)


@each(FOR_TABLES)
def test_an_option_trains_on_a_table_where_it_applies(factor: Factor, option: Option) -> None:
    space, _ = named_space("full").for_problem(TABLE)
    recipe = space.build(space.baseline() | {factor.name: option.name}, TABLE)
    generator = torch.Generator().manual_seed(0)
    part = DataPart(torch.rand(64, 6, generator=generator), torch.rand(64, generator=generator))
    training = start_training(recipe, part, TABLE, open_model("mlp", TABLE), 1, seed=0)
    losses = [train_step(training, *next(batches(training))) for _ in range(2)]
    assert torch.stack(losses).isfinite().all()


def test_mixed_targets_are_probabilities() -> None:
    targets = one_hot(torch.arange(32) % 4, 4).float()
    inputs = torch.rand(32, 3, 8, 8)
    (mix,) = (factor for factor in FACTORS if factor.name == "augment_mix")
    for option in mix.options:
        recipe = mix.apply(Recipe(), {"augment_mix": option.name})
        mixed, probabilities = recipe.mix(inputs, targets, torch.Generator().manual_seed(1))
        assert mixed.shape == inputs.shape
        torch.testing.assert_close(probabilities.sum(1), torch.ones(32))
