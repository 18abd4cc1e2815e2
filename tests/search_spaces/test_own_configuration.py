"""Configurations of the user's own: what is read, and what is refused with which words."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_factors.search_spaces.description import (
    PLACEBO,
    PLACEBO_BASELINE,
    SpaceDescription,
)
from training_factors.search_spaces.dimension import Value
from training_factors.search_spaces.overrides import Overrides, override
from training_factors.search_spaces.own_configuration import open_configuration, read_settings
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import named_space
from training_factors.storage.definition import Definition
from training_factors.study.analysis.recommendation import RecommendedSetting, chosen_setting
from training_factors.study.analysis.verdict import UNTESTED
from training_factors.study.api.study_file import STUDY_KEYS
from training_factors.study.reporting.recommendation_table import (
    Recommendation,
    recommendation_toml,
)

PROBLEM = Problem(shape=(1, 8, 8), classes=10)
SPACE, LEFT_OUT = named_space("documented").for_problem(PROBLEM)
NARROW = override(
    SPACE, Overrides(fix=["optimizer=sgd", "optimizer.sgd.lr=0.1"], drop=["dropout"]), PROBLEM
)


def read(text: str, folder: Path, space: SpaceDescription) -> list[dict[str, Value]]:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    left_out = {each.name: each.where for each in LEFT_OUT}
    found = read_settings(str(path), STUDY_KEYS)
    return [open_configuration(each, space, left_out) for each in found]


@given(data=st.data(), source=st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_what_recommend_writes_is_read_as_the_same_configuration(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, source: str
) -> None:
    space = data.draw(st.sampled_from([SPACE, NARROW]))
    unit = st.floats(0, 1, exclude_max=True)
    units = data.draw(
        st.lists(unit, min_size=len(space.coordinates()), max_size=len(space.coordinates()))
    )
    config = space.decode(units)
    described = space.describe()
    settings = tuple(
        RecommendedSetting(factor.name, *chosen_setting(factor, config), None, None, None, UNTESTED)
        for factor in described.factors
    )
    definition = Definition(source=source, factors=("mine.py",), weights="w.pt", metric="auc")
    text = recommendation_toml(Recommendation("mine", "accuracy", definition, "run", settings))
    (found,) = read(text, tmp_path_factory.getbasetemp(), described)
    assert found == {**config, PLACEBO: PLACEBO_BASELINE}
    assert list(found) == list(config)
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in config.items()
    }
    assert space.distributions(found).keys() == found.keys()


def test_what_is_not_named_is_at_its_baseline(tmp_path: Path) -> None:
    assert read("[settings]\n", tmp_path, SPACE.describe()) == [SPACE.baseline()]
    first, second = read(
        '[[configuration]]\noptimizer = "adam"\n[[configuration]]\n"optimizer.sgd.lr" = 1\n',
        tmp_path, SPACE.describe(),
    )  # fmt: skip
    assert (
        first["optimizer.adam.lr"]
        == SPACE.factor("optimizer").option("adam").hyperparameters[0].default
    )
    assert second == {**SPACE.baseline(), "optimizer.sgd.lr": 1.0}
    names = [each.name for each in read_settings(str(tmp_path / "mine.toml"), ())]
    assert names == ["mine-1", "mine-2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('optimizer = "adamx"', "did you mean 'adam'?"),
        ("optimizer = 3", "optimizer = 3: optimizer has no option 3; choose from sgd, adam"),
        ('optimzer = "adam"', "factor 'optimzer' is unknown; did you mean 'optimizer'?"),
        ('"optimizer.sgd.lrr" = 0.1', "no hyperparameter 'lrr'; did you mean 'lr'?"),
        ('"optimizer.sgdd.lr" = 0.1', "has no option 'sgdd'; did you mean 'sgd'?"),
        ('"optimizer.sgd" = 0.1', "FACTOR.OPTION.HYPERPARAMETER"),
        ('"optimizer.adam.lr" = 0.1', "is 'sgd' here; remove the line, or set optimizer = "),
        ('"optimizer.sgd.lr" = 7', "0.001 to 1, log; choose a value inside it, or begin a study "
         "with --range optimizer.sgd.lr=0.001:7:log"),
        ('"optimizer.sgd.lr" = 0', "choose a value inside it"),
        ('"optimizer.sgd.lr" = nan', "choose a value inside it"),
        ('"optimizer.sgd.lr" = inf', "choose a value inside it"),
        ('"optimizer.sgd.lr" = "a"', 'optimizer.sgd.lr = "a" must be a number, 0.001 to 1, log'),
        ('"optimizer.sgd.lr" = true', "must be a number"),
        (f'"optimizer.sgd.lr" = {10**400}', "must be a number"),
        ('"optimizer.sgd.nesterov" = 1', "must be one of false, true"),
        ('schedule = "cosine"', "holds schedule at 'constant'; remove the line"),
        ("optimizer.sgd.lr = 0.1", "optimizer is a table; quote names with dots"),
        ("optimizer = ", "is no TOML: "),
        ('augment_mix = "mixup"\n"augment_mix.mixup.alpha" = 1979-05-27', 'must be a number'),
        ('augment_color = "jitter"\n"augment_color.jitter.saturation" = 0.5', "fixed at"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"mine.toml") as error:
        read(f"[settings]\n{text}\n", tmp_path, SPACE.describe())
    assert words in str(error.value)


def test_a_file_without_settings_or_with_other_keys_is_refused(tmp_path: Path) -> None:
    for text, words in (
        ('data = "digits"', "has no settings; put them into tables, [factors.NAME]"),
        ('optimizer = "adam"', "the key 'optimizer' is unknown; put factors into tables"),
        ('fix = ["optimizer=adam"]', "fix is not read from a configuration"),
        ("factors = 3", "factors = 3 must be tables"),
        ('[factors.optimizer]\noptions = ["sgd", "adam"]', "factors.optimizer varies"),
        ("[factors.optimizer.sgd]\nlr = { low = 0.1, high = 1 }", "optimizer.sgd.lr varies"),
        ("[setings]", "did you mean 'settings'?"),
        ("settings = 3", "settings must be a table"),
    ):
        with pytest.raises(ValueError, match=r"mine.toml") as error:
            read(text, tmp_path, SPACE.describe())
        assert words in str(error.value)
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="is no text in UTF-8"):
        read_settings(str(tmp_path / "mine.toml"), ())
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        read_settings(str(tmp_path / "none.toml"), ())


def test_what_a_study_leaves_out_is_said(tmp_path: Path) -> None:
    table = Problem(shape=(13,), classes=3)
    space, left_out = named_space("documented").for_problem(table)
    path = tmp_path / "mine.toml"
    path.write_text('[settings]\naugment_mix = "cutmix"\n', encoding="utf-8")
    (named,) = read_settings(str(path), STUDY_KEYS)
    reasons = {each.name: each.where for each in left_out}
    with pytest.raises(ValueError, match=r"leaves augment_mix.cutmix out \(images only\)"):
        open_configuration(named, space.describe(), reasons)
    path.write_text('[settings]\naugment_color = "jitter"\n', encoding="utf-8")
    (named,) = read_settings(str(path), STUDY_KEYS)
    with pytest.raises(ValueError, match=r"leaves augment_color out \(images only\)"):
        open_configuration(named, space.describe(), reasons)
