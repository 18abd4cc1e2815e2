"""The data sheet of a study: class counts and example images, stored for readers without the data.

A worker writes it once. Reports read it on machines that do not have the data.
"""

import hashlib
import json
from typing import Annotated, NamedTuple

from pydantic import Field, TypeAdapter

from training_factors.storage.answer_cache import CachedAnswer
from training_factors.storage.studies import Study


class Augmented(NamedTuple):
    """Example images after one option of an augmentation factor.

    hyperparameters: the values used, by name. picture: PNG in base64.
    """

    factor: str
    option: str
    # The JSON schema is part of the cache key, so this title must stay as it was first stored.
    hyperparameters: Annotated[dict[str, bool | int | float | str], Field(title="Knobs")]
    picture: str


class DataSheet(NamedTuple):
    """The data of a study.

    classes: names as shown; empty for regression. parts: number of samples by part (`pool`,
    `validation`, `test`), one number per class in their order; a single number for regression.
    originals: some images of the training pool side by side, a PNG in base64. augmented: the same
    images after each augmentation. Both are empty for tables.
    """

    classes: tuple[str, ...]
    parts: dict[str, list[int]]
    originals: str
    augmented: tuple[Augmented, ...]


_SHEETS = TypeAdapter(DataSheet)


def read_sheet(study: Study) -> DataSheet | None:
    """Return the data sheet of a study; None if there is none yet."""
    text = _cache_entry(study).read()
    return None if text is None else _SHEETS.validate_json(text)


def write_sheet(study: Study, sheet: DataSheet) -> None:
    """Store the data sheet of a study, unless there is one already."""
    entry = _cache_entry(study)
    if entry.read() is None:
        entry.write(_SHEETS.dump_json(sheet).decode())


def _cache_entry(study: Study) -> CachedAnswer:
    """Return the cache entry of the sheet; sheets with other fields are under another key."""
    stamp = study.stamp
    key = [stamp.data.fingerprint, stamp.space.fingerprint, stamp.seed, _SHEETS.json_schema()]
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return CachedAnswer(study, "data sheet", digest)
