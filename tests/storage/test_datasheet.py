"""A data sheet is kept with its study, once, on every kind of database."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url
from sqlalchemy.sql.dml import Insert

from training_factors.search_spaces.description import SpaceDescription
from training_factors.storage.answer_cache import CachedAnswer
from training_factors.storage.database import open_database
from training_factors.storage.datasheet import Augmented, DataSheet, read_sheet, write_sheet
from training_factors.storage.retry import StorageUnavailableError
from training_factors.storage.stamp import DataStamp, Stamp
from training_factors.storage.studies import Study

STAMP = Stamp(
    "accuracy", DataStamp(fingerprint="f" * 64), SpaceDescription(fingerprint="s" * 16), seed=3
)
SHEET = DataSheet(
    ("cat", "Größe [/]"),
    {"pool": [6, 5], "validation": [2, 2], "test": [2, 1]},
    "aW1hZ2U=",
    (Augmented("a", "b", {"x": 0.25, "n": 3, "on": True, "kind": "soft", "one": 1.0}, "aW1hZ2U="),),
)


@pytest.fixture
def study(any_study: Study) -> Study:
    return any_study._replace(stamp=STAMP)


def test_a_sheet_comes_back_as_it_was(study: Study) -> None:
    assert read_sheet(study) is None
    write_sheet(study, SHEET)
    found = read_sheet(study)
    assert found == SHEET
    assert found is not None
    kinds = [type(value) for value in found.augmented[0].hyperparameters.values()]
    assert kinds == [float, int, bool, str, float]


def test_a_sheet_is_written_once(study: Study) -> None:
    write_sheet(study, SHEET)
    write_sheet(study, SHEET._replace(originals=""))
    assert read_sheet(study) == SHEET


@pytest.mark.parametrize(
    "changed",
    [
        {"data": DataStamp(fingerprint="g")},
        {"space": SpaceDescription(fingerprint="t")},
        {"seed": 4},
    ],
)
def test_a_sheet_of_other_data_is_not_read(study: Study, changed: dict[str, Any]) -> None:
    write_sheet(study, SHEET)
    assert read_sheet(study._replace(stamp=study.stamp._replace(**changed))) is None


def test_pictures_of_a_megabyte_fit(study: Study) -> None:
    large = SHEET._replace(originals="A" * 2**20)
    write_sheet(study, large)
    assert read_sheet(study) == large


def test_who_is_second_to_write_leaves_what_is_there(study: Study) -> None:
    """Another machine writes between two statements of this one."""
    if study.database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    url = study.database.engine.url.render_as_string(hide_password=False)
    elsewhere = study._replace(database=open_database(url))
    mine, theirs = (CachedAnswer(one, "data sheet", "d") for one in (study, elsewhere))
    assert mine.read() is None

    written: list[str] = []

    def come_between(connection: Any, clause: Any, *_: Any) -> None:
        if isinstance(clause, Insert) and not written:
            written.append("theirs")
            theirs.write("theirs")

    event.listen(study.database.engine, "before_execute", come_between)
    mine.write("mine")
    event.remove(study.database.engine, "before_execute", come_between)
    assert mine.read() == "theirs"
    elsewhere.database.close()


def test_a_database_that_is_gone_is_storage_lost(study: Study, tmp_path: Path) -> None:
    if study.database.engine.dialect.name != "sqlite":
        pytest.skip("its file is what goes away")
    file = Path(make_url(str(study.database.engine.url)).database or "")
    file.rename(tmp_path / "away.db")
    with pytest.raises(StorageUnavailableError):
        read_sheet(study)
    (tmp_path / "away.db").rename(file)
