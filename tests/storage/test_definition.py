import pytest
from pydantic import ValidationError

from training_factors.storage.definition import Definition, default_name


def test_the_default_study_has_a_plain_name() -> None:
    assert default_name(Definition()) == "digits-mlp"
    assert default_name(Definition(source="wine", model="mlp:small")) == "wine-mlp"


def test_another_definition_has_another_name() -> None:
    names = {
        default_name(Definition(**changed))
        for changed in (
            {},
            {"epochs": 3},
            {"seed": 1},
            {"fix": ("optimizer=adam",)},
            {"source": "/a/pets"},
            {"source": "/b/pets"},
        )
    }
    assert len(names) == 6
    assert all(name.startswith(("digits-mlp", "pets-mlp-")) for name in names)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"limit": -1}, {"seed": 2**32}, {"sead": 1}])
def test_wrong_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Definition(**wrong)  # type: ignore[arg-type]


def test_a_metric_is_named_with_dashes_or_capitals() -> None:
    assert Definition(metric="Macro-F1").metric == "macro_f1"
    assert default_name(Definition(metric="macro-f1")) == default_name(
        Definition(metric="macro_f1")
    )
    assert default_name(Definition(metric="auc")) != default_name(Definition())
    assert default_name(Definition(metric="accuracy")) == default_name(Definition())


@pytest.mark.parametrize(("wrong", "near"), [("f1", "macro_f1"), ("mse", "rmse"), ("loss", "log")])
def test_an_unknown_metric_names_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(ValidationError, match=f"did you mean '{near}"):
        Definition(metric=wrong)


def test_changes_that_say_the_same_are_equal_texts() -> None:
    one = Definition(
        fix=("b.c.d = 1e-3", "a=x"), range=("e.f.g=0.10:1:log",), choices=("h= 16, 32.0",),
        drop=("k,i",), only=("m", "l"),
    )  # fmt: skip
    other = Definition(
        fix=("a=x", "b.c.d=0.001"), range=("e.f.g=.1:1.0:log",), choices=("h=16,32",),
        drop=("i", "k"), only=("l, m",),
    )  # fmt: skip
    assert one == other and default_name(one) == default_name(other)
    assert one.fix == ("a=x", "b.c.d=0.001") and one.only == ("l", "m")
