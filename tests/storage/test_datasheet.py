"""A data sheet is stored with its study, once, on every kind of database."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
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


def test_a_sheet_is_read_as_it_was_written(study: Study) -> None:
    assert read_sheet(study) is None
    write_sheet(study, SHEET)
    sheet = read_sheet(study)
    assert sheet == SHEET
    assert sheet is not None
    kinds = [type(value) for value in sheet.augmented[0].hyperparameters.values()]
    assert kinds == [float, int, bool, str, float]


def test_a_sheet_is_written_once(study: Study) -> None:
    write_sheet(study, SHEET)
    write_sheet(study, SHEET._replace(originals=""))
    assert read_sheet(study) == SHEET


def test_a_sheet_of_an_earlier_version_is_found(study: Study) -> None:
    """The cache key is as the first version computed it, which called hyperparameters knobs."""
    digest = "02bc4f96c7b090b893938e459a745ca342cce87709221bccff5c55c14652a8d7"
    text = '[["a"],{"pool":[6]},"aW1h",[["augment_color","jitter",{"brightness":0.25},"aW1n"]]]'
    CachedAnswer(study, "data sheet", digest).write(text)
    augmented = Augmented("augment_color", "jitter", {"brightness": 0.25}, "aW1n")
    assert read_sheet(study) == DataSheet(("a",), {"pool": [6]}, "aW1h", (augmented,))


def test_the_cache_key_depends_on_fields_and_not_on_documentation() -> None:
    schema = json.dumps(TypeAdapter(DataSheet).json_schema())
    assert "description" not in schema
    assert "Knobs" in schema and "Hyperparameters" not in schema


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


def test_a_picture_of_a_megabyte_is_stored_in_full(study: Study) -> None:
    large = SHEET._replace(originals="A" * 2**20)
    write_sheet(study, large)
    assert read_sheet(study) == large


def test_of_two_simultaneous_writes_the_first_is_kept(study: Study) -> None:
    """Another connection writes between two statements of this one."""
    if study.database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    url = study.database.engine.url.render_as_string(hide_password=False)
    elsewhere = study._replace(database=open_database(url))
    mine, theirs = (CachedAnswer(owner, "data sheet", "d") for owner in (study, elsewhere))
    assert mine.read() is None

    written: list[str] = []

    def write_in_between(connection: Any, clause: Any, *_: Any) -> None:
        if isinstance(clause, Insert) and not written:
            written.append("theirs")
            theirs.write("theirs")

    event.listen(study.database.engine, "before_execute", write_in_between)
    mine.write("mine")
    event.remove(study.database.engine, "before_execute", write_in_between)
    assert mine.read() == "theirs"
    elsewhere.database.close()


def test_a_deleted_database_is_unavailable(study: Study, tmp_path: Path) -> None:
    if study.database.engine.dialect.name != "sqlite":
        pytest.skip("the test removes the database's file")
    file = Path(make_url(str(study.database.engine.url)).database or "")
    file.rename(tmp_path / "away.db")
    with pytest.raises(StorageUnavailableError):
        read_sheet(study)
    (tmp_path / "away.db").rename(file)
