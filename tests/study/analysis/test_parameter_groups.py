"""Test which factor each parameter of an Optuna study belongs to."""

from pathlib import Path

import pytest

from training_factors.study.analysis.parameter_groups import group_parameters, read_groups

NAMES = ["optimizer", "lr", "aug/flip", "aug/mix.alpha", "nesterov", "damp", "model.width"]
PARENTS = {"nesterov": "optimizer", "damp": "nesterov"}


def test_by_name_and_parent() -> None:
    assert group_parameters(NAMES, PARENTS) == {
        "optimizer": "optimizer", "nesterov": "optimizer", "damp": "optimizer", "lr": "lr",
        "aug/flip": "aug", "aug/mix.alpha": "aug", "model.width": "model",
    }  # fmt: skip


def test_given_groups_hold_names_and_beginnings_and_children_follow() -> None:
    groups = {"step": ["lr", "optimizer"], "augmentation": "aug"}
    assert group_parameters(NAMES, PARENTS, groups) == {
        "optimizer": "step", "nesterov": "step", "damp": "step", "lr": "step",
        "aug/flip": "augmentation", "aug/mix.alpha": "augmentation", "model.width": "model",
    }  # fmt: skip
    assert group_parameters(["sgd_lr", "sgd_decay", "lr"], {}, {"sgd": ["sgd_"]}) == {
        "sgd_lr": "sgd", "sgd_decay": "sgd", "lr": "lr",
    }  # fmt: skip


def test_a_name_is_no_beginning_of_a_longer_word() -> None:
    assert group_parameters(["lr", "lr_decay"], {}, {"rate": ["lr"]}) == {
        "lr": "rate", "lr_decay": "lr_decay",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"step": ["optimiser"]}, r"'optimiser' is none .* did you mean 'optimizer'\?$"),
        ({"step": ["qqq"]}, "'qqq' is none of the study's parameters; there are aug/flip, "),
        ({"a": ["lr"], "b": ["lr"]}, "'lr' is in the groups 'a' and 'b'"),
        ({"lr": ["optimizer"]}, "group 'lr' does not hold the parameter 'lr'"),
        ({"a": 3}, r"group 'a' must be the name of a parameter or a list of names, got 3$"),
        ({"a": [3]}, r"must be the name of a parameter or a list of names, got \[3\]$"),
    ],
)
def test_wrong_groups_are_refused(groups: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        group_parameters(NAMES, PARENTS, groups)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("head", ["", "[groups]\n"])
def test_groups_of_a_file(tmp_path: Path, head: str) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(f'{head}step = ["lr", "optimizer"]\naugmentation = "aug"\n', encoding="utf-8")
    assert read_groups(path) == {"step": ("lr", "optimizer"), "augmentation": ("aug",)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step = [", "groups.toml is no TOML"),
        ("step = 1", "group 'step' must be the name"),
        ("groups = 1", r"must be a table, \[groups\], got 1"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_groups(path)
