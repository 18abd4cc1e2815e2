"""A study's data at a glance, kept with it: what only those who have the data can know."""

import hashlib
import json
from typing import NamedTuple

from pydantic import TypeAdapter

from training_factors.storage.answer_cache import CachedAnswer
from training_factors.storage.studies import Study


class Augmented(NamedTuple):
    """What one option of an augmenting factor does to the images. hyperparameters: the values used."""

    factor: str
    option: str
    hyperparameters: dict[str, bool | int | float | str]
    picture: str


class DataSheet(NamedTuple):
    """The data of a study.

    classes: names as shown; empty for regression. parts: `pool`, `validation`, `test` -> samples
    of every class in their order; of a regression one number. originals: some images of the
    training pool, side by side; augmented: the same ones, augmented. Both are empty for tables.

    A picture is a PNG in base64.
    """

    classes: tuple[str, ...]
    parts: dict[str, list[int]]
    originals: str
    augmented: tuple[Augmented, ...]


_RECORDS = TypeAdapter(DataSheet)


def read_sheet(study: Study) -> DataSheet | None:
    """The data sheet of a study; None where nobody has written one yet."""
    text = _shelf(study).read()
    return None if text is None else _RECORDS.validate_json(text)


def write_sheet(study: Study, sheet: DataSheet) -> None:
    """Keep the sheet with the study; one that is there already stays."""
    shelf = _shelf(study)
    if shelf.read() is None:
        shelf.write(_RECORDS.dump_json(sheet).decode())


def _shelf(study: Study) -> CachedAnswer:
    """A record whose fields have changed since cannot be read, so it is not looked for."""
    stamp, fields = study.stamp, _RECORDS.json_schema()
    known = [stamp.data.fingerprint, stamp.space.fingerprint, stamp.seed, fields]
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
    return CachedAnswer(study, "data sheet", digest)
