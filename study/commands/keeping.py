"""Verbs that look after studies and their databases: doctor."""

import typer

from study.commands import starting
from study.commands.app import app, refusing, show
from study.commands.options import Json, Storage


@app.command()
def doctor(storage: Storage = None, as_json: Json = False) -> None:
    """Check database, disk, device, clock, versions and files; say what to do."""
    with refusing():
        from storage.database import open_database
        from study.reporting import diagnosis as drawing
        from study.running.diagnosis import BAD, diagnose

        database = open_database(starting.url(storage), reading=True)
        checks = diagnose(database)
    show(drawing.as_document(checks) if as_json else drawing.draw(checks))
    if any(check.state == BAD for check in checks):
        raise typer.Exit(1)
