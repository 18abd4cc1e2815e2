"""The command that repeats a study names every setting of its definition."""

from training_factors.storage.definition import Definition
from training_factors.study.reporting.recommendation_table import definition_options

EVERYTHING = Definition(
    source="pets", limit=100, image_size=32, target="price", task="regression",
    fit="crop", scale="0:1", labels="labels.csv", ignore=("g",), impute="none", group="patient",
    group_from="p.", split_column="split", model="net.py:Net", weights="w.pt",
    space="full", factors=("mine.py", "other.py"), fix=("a=b",), drop=("c",), only=("h",),
    range=("d=1:2",), choices=("e=f,g",), metric="rmse", epochs=3,
    seed=7,
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
