"""Open Optuna studies that other programs have made, only to read them."""

from difflib import get_close_matches
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend

from training_factors.storage.database import NoDatabaseError, open_other_storage
from training_factors.storage.studies import NoStudyError
from training_factors.storage.urls import hide_password

MAX_LISTED = 10
"""Maximum number of studies that a message names."""


def open_other_study(place: str, name: str | None) -> optuna.Study:
    """Open a study of another program; nothing is changed in its storage.

    place: URL of a database, or the path of a journal file. name: None for the only study.

    Raises NoStudyError when there is no such study, NoDatabaseError when there is no database,
    ValueError for a place that cannot be read and for several studies without a name.
    """
    storage = _open_storage(place)
    place = hide_password(place) if "://" in place else place
    names = [study.study_name for study in storage.get_all_studies()]
    if name is None:
        if len(names) != 1:
            raise _unnamed(names, place)
        name = names[0]
    if name not in names:
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {_listed(names)}"
        raise NoStudyError(f"there is no study {name!r} in {place}; {hint}")
    return optuna.load_study(study_name=name, storage=storage)


def _open_storage(place: str) -> BaseStorage:
    if "://" in place:
        try:
            return open_other_storage(place)
        except NoDatabaseError:
            raise NoDatabaseError(
                f"there is no Optuna study in {hide_password(place)}; check the URL"
            ) from None
    path = Path(place)
    if not path.is_file():
        raise ValueError(
            f"{place!r} is neither the URL of a database nor a journal file; use "
            "sqlite:///FILE.db, postgresql://USER@HOST/NAME, or the path of a journal"
        )
    if path.read_bytes()[:15] == b"SQLite format 3":
        raise ValueError(f"{place!r} is an SQLite file; name it as sqlite:///{place}")
    try:
        return JournalStorage(JournalFileBackend(str(path)))
    except (ValueError, KeyError, TypeError) as error:
        # Optuna reads any line as JSON, and expects its own fields in it.
        raise ValueError(f"{place!r} is no journal of Optuna's") from error


def _unnamed(names: list[str], place: str) -> Exception:
    if not names:
        return NoStudyError(f"there is no study in {place}")
    return ValueError(f"there are several studies in {place}; name one: {_listed(names)}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return (", ".join(sorted(names)[:MAX_LISTED]) or "none") + more
