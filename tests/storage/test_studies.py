from training_factors.storage.database import Database
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import create_study, load_study


def test_a_confirmation_does_not_count_as_another_study(database: Database) -> None:
    stamp = Stamp("accuracy")
    create_study(database, "mine", stamp)
    create_study(database, "mine.confirm", stamp)
    assert load_study(database, None).name == "mine"
    assert load_study(database, "mine.confirm").name == "mine.confirm"
