from typing import Any

import pytest

from storage.answers import Shelf
from storage.arms import Arm, add_arms, read_arms
from storage.database import Database
from storage.studies import Study, create_study, load_study


@pytest.fixture
def study(database: Database) -> Study:
    return create_study(database, "mine", {"objective": "accuracy"})


def test_a_text_is_kept_for_its_evidence_only(study: Study) -> None:
    shelf = Shelf(study, "importance", "a" * 64)
    assert shelf.read() is None
    shelf.write("first")
    assert shelf.read() == "first"
    assert Shelf(study, "importance", "b" * 64).read() is None
    assert Shelf(study, "lenses", "a" * 64).read() is None
    Shelf(study, "importance", "b" * 64).write("second")
    assert shelf.read() is None


def test_a_long_text_comes_back_whole(study: Study) -> None:
    text = "¾" * 300_000
    Shelf(study, "importance", "a").write(text)
    assert Shelf(study, "importance", "a").read() == text


def test_studies_do_not_share_a_shelf(study: Study, database: Database) -> None:
    other = create_study(database, "other", {"objective": "accuracy"})
    Shelf(study, "importance", "a").write("mine")
    assert Shelf(other, "importance", "a").read() is None


def test_arms_are_numbered_as_they_were_added(study: Study) -> None:
    assert read_arms(study) == []
    first: list[Arm] = [Arm("rank", "trial 3", None, {"lr": 0.1, "nesterov": True})]
    second = [Arm("contrast", "best", None, {})]
    add_arms(study, [], first)
    add_arms(study, first, second)
    assert read_arms(study) == [*first, *second]
    add_arms(study, first, second)  # by somebody who has not seen the second yet
    assert read_arms(study) == [*first, *second]


def test_the_only_study_is_meant_whatever_confirms_it(study: Study, database: Database) -> None:
    stamp: dict[str, Any] = {"objective": "accuracy"}
    create_study(database, "mine.confirm", stamp)
    assert load_study(database, None).name == "mine"
    assert load_study(database, "mine.confirm").name == "mine.confirm"
