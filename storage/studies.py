"""Create, find and open the studies of a database."""

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
"""Key of the study attribute that holds the stamp; only studies of this tool have it."""

MAX_NAME_LENGTH = 64
"""Maximum number of characters in the name of a study."""

CONFIRMATION_SUFFIX = ".confirm"
"""Suffix of the name of a study that confirms another one."""


class Study(NamedTuple):
    """An open study: Optuna's study, its run queue and its stamp."""

    name: str
    database: Database
    optuna_study: optuna.Study
    study_id: int
    queue: RunQueue
    stamp: Stamp

    @property
    def slug(self) -> str:
        """The name of the study's folder.

        It is the study's name where that is a valid file name, else one that ends with a digest.
        """
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", self.name).strip("-.")[:64]
        if slug == self.name:
            return slug
        return f"{slug}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"

    @property
    def folder(self) -> Path:
        """The folder for the files of this study."""
        return folder_of(self.database) / self.slug

    def without_retry(self) -> "Study":
        """Return the same study with a retry timeout of 0."""
        database = self.database._replace(retry_timeout_s=0)
        return self._replace(database=database, queue=self.queue._replace(database=database))


class NoStudyError(LookupError):
    """There is no study of this name."""


def check_name(name: str) -> None:
    """Raise ValueError if a study must not have this name."""
    if not name.isprintable() or not 1 <= len(name) <= MAX_NAME_LENGTH:
        raise ValueError(
            f"study name {name[:20]!r} must be 1 to {MAX_NAME_LENGTH} printable characters"
        )
    if name.startswith("-"):
        raise ValueError(f"study name {name!r} must not begin with '-', as options do")


def confirmation_name(name: str) -> str:
    """Return the name of the study that confirms the study of this name."""
    return f"{name}{CONFIRMATION_SUFFIX}"


def study_names(database: Database) -> list[str]:
    """Return the sorted names of this tool's studies in a database."""
    studies = models.StudyModel.__table__
    attributes = models.StudyUserAttributeModel.__table__
    query = (
        select(studies.c.study_name)
        .join(attributes, attributes.c.study_id == studies.c.study_id)
        .where(attributes.c.key == _STAMP)
    )

    def attempt(is_retry: bool) -> list[str]:
        with database.engine.connect() as connection:
            return sorted(connection.execute(query).scalars())

    return retry(database, attempt)


def create_study(database: Database, name: str, stamp: Stamp) -> Study:
    """Create a study that maximizes the stamp's objective; open it if it exists already.

    Raises ValueError if a study must not have this name, or one of another tool has it.
    """
    check_name(name)
    if name not in _all_names(database):
        retry(database, lambda is_retry: _insert_study(database, name, stamp))
    created = find_study(database, name)
    assert created is not None
    return created


def find_study(database: Database, name: str) -> Study | None:
    """Open the study of this name; return None if there is none.

    Raises ValueError if the study was not made by this tool.
    """
    if name not in _all_names(database):
        return None
    return retry(database, lambda is_retry: _open(database, name))


def load_study(database: Database, name: str | None) -> Study:
    """Open the study of this name; None means the only study, apart from its confirmation.

    Raises NoStudyError if there is none, ValueError if there are several or if the study was not
    made by this tool.
    """
    names = study_names(database)
    if name is None:
        candidates = [known for known in names if not known.endswith(CONFIRMATION_SUFFIX)]
        if len(candidates) > 1:
            raise ValueError(
                f"there are several studies; name one of: {', '.join(candidates[:10])}"
            )
        if not candidates:
            raise NoStudyError(f"there is no study in {database.url}; start one with run")
        name = candidates[0]
    study = find_study(database, name)
    if study is not None:
        return study
    if not names:
        hint = "start one with run"
    elif similar := get_close_matches(name, names, n=1):
        hint = f"did you mean {similar[0]!r}?"
    else:
        hint = f"its studies: {', '.join(names[:10])}"
    raise NoStudyError(f"there is no study {name!r} in {database.url}; {hint}")


def _all_names(database: Database) -> list[str]:
    """Return the names of all studies of Optuna's in a database, other programs' included."""
    return retry(database, lambda is_retry: optuna.get_all_study_names(storage=database.storage))


def _open(database: Database, name: str) -> Study:
    study = optuna.load_study(study_name=name, storage=database.storage)
    document = study.user_attrs.get(_STAMP)
    if document is None:
        raise ValueError(f"study {name!r} was not made by this tool; choose another --study")
    study_id = database.storage.get_study_id_from_name(name)
    queue = open_queue(database, study_id)
    return Study(name, database, study, study_id, queue, read_stamp(document))


def _insert_study(database: Database, name: str, stamp: Stamp) -> None:
    """Insert a study and its stamp in one transaction, so that no study lacks its stamp."""
    stamp_row = {"key": _STAMP, "value_json": json.dumps(stamp.as_document())}
    direction_row = {"direction": StudyDirection.MAXIMIZE, "objective": 0}
    try:
        with database.engine.begin() as connection:
            study_row = insert(models.StudyModel.__table__).values(study_name=name)
            (study_id,) = connection.execute(study_row).inserted_primary_key or (None,)
            for table, row in (
                (models.StudyDirectionModel.__table__, direction_row),
                (models.StudyUserAttributeModel.__table__, stamp_row),
            ):
                connection.execute(insert(table).values(study_id=study_id, **row))
    except IntegrityError:
        return  # another worker has created it meanwhile
    study = optuna.load_study(study_name=name, storage=database.storage)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names([f"validation {stamp.objective}"])
