import pytest

from training_factors.storage.answer_cache import CachedAnswer
from training_factors.storage.arms import Arm, add_arms, read_arms
from training_factors.storage.database import Database
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import Study, create_study, load_study


@pytest.fixture
def study(database: Database) -> Study:
    return create_study(database, "mine", Stamp("accuracy"))


def test_a_text_is_kept_for_its_evidence_only(study: Study) -> None:
    shelf = CachedAnswer(study, "importance", "a" * 64)
    assert shelf.read() is None
    shelf.write("first")
    assert shelf.read() == "first"
    assert CachedAnswer(study, "importance", "b" * 64).read() is None
    assert CachedAnswer(study, "lenses", "a" * 64).read() is None
    CachedAnswer(study, "importance", "b" * 64).write("second")
    assert shelf.read() is None


def test_a_long_text_comes_back_whole(study: Study) -> None:
    text = "¾" * 300_000
    CachedAnswer(study, "importance", "a").write(text)
    assert CachedAnswer(study, "importance", "a").read() == text


def test_studies_do_not_share_a_shelf(study: Study, database: Database) -> None:
    other = create_study(database, "other", Stamp("accuracy"))
    CachedAnswer(study, "importance", "a").write("mine")
    assert CachedAnswer(other, "importance", "a").read() is None


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
    stamp = Stamp("accuracy")
    create_study(database, "mine.confirm", stamp)
    assert load_study(database, None).name == "mine"
    assert load_study(database, "mine.confirm").name == "mine.confirm"
