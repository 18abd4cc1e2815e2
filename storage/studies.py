"""A study in a database: Optuna's record of it, its stamp and its queue."""

import hashlib
import json
import re
import warnings
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages._rdb import models
from optuna.study import StudyDirection
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from training_factors.storage.database import Database, folder_of
from training_factors.storage.retry import retry
from training_factors.storage.run_queue import RunQueue, open_queue
from training_factors.storage.stamp import Stamp, read_stamp

_STAMP = "stamp"

LONGEST_NAME = 64

CONFIRMATION = ".confirm"
"""What the names of studies end with that confirm another one."""


class Study(NamedTuple):
    """An open study. Its stamp says what it is; see `training_factors.storage.stamp`."""

    name: str
    database: Database
    optuna_study: optuna.Study
    study_id: int
    queue: RunQueue
    stamp: Stamp

    @property
    def slug(self) -> str:
        """A folder's name of its own for this study; names that are slugs already stay."""
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", self.name).strip("-.")[:64]
        if slug == self.name:
            return slug
        return f"{slug}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"

    @property
    def folder(self) -> Path:
        """Where files that belong to this study are kept."""
        return folder_of(self.database) / self.slug

    def without_retry(self) -> "Study":
        """The same study, given up at once where its database does not answer."""
        database = self.database._replace(retry_timeout_s=0)
        return self._replace(database=database, queue=self.queue._replace(database=database))


class NoStudyError(LookupError):
    """There is no study of this name."""


def study_names(database: Database) -> list[str]:
    """The names of the studies of this tool in a database, sorted."""
    studies = models.StudyModel.__table__
    attributes = models.StudyUserAttributeModel.__table__
    stamped = (
        select(studies.c.study_name)
        .join(attributes, attributes.c.study_id == studies.c.study_id)
        .where(attributes.c.key == _STAMP)
    )

    def attempt(again: bool) -> list[str]:
        with database.engine.connect() as connection:
            return sorted(connection.execute(stamped).scalars())

    return retry(database, attempt)


def _all_names(database: Database) -> list[str]:
    """With those that other programs keep in the same database."""
    return retry(database, lambda again: optuna.get_all_study_names(storage=database.storage))


def confirmation_name(name: str) -> str:
    """The name of the study that confirms the study of this name."""
    return f"{name}{CONFIRMATION}"


def find_study(database: Database, name: str) -> Study | None:
    """The study of this name; None when there is none.

    Raises ValueError when the study was not made by this tool.
    """
    if name not in _all_names(database):
        return None
    return retry(database, lambda again: _open(database, name))


def _open(database: Database, name: str) -> Study:
    study = optuna.load_study(study_name=name, storage=database.storage)
    document = study.user_attrs.get(_STAMP)
    if document is None:
        raise ValueError(f"study {name!r} was not made by this tool; choose another --study")
    study_id = database.storage.get_study_id_from_name(name)
    return Study(
        name, database, study, study_id, open_queue(database, study_id), read_stamp(document)
    )


def load_study(database: Database, name: str | None) -> Study:
    """The study of this name, or the only one there is.

    Raises NoStudyError when there is none, ValueError when several could be meant.
    """
    names = study_names(database)
    if name is None:
        own = [found for found in names if not found.endswith(CONFIRMATION)]
        if len(own) > 1:
            raise ValueError(f"which study? name one with --study: {', '.join(own[:10])}")
        name = own[0] if own else ""
    found = find_study(database, name)
    if found is not None:
        return found
    near = get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; there is {', '.join(names[:10])}"
    raise NoStudyError(
        f"there is no study {name!r} in {database.url}{hint if names else ', and no other either'}"
    )


def check_name(name: str) -> None:
    """Raise ValueError when the name cannot be a study's."""
    if not name.isprintable() or not 1 <= len(name) <= LONGEST_NAME:
        raise ValueError(
            f"study name {name[:20]!r} must be 1 to {LONGEST_NAME} printable characters"
        )
    if name.startswith("-"):
        raise ValueError(f"study name {name!r} must not begin with '-', as options do")


def create_study(database: Database, name: str, stamp: Stamp) -> Study:
    """A new study that maximizes the stamp's objective, or the one that is there already.

    Raises ValueError when the name cannot be a study's.
    """
    check_name(name)
    if name not in _all_names(database):
        retry(database, lambda again: _insert_study(database, name, stamp))
    created = find_study(database, name)
    assert created is not None
    return created


def _insert_study(database: Database, name: str, stamp: Stamp) -> None:
    """Write a study with its stamp at once, so that nobody meets one without the other."""
    stamped = {"key": _STAMP, "value_json": json.dumps(stamp.as_document())}
    try:
        with database.engine.begin() as connection:
            row = insert(models.StudyModel.__table__).values(study_name=name)
            (study_id,) = connection.execute(row).inserted_primary_key or (None,)
            direction = {"direction": StudyDirection.MAXIMIZE, "objective": 0}
            for table, values in (
                (models.StudyDirectionModel.__table__, direction),
                (models.StudyUserAttributeModel.__table__, stamped),
            ):
                connection.execute(insert(table).values(study_id=study_id, **values))
    except IntegrityError:
        return  # another worker was first
    study = optuna.load_study(study_name=name, storage=database.storage)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names([f"validation {stamp.objective}"])
