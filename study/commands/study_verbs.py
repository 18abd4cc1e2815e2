"""Commands about studies and their workers: status, list, stop, delete, doctor.

None of them trains.
"""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from training_factors.study.api.opening import database_url
from training_factors.study.commands.app import CommandError, app, open_study, show, verb_context
from training_factors.study.commands.options import Json, StorageUrl, StudyName

if TYPE_CHECKING:
    from training_factors.study.api.deleting import Deletion


@app.command()
def status(study: StudyName = None, storage: StorageUrl = None, as_json: Json = False) -> None:
    """Show the progress of a study and of its confirmation: runs, workers, failures, best run."""
    with verb_context():
        from training_factors.study.api.explaining import explain_statuses
        from training_factors.study.reporting.status import draw_status, status_document

        found, *confirmations = explain_statuses(open_study(study, storage), storage)
    if as_json:
        more = [status_document(each.status, each.explanations) for each in confirmations]
        document = status_document(found.status, found.explanations)
        show({**document, "confirmation": more[0] if more else None})
        return
    show(draw_status(*found))
    for each in confirmations:
        show("")
        show(draw_status(*each))


@app.command("list")
def list_(storage: StorageUrl = None, as_json: Json = False) -> None:
    """List all studies of a database."""
    with verb_context():
        from training_factors.storage.database import open_database
        from training_factors.storage.studies import load_study, study_names
        from training_factors.study.reporting.status import (
            compute_status,
            draw_study_list,
            status_document,
        )

        database = open_database(database_url(storage), reading=True)
        studies = [compute_status(load_study(database, name)) for name in study_names(database)]
    if as_json:
        show({"schema": 1, "studies": [status_document(one) for one in studies]})
    else:
        show(draw_study_list(studies))


@app.command()
def stop(study: StudyName = None, storage: StorageUrl = None) -> None:
    """Ask all workers of a study, on every machine, to stop after the current epoch."""
    with verb_context():
        from training_factors.storage.stop_requests import request_stop
        from training_factors.storage.studies import find_confirmation

        opened = open_study(study, storage, reading=False)
        confirmation = find_confirmation(opened)
        workers = 0
        for one in (opened, confirmation):
            if one is not None:
                request_stop(one)
                workers += len(one.queue.active_claims())
    have = "has" if workers == 1 else "have"
    print(
        f"asked all workers of {opened.name} to stop, {workers} of them {have} a run; "
        "status shows which still run"
    )


@app.command()
def delete(
    study: Annotated[
        str | None, typer.Option("--study", help="Name of the study or of the confirmation.")
    ] = None,
    storage: StorageUrl = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a study with its confirmation, runs, answers and the files in its folder."""
    with verb_context():
        from training_factors.study.api import deleting

        if study is None:
            raise ValueError("delete needs the name of the study: --study NAME; see list")
        opened = deleting.open_named(study, storage)
        planned = deleting.plan_deletion(opened, storage)
        if not yes and not _is_confirmed(planned):
            print("nothing is deleted", file=sys.stderr)
            return
        deleted = deleting.delete_study(opened, storage)
    print(f"deleted {deleted.words}")
    _say_kept(deleted)


def _is_confirmed(planned: "Deletion") -> bool:
    """Ask on the terminal whether to delete; return the answer.

    Raises CommandError where nobody can be asked.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CommandError(f"delete asks on a terminal only; --yes deletes {planned.words}", 2)
    from rich.prompt import Confirm

    from training_factors.study.reporting.formatting import open_console

    for folder in planned.folders:
        print(f"folder: {folder}", file=sys.stderr)
    try:
        return Confirm.ask(
            f"delete {planned.words} for good?", console=open_console(stderr=True), default=False
        )
    except EOFError:
        return False


def _say_kept(deleted: "Deletion") -> None:
    """Print which files are left in the folders. Raises CommandError if some should not be."""
    for path in deleted.foreign:
        print(f"kept, since it may be yours: {path}")
    if deleted.locked:
        reasons = ", ".join(f"{path} ({reason})" for path, reason in deleted.locked)
        raise CommandError(f"cannot be deleted, so delete by hand: {reasons}", 3)


@app.command()
def doctor(storage: StorageUrl = None, as_json: Json = False) -> None:
    """Check database, disk, device, clock, versions and files, with a remedy for each problem."""
    with verb_context():
        from training_factors.study.reporting.doctor_table import checks_document, draw_checks
        from training_factors.study.running.doctor import BAD, diagnose

        checks = diagnose(database_url(storage))
    show(checks_document(checks) if as_json else draw_checks(checks))
    if any(check.state == BAD for check in checks):
        raise typer.Exit(1)
