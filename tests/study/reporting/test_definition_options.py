"""The commands that a study shows name every setting of its definition that they need."""

from training_factors.search_spaces.overrides import override
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import named_space
from training_factors.storage.definition import Definition
from training_factors.study.analysis.recommendation import RecommendedSetting
from training_factors.study.analysis.verdict import PROBABLE
from training_factors.study.api.settings import check_definition
from training_factors.study.reporting.recommendation_table import (
    Recommendation,
    definition_options,
    holding_options,
    recommendation_toml,
)
from training_factors.study.running.preparation import space_changes

EVERYTHING = Definition(
    source="pets", limit=100, image_size=32, target="price", task="regression",
    fit="crop", scale="0:1", labels="labels.csv", ignore=("g",), impute="none", group="patient",
    group_from="p.", split_column="split", model="net.py:Net", weights="w.pt",
    space="full", factors=("mine.py", "other.py"), fix=("a=b",), drop=("c",), only=("h",),
    range=("d=1:2",), choices=("e=f,g",), metric="rmse",
    precision="bfloat16", epochs=3, seed=7,
)  # fmt: skip


def test_every_setting_is_an_option() -> None:
    words = definition_options(EVERYTHING)
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert len([word for word in words if word == "--factor"]) == 2
    assert len(options) == len(Definition.model_fields)
    assert options["--data"] == "pets" and options["--weights"] == "w.pt"


def test_defaults_are_named_but_for_the_seed_and_what_is_not_set() -> None:
    assert definition_options(Definition()) == [
        "--data", "digits", "--model", "mlp", "--space", "documented", "--epochs", "15",
    ]  # fmt: skip


def test_a_setting_that_only_the_study_s_own_range_allows_is_held_and_written() -> None:
    definition = Definition(
        range=("optimizer.sgd.lr=2.00012345:3:log",), choices=("batch_size=48,96",),
        only=("optimizer", "batch_size"),
    )  # fmt: skip
    values = (
        ("optimizer", "sgd", {"optimizer.sgd.lr": 2.00012345}),
        ("batch_size", "minibatch", {"batch_size.minibatch.samples": 48}),
    )
    settings = tuple(
        RecommendedSetting(factor, option, named, 0.5, 1.0, None, PROBABLE)
        for factor, option, named in values
    )  # fmt: skip
    found = Recommendation("mine", "accuracy", definition, "run", settings)
    words = holding_options(found)
    named: dict[str, list[str]] = {}
    for option, text in zip(words[::2], words[1::2], strict=True):
        named.setdefault(option.removeprefix("--"), []).append(text)
    changes = {field: named[field] for field in ("fix", "range", "choices")}
    assert "only" not in named and named["space"] == ["full"]
    space = override(
        named_space("full"), space_changes(check_definition(changes)), Problem((1, 8, 8), 10)
    )
    baseline = space.factor("optimizer").baseline.hyperparameters[0]
    assert (baseline.name, baseline.default) == ("lr", 2.00012345)
    assert space.build({}, Problem((1, 8, 8), 10)).batch_size == 48
    toml = recommendation_toml(found)
    assert 'range = ["optimizer.sgd.lr=2.00012345:3:log"]' in toml
    assert 'choices = ["batch_size=48,96"]' in toml
