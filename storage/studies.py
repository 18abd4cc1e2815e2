"""Create, find and open the studies of a database.

A study is identified by a random key, which is stored with it. Everything that other tables hold of
it is bound to that key: Optuna's id and the name of a deleted study are given to new ones, and a
study that is renamed in the dashboard gets another id.
"""

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
from sqlalchemy import Table, delete, insert, select
from sqlalchemy.exc import IntegrityError

from training_factors.storage.database import Database, folder_of
from training_factors.storage.deletion import clear_deleted
from training_factors.storage.identity import (
    BOUND_TO,
    CONFIRMS,
    CREATED_AS,
    ensure_own_queue,
    new_key,
    upgrade_study,
    write_attributes,
)
from training_factors.storage.retry import retry
from training_factors.storage.run_queue import RunQueue, open_queue
from training_factors.storage.stamp import Stamp, read_stamp
from training_factors.storage.tables import STUDY_KEY

_STAMP = "stamp"
"""Key of the study attribute that holds the stamp; only studies of this tool have it."""

MAX_NAME_LENGTH = 64
"""Maximum number of characters in the name of a study."""

CONFIRMATION_SUFFIX = ".confirm"
"""Suffix of the names of studies that confirm another one, and of no others."""


class Study(NamedTuple):
    """An open study: Optuna's study, its run queue and its stamp.

    study_id: Optuna's. key: the study's own, random. confirms: key of the study that this one
    confirms; None if it confirms none.
    """

    name: str
    database: Database
    optuna_study: optuna.Study
    study_id: int
    key: str
    confirms: str | None
    queue: RunQueue
    stamp: Stamp

    @property
    def is_confirmation(self) -> bool:
        """Return whether the study confirms another one."""
        return self.confirms is not None

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
    if not name.isprintable() or not name.strip() or len(name) > MAX_NAME_LENGTH:
        shown = name if len(name) <= 20 else f"{name[:20]}…"
        raise ValueError(
            f"study name {shown!r} must be 1 to {MAX_NAME_LENGTH} printable characters, not only "
            f"spaces (it has {len(name)})"
        )
    if name.startswith("-"):
        raise ValueError(f"study name {name!r} must not begin with '-', as options do")


def study_names(database: Database) -> list[str]:
    """Return the sorted names of this tool's studies in a database, confirmations among them."""
    return _names_with(database, _STAMP)


def main_study_names(database: Database) -> list[str]:
    """Return the sorted names of this tool's studies that do not confirm another one."""
    confirming = set(_names_with(database, CONFIRMS))
    return [
        name
        for name in study_names(database)
        if name not in confirming and not name.endswith(CONFIRMATION_SUFFIX)
    ]


def create_study(
    database: Database,
    name: str,
    stamp: Stamp,
    confirms: str | None = None,
    key: str | None = None,
) -> Study:
    """Create a study that maximizes the stamp's objective; open it if it exists already.

    confirms: key of the study that it confirms. key: its own, by which the caller can tell whether
    this call created it; None draws one.

    Raises ValueError if a study must not have this name, or one of another tool has it.
    """
    check_name(name)
    if name not in _all_names(database):
        retry(database, lambda is_retry: _insert_study(database, name, stamp, confirms, key))
    created = _open_named(database, name)
    assert created is not None
    return created


def find_study(database: Database, name: str) -> Study | None:
    """Open the study of this name, or the one that had it until it was renamed; None without any.

    Raises ValueError if the study was not made by this tool, or several were created as this one.
    """
    study = _open_named(database, name)
    if study is not None:
        return study
    renamed = _names_with(database, CREATED_AS, name)
    if len(renamed) > 1:
        raise ValueError(
            f"study {name!r} was renamed or copied; name one of: {', '.join(renamed[:10])}"
        )
    return _open_named(database, renamed[0]) if renamed else None


def find_confirmation(study: Study) -> Study | None:
    """Open the study that confirms this one, whatever its name; return None if there is none."""
    names = _names_with(study.database, CONFIRMS, study.key)
    return _open_named(study.database, names[0]) if names else None


def find_confirmed(confirmation: Study) -> Study | None:
    """Open the study that this one confirms; return None if it was deleted."""
    database = confirmation.database
    names = _names_with(database, STUDY_KEY, confirmation.confirms)
    return _open_named(database, names[0]) if names else None


def create_confirmation(study: Study) -> Study:
    """Create the study that confirms this one; open it if it exists already."""
    found = find_confirmation(study)
    if found is not None:
        return found
    name = f"{study.name}{CONFIRMATION_SUFFIX}"
    if name in _all_names(study.database):  # it confirms a study of this name that was deleted
        name = f"{study.name[:40]}.{study.key[:6]}{CONFIRMATION_SUFFIX}"
    return create_study(study.database, name, study.stamp, study.key)


def load_study(database: Database, name: str | None) -> Study:
    """Open the study of this name; None means the only study, apart from its confirmation.

    Raises NoStudyError if there is none, ValueError if there are several or if the study was not
    made by this tool.
    """
    names = study_names(database)
    if name is None:
        candidates = main_study_names(database)
        if len(candidates) > 1:
            raise ValueError(
                f"there are several studies; name one of: {', '.join(candidates[:10])}"
            )
        if not candidates:
            raise NoStudyError(
                f"there is no study{_others(database)} in {database.url}; start one with run, or "
                "name another --storage"
            )
        name = candidates[0]
    study = find_study(database, name)
    if study is not None:
        return study
    if not names:
        hint = f"it has none{_others(database)}; start one with run"
    elif similar := get_close_matches(name, names, n=1):
        hint = f"did you mean {similar[0]!r}?"
    else:
        hint = f"its studies: {', '.join(names[:10])}"
    raise NoStudyError(f"there is no study {name!r} in {database.url}; {hint}")


def _others(database: Database) -> str:
    """Return words on the studies of other programs, if there are any, and none of this tool."""
    own = set(study_names(database))
    names = [name for name in _all_names(database) if name not in own]
    if not names or own:
        return ""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f" of this tool (only {names[0][:40]!r}{more} of another)"


def _all_names(database: Database) -> list[str]:
    """Return the names of all studies of Optuna's in a database, other programs' included."""
    return retry(database, lambda is_retry: optuna.get_all_study_names(storage=database.storage))


def _names_with(database: Database, attribute: str, value: str | None = None) -> list[str]:
    """Return the sorted names of the studies with this attribute. value: None for any value."""
    studies = models.StudyModel.__table__
    attributes = models.StudyUserAttributeModel.__table__
    query = (
        select(studies.c.study_name)
        .join(attributes, attributes.c.study_id == studies.c.study_id)
        .where(attributes.c.key == attribute)
    )
    if value is not None:
        query = query.where(attributes.c.value_json == json.dumps(value))

    def attempt(is_retry: bool) -> list[str]:
        with database.engine.connect() as connection:
            return sorted(connection.execute(query).scalars())

    return retry(database, attempt)


def _open_named(database: Database, name: str) -> Study | None:
    if name not in _all_names(database):
        return None
    return retry(database, lambda is_retry: _open(database, name))


def _open(database: Database, name: str) -> Study:
    study = optuna.load_study(study_name=name, storage=database.storage)
    study_id = database.storage.get_study_id_from_name(name)
    attributes = study.user_attrs
    if _STAMP not in attributes:
        raise ValueError(f"study {name!r} was not made by this tool; choose another --study")
    if STUDY_KEY not in attributes:
        _upgrade(database, study_id, name)
        attributes = study.user_attrs
    queue = open_queue(database, study_id, attributes[STUDY_KEY])
    key = ensure_own_queue(database, study_id, attributes)
    return Study(
        name,
        database,
        study,
        study_id,
        key,
        attributes.get(CONFIRMS),
        queue._replace(key=key),
        read_stamp(attributes[_STAMP]),
    )


def _upgrade(database: Database, study_id: int, name: str) -> None:
    """Give a study of an earlier version its key, and what it confirms or its confirmation."""
    if not name.endswith(CONFIRMATION_SUFFIX):
        key = upgrade_study(database, study_id, name)
        confirmation = f"{name}{CONFIRMATION_SUFFIX}"
        if confirmation in _names_with(database, _STAMP):
            confirmation_id = database.storage.get_study_id_from_name(confirmation)
            upgrade_study(database, confirmation_id, confirmation, confirms=key)
        return
    confirmed = name.removesuffix(CONFIRMATION_SUFFIX)
    if confirmed in _names_with(database, _STAMP):
        _open(database, confirmed)
    upgrade_study(database, study_id, name, confirms="")  # unless that has just been done


def _insert_study(
    database: Database, name: str, stamp: Stamp, confirms: str | None, key: str | None
) -> None:
    """Insert a study and its stamp in one transaction, so that no study lacks its stamp.

    Deletes what other studies, deleted since, have left behind.
    """
    attributes = {_STAMP: stamp.as_document(), STUDY_KEY: key or new_key(), CREATED_AS: name}
    if confirms is not None:
        attributes[CONFIRMS] = confirms
    clear_deleted(database)
    trials: Table = models.TrialModel.__table__
    try:
        with database.engine.begin() as connection:
            study_row = insert(models.StudyModel.__table__).values(study_name=name)
            (study_id,) = connection.execute(study_row).inserted_primary_key or (None,)
            assert isinstance(study_id, int)
            direction = {"direction": StudyDirection.MAXIMIZE, "objective": 0}
            connection.execute(
                insert(models.StudyDirectionModel.__table__).values(study_id=study_id, **direction)
            )
            write_attributes(connection, study_id, {**attributes, BOUND_TO: study_id})
            # Left by a study of the same id, to which workers wrote while Optuna deleted it.
            connection.execute(delete(trials).where(trials.c.study_id == study_id))
    except IntegrityError:
        return  # another worker has created it meanwhile
    study = optuna.load_study(study_name=name, storage=database.storage)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names([f"validation {stamp.objective}"])
