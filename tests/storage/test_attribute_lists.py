"""Lists among the attributes of a study are as long as they need be, on every database."""

import json

import optuna

from training_factors.storage.arms import Arm, add_arms, read_arms
from training_factors.storage.attribute_lists import MAX_BYTES, extend_list, read_list
from training_factors.storage.own_configurations import (
    OwnConfiguration,
    add_own_configurations,
    read_own_configurations,
)
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study

ARMS = [
    Arm("contrast", f"arm {i}", "größe", {f"factor.option.name{j}": i / 7 for j in range(20)})
    for i in range(300)
]
"""Arms that take three times as many bytes as one attribute may have on MySQL."""


def test_more_arms_than_one_attribute_holds(any_study: Study) -> None:
    add_arms(any_study, [], ARMS[:1])
    add_arms(any_study, ARMS[:1], ARMS[1:])
    assert read_arms(any_study) == ARMS
    stored = any_study.optuna_study.user_attrs
    lengths = [len(json.dumps(stored[name])) for name in stored if name.startswith("arms")]
    assert len(lengths) > 3 and max(lengths) < 65_535
    add_arms(any_study, ARMS[:1], ARMS[1:])  # by a process that has not read the others yet
    assert read_arms(any_study) == ARMS


def test_more_configurations_than_one_attribute_holds(any_study: Study) -> None:
    added = [OwnConfiguration(arm.name, arm.config) for arm in ARMS]
    runs = [Run("also", row) for row in range(len(added))]
    assert add_own_configurations(any_study, added[:200]) == runs[:200]
    assert add_own_configurations(any_study, added) == runs
    assert read_own_configurations(any_study) == added


def test_the_list_of_an_earlier_version_goes_on(any_study: Study) -> None:
    """Earlier versions wrote the whole list into one attribute."""
    any_study.optuna_study.set_user_attr("arms", [list(arm) for arm in ARMS[:2]])
    any_study.optuna_study.set_user_attr("arms_of_another", [["no arm"]])
    assert read_arms(any_study) == ARMS[:2]
    add_arms(any_study, ARMS[:2], ARMS[2:4])
    assert read_arms(any_study) == ARMS[:4]
    assert any_study.optuna_study.user_attrs["arms"] == [list(arm) for arm in ARMS[:2]]


def test_a_copy_of_a_study_has_its_lists(any_study: Study) -> None:
    add_arms(any_study, [], ARMS)
    other = optuna.storages.InMemoryStorage()
    optuna.copy_study(
        from_study_name=any_study.name, from_storage=any_study.database.storage, to_storage=other
    )
    copied = optuna.load_study(study_name=any_study.name, storage=other)
    assert read_arms(any_study._replace(optuna_study=copied)) == ARMS


def test_an_item_that_fills_an_attribute_has_one_of_its_own(any_study: Study) -> None:
    items = ["x" * (MAX_BYTES - 5), "y", "z"]
    assert extend_list(any_study, "letters", lambda present: items) == items
    assert extend_list(any_study, "letters", lambda present: []) == items
    assert read_list(any_study, "letters") == items
    assert any_study.optuna_study.user_attrs["letters.1"] == ["y", "z"]
