import pytest

from training_factors.storage.answer_cache import CachedAnswer
from training_factors.storage.database import Database
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import Study, create_study


@pytest.fixture
def study(database: Database) -> Study:
    return create_study(database, "mine", Stamp("accuracy"))


def test_a_text_is_found_by_its_key_alone(study: Study) -> None:
    cached = CachedAnswer(study, "importance", "a" * 64)
    assert cached.read() is None
    cached.write("first")
    assert cached.read() == "first"
    assert CachedAnswer(study, "importance", "b" * 64).read() is None
    assert CachedAnswer(study, "lenses", "a" * 64).read() is None
    CachedAnswer(study, "importance", "b" * 64).write("second")
    assert cached.read() is None


def test_a_long_text_is_stored_in_full(study: Study) -> None:
    text = "¾" * 300_000
    CachedAnswer(study, "importance", "a").write(text)
    assert CachedAnswer(study, "importance", "a").read() == text


def test_studies_do_not_share_answers(study: Study, database: Database) -> None:
    other = create_study(database, "other", Stamp("accuracy"))
    CachedAnswer(study, "importance", "a").write("mine")
    assert CachedAnswer(other, "importance", "a").read() is None
