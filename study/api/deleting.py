"""Delete a study and its confirmation: what would go, whether it may go, and the deletion."""

from pathlib import Path
from typing import NamedTuple

from rich.filesize import decimal

from training_factors.storage import deletion
from training_factors.storage.database import open_database
from training_factors.storage.run_queue import StudyGoneError
from training_factors.storage.studies import Study, find_confirmation, load_study
from training_factors.study.api.command_lines import command_line
from training_factors.study.api.opening import database_url
from training_factors.study.api.study_files import delete_own_files, files_of
from training_factors.study.reporting.formatting import plural
from training_factors.study.reporting.status import compute_status


class Deletion(NamedTuple):
    """The parts of a study and its confirmation that are deleted, or would be.

    runs: name of each study -> number of its runs that have begun. folders: those of the studies
    that exist. files: of these folders, those that this tool has written. size: of all files, in
    bytes. foreign: other files of these folders, which are kept. locked: files that could not be
    deleted, each with the reason; empty before the deletion.
    """

    runs: dict[str, int]
    folders: tuple[Path, ...]
    files: tuple[Path, ...]
    size: int
    foreign: tuple[Path, ...] = ()
    locked: tuple[tuple[Path, str], ...] = ()

    @property
    def words(self) -> str:
        """Return `digits-mlp (177 runs), digits-mlp.confirm (90 runs), 61 files (8.2 MB)`."""
        studies = [f"{name} ({plural(count, 'run')})" for name, count in self.runs.items()]
        if self.files:
            studies.append(f"{plural(len(self.files), 'file')} ({decimal(self.size)})")
        return ", ".join(studies)


def open_named(name: str, storage: str | None) -> Study:
    """Open the study that has this very name, to change it.

    Raises NoStudyError if there is none, ValueError if it was renamed: what has that name by now
    may not be what is meant.
    """
    study = load_study(open_database(database_url(storage)), name)
    if study.name != name:
        raise ValueError(f"study {name!r} is called {study.name!r} by now; name it so")
    return study


def plan_deletion(study: Study, storage: str | None) -> Deletion:
    """Return what would be deleted with a study, which includes its confirmation.

    storage: the database's URL as the user gave it. Raises ValueError while workers run the study.
    """
    studies = _with_confirmation(study)
    runs: dict[str, int] = {}
    for each in studies:
        status = compute_status(each)
        if status.at_work:
            verb = "trains" if status.at_work == 1 else "train"
            raise ValueError(
                f"{plural(status.at_work, 'worker')} still {verb} {each.name}; ask them to stop, "
                f"and delete it once they have: {command_line('stop', study, storage)}"
            )
        runs[each.name] = sum(status.states.values())
    folders = [each.folder for each in studies if each.folder.is_dir()]
    found = [files_of(folder) for folder in folders]
    own = [path for files in found for path in files.own]
    foreign = [path for files in found for path in files.foreign]
    size = sum(path.lstat().st_size for path in own)
    return Deletion(runs, tuple(folders), tuple(own), size, tuple(foreign))


def delete_study(study: Study, storage: str | None = None) -> Deletion:
    """Delete a study, its confirmation, and the files that this tool has written for them.

    storage: the database's URL as the user gave it. Returns what was deleted.

    Raises ValueError while workers run the study, StudyGoneError if somebody else deleted it.
    """
    planned = plan_deletion(study, storage)
    for each in reversed(_with_confirmation(study)):
        is_deleted = deletion.delete_study(each.database, each.study_id, each.key)
        if each.key == study.key and not is_deleted:
            raise StudyGoneError(f"study {study.name!r} was deleted or renamed meanwhile")
    locked = [failed for folder in planned.folders for failed in delete_own_files(folder)]
    return planned._replace(locked=tuple(locked))


def _with_confirmation(study: Study) -> list[Study]:
    confirmation = None if study.is_confirmation else find_confirmation(study)
    return [study] if confirmation is None else [study, confirmation]
