"""Lists among the attributes of a study, which grow: each addition is an attribute of its own.

MySQL keeps the value of one of Optuna's attributes up to 65,535 bytes. The attribute `arms` holds
the first items of the list `arms`, as of all items in earlier versions; those that were added later
are in `arms.1`, `arms.2` and so on. They belong to the study, so that copies have them too.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from optuna.storages._rdb import models
from sqlalchemy import Table, select

from training_factors.storage.database import lock_study
from training_factors.storage.identity import write_attributes
from training_factors.storage.retry import retry
from training_factors.storage.studies import Study

MAX_BYTES = 60_000
"""Maximum length of an attribute's value as JSON, in bytes."""

_ATTRIBUTES: Table = models.StudyUserAttributeModel.__table__

Items = list[Any]
"""Items of a list, of any type that JSON has."""


def read_list(study: Study, name: str) -> Items:
    """Return the items of a study's list, in the order in which they were added."""
    attributes = retry(study.database, lambda is_retry: study.optuna_study.user_attrs)
    return _joined(attributes, name)


def extend_list(study: Study, name: str, choose: Callable[[Items], Items]) -> Items:
    """Add items to a study's list, in one transaction; return all that it has then.

    choose: takes those that are there, and returns those to add.
    """
    is_of_study = _ATTRIBUTES.c.study_id == study.study_id
    query = select(_ATTRIBUTES.c.key, _ATTRIBUTES.c.value_json).where(is_of_study)

    def attempt(is_retry: bool) -> Items:
        with study.database.engine.begin() as connection:
            lock_study(connection, study.study_id)  # two programs may add some at the same time
            named = connection.execute(query.where(_ATTRIBUTES.c.key.startswith(name)))
            attributes = {key: json.loads(text) for key, text in named}
            present = _joined(attributes, name)
            added = choose(present)
            if added:
                number = sum(1 for _ in _keys(attributes, name))
                parts = {_key(name, number + i): part for i, part in enumerate(_parts(added))}
                write_attributes(connection, study.study_id, parts)
            return [*present, *added]

    return retry(study.database, attempt)


def _key(name: str, number: int) -> str:
    """Return the key of the attribute with this part of a list, numbered from 0."""
    return f"{name}.{number}" if number else name


def _keys(attributes: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield the keys of the attributes that hold a list, in order."""
    number = 0
    while (key := _key(name, number)) in attributes:
        yield key
        number += 1


def _joined(attributes: Mapping[str, Any], name: str) -> Items:
    return [item for key in _keys(attributes, name) for item in attributes[key]]


def _parts(items: Sequence[Any]) -> Iterator[Items]:
    """Yield the items in parts that are short enough for an attribute."""
    part: Items = []
    length = 0
    for item in items:
        size = len(json.dumps(item)) + len(", ")  # JSON is written in ASCII
        if part and length + size > MAX_BYTES:
            yield part
            part, length = [], 0
        part.append(item)
        length += size
    yield part
