from training_factors.storage.arms import Arm, add_arms, read_arms
from training_factors.storage.database import Database
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import create_study


def test_arms_keep_the_order_in_which_they_were_added(database: Database) -> None:
    study = create_study(database, "mine", Stamp("accuracy"))
    assert read_arms(study) == []
    first = [Arm("rank", "trial 3", None, {"lr": 0.1, "nesterov": True})]
    second = [Arm("contrast", "best", None, {})]
    add_arms(study, [], first)
    add_arms(study, first, second)
    assert read_arms(study) == [*first, *second]
    add_arms(study, first, second)  # by a process that has not read the second yet
    assert read_arms(study) == [*first, *second]
