from training_factors.storage.database import Database
from training_factors.storage.own_configurations import (
    OWN,
    OwnConfiguration,
    add_own_configurations,
    read_own_configurations,
)
from training_factors.storage.run_queue import Run
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import create_study


def test_equal_configurations_are_one_and_rows_stay(database: Database) -> None:
    study = create_study(database, "mine", Stamp("accuracy"))
    assert read_own_configurations(study) == []
    first = OwnConfiguration("ours", {"optimizer": "sgd", "optimizer.sgd.lr": 0.1 + 0.2})
    second = OwnConfiguration("ours", {"optimizer": "adam"})
    assert add_own_configurations(study, [first]) == [Run(OWN, 0)]
    again = first._replace(name="another name")
    assert add_own_configurations(study, [second, again, second]) == [
        Run(OWN, 1), Run(OWN, 0), Run(OWN, 1),
    ]  # fmt: skip
    assert read_own_configurations(study) == [first, second]
    assert add_own_configurations(study, []) == []
