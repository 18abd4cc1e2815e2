"""Properties that every factor and every option must have; new ones are tested by themselves."""

import pickle
from collections import Counter
from dataclasses import fields
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from training_factors.search_spaces.dimension import Fixed
from training_factors.search_spaces.factor import Factor, Option
from training_factors.search_spaces.factors import FACTORS
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe, default_recipe
from training_factors.search_spaces.space import DOCUMENTED_TOPICS, Config, named_space
from training_factors.study.data.division import DataPart
from training_factors.study.training.loop import batches, predict, train_epoch, train_step
from training_factors.study.training.model import open_model
from training_factors.study.training.training_state import start_training

COLOUR = Problem((3, 8, 8), 4)
TABLE = Problem((6,), None)


def factors_for(problem: Problem) -> tuple[Factor, ...]:
    return named_space("full").for_problem(problem)[0].factors


def options_for(problem: Problem) -> list[tuple[Factor, Option]]:
    return [(factor, option) for factor in factors_for(problem) for option in factor.options]


ALL = [(factor, option) for factor in FACTORS for option in (*factor.options, *factor.further)]
OPTIONS = options_for(COLOUR)
FOR_TABLES = options_for(TABLE)
CHANGES: list[tuple[Config, Config]] = []
for factor, option in OPTIONS:
    chosen: Config = {factor.name: option.name}
    if option is not factor.baseline:
        CHANGES.append(({factor.name: factor.baseline.name}, chosen))
    for hyperparameter in option.hyperparameters:
        assert not isinstance(hyperparameter.dimension, Fixed)
        name = f"{factor.name}.{option.name}.{hyperparameter.name}"
        values = [hyperparameter.dimension.decode(unit) for unit in (0.0, 0.99)]
        CHANGES += [
            (chosen, {**chosen, name: value}) for value in values if value != hyperparameter.default
        ]
"""A configuration, and another that differs from it in one option or hyperparameter."""

ACTIVE: Config = {"optimizer": "adam", "residual": "residual", "initialization": "he_normal"}
"""Options with which small networks train, and on which other options depend."""

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
def test_a_factor_has_a_name_a_topic_and_documentation(factor: Factor) -> None:
    assert factor.name.isidentifier()
    assert factor.topic
    assert factor.documentation.endswith(".")


@EACH
def test_options_have_different_names(factor: Factor) -> None:
    names = [option.name for option in (*factor.options, *factor.further)]
    assert len(set(names)) == len(names) >= 1


@each(ALL)
def test_an_option_is_documented(factor: Factor, option: Option) -> None:
    first = option.documentation.partition("\n")[0]
    assert 10 < len(first) <= 100
    assert first.endswith(".")


@each(ALL)
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


def test_every_documented_topic_has_a_factor() -> None:
    assert set(DOCUMENTED_TOPICS) <= {factor.topic for factor in FACTORS}


def test_a_field_of_the_recipe_is_set_by_one_factor() -> None:
    """Of two factors that set one field, the later would undo the other; augmentations add up."""
    values = {field.name: object() for field in fields(Recipe)}
    sentinels = Recipe(**{**values, "augmentations": ()})  # type: ignore[arg-type]
    owners = Counter(
        field
        for factor in factors_for(COLOUR)
        for field in {f for option in factor.options for f in changed_fields(option, sentinels)}
    )
    assert {field for field, count in owners.items() if count > 1} <= {"augmentations"}


@pytest.mark.parametrize(("config", "changed"), CHANGES, ids=str)
def test_every_option_and_hyperparameter_changes_what_training_does(
    config: Config, changed: Config
) -> None:
    """An option that only edits the recipe, in a field that nothing reads, changes nothing."""
    first, second = (trace(*({**ACTIVE, **each}).items()) for each in (config, changed))
    assert not first.equal(second)


@cache
def trace(*chosen: tuple[str, Any]) -> Tensor:
    """Return the outputs of a small network after four epochs of training on 300 images.

    chosen: names and values of a configuration.
    """
    config = dict(chosen)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randint(0, 256, (300, 3, 32, 32), generator=generator, dtype=torch.uint8)
    problem = COLOUR._replace(shape=(3, 32, 32))
    space = named_space("full").for_problem(problem)[0]
    recipe = space.build({**space.baseline(), **config}, problem)
    targets = (torch.arange(300) % 7).clamp(max=3)  # unbalanced
    samples = recipe.split(targets, torch.Generator().manual_seed(1))
    part = DataPart(inputs[samples], targets[samples])
    training = start_training(recipe, part, problem, open_model("mlp", problem), 4, seed=0)
    for _ in range(4):
        train_epoch(training)
    return predict(training, inputs[:50])


@each(OPTIONS)
def test_a_recipe_can_be_pickled(factor: Factor, option: Option) -> None:
    space, _ = named_space("full").for_problem(COLOUR)
    recipe = space.build(space.baseline() | {factor.name: option.name}, COLOUR)
    assert isinstance(pickle.loads(pickle.dumps(recipe)), Recipe)


@each(OPTIONS)
def test_an_option_trains(factor: Factor, option: Option) -> None:
    """The loss is finite after two steps on 64 small images."""
    space, _ = named_space("full").for_problem(COLOUR)
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
