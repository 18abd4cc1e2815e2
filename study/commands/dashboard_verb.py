"""The verb that serves optuna-dashboard with our chart, verdict and notes."""

import os
import signal
import sys
import warnings
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from training_factors.study.api.opening import database_url
from training_factors.study.api.publishing import publish_cached
from training_factors.study.commands.app import CommandError, app, verb_context
from training_factors.study.commands.options import StorageUrl, StudyName

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from training_factors.storage.database import Database
    from training_factors.storage.studies import Study


@app.command()
def dashboard(
    study: StudyName = None,
    storage: StorageUrl = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port; 0 for any free one.", show_default=True)
    ] = 8080,
    write: Annotated[
        bool, typer.Option("--write", help="Allow the page to change and delete studies.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Serve optuna-dashboard for all studies of a database, with our chart and verdict."""
    # Optuna's importance warns about every parameter that few runs had, each time it is computed.
    warnings.filterwarnings("ignore", category=UserWarning)
    with verb_context(), _until_interrupted():
        from training_factors.storage.database import open_database
        from training_factors.study.reporting.dashboard import preload_study

        database = open_database(database_url(storage), reading=not write)
        shown = _study_to_show(database, study)
        with (
            _open_server(database, port, write) as server,
            _charts_kept_published(database, storage),
        ):
            listed = [shown] if shown is not None and study is not None else _studies(database)
            _publish_cached_answers(listed)
            page = f"http://127.0.0.1:{server.server_port}/dashboard"
            if shown is not None:
                page += f"/studies/{shown.study_id}"
                preload_study(server.server_port, shown.study_id)
            mode = "writable" if write else "read-only"
            print(f"{page}  ({mode}; Ctrl-C ends it)", flush=True)
            if open_ and not webbrowser.open(page):
                print(f"no browser can be opened here; open {page} by hand", file=sys.stderr)
            server.serve_forever()


@contextmanager
def _until_interrupted() -> Iterator[None]:
    """Leave the block normally on Ctrl-C or SIGTERM: that is how a server ends."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def _study_to_show(database: "Database", name: str | None) -> "Study | None":
    """Return the study that is named, or the only one; None to show the list of studies."""
    from training_factors.storage.studies import load_study, main_study_names

    is_single = len(main_study_names(database)) == 1
    return load_study(database, name) if name is not None or is_single else None


def _studies(database: "Database") -> "list[Study]":
    from training_factors.storage.studies import load_study, main_study_names

    return [load_study(database, name) for name in main_study_names(database)]


def _open_server(database: "Database", port: int, write: bool) -> "WSGIServer":
    from training_factors.study.reporting.dashboard import open_server

    try:
        return open_server(database, port, writing=write)
    except OSError as error:
        raise CommandError(
            f"port {port} cannot be used ({error.strerror}); name another with --port, "
            "or 0 for any that is free",
            2,
        ) from error


def _publish_cached_answers(studies: "Sequence[Study]") -> None:
    """Publish the cached answer of each study; print which studies have none yet."""
    missing = [study for study in studies if not publish_cached(study)]
    if missing:
        names = ", ".join(study.name for study in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        print(
            f"no importance computed yet for {names}{more}; the chart appears once enough runs "
            "have ended",
            file=sys.stderr,
        )


@contextmanager
def _charts_kept_published(database: "Database", storage: str | None) -> Iterator[None]:
    """Keep the charts of all studies up to date within the block, in a process of its own."""
    if database.is_read_only:
        yield
        return
    from training_factors.storage.database import folder_of
    from training_factors.study.running.processes import StartedProcess

    words = ["publish-process", "--parent", str(os.getpid())]
    log = folder_of(database) / "dashboard.log"
    process = StartedProcess("publisher", words, log, database_url(storage))
    try:
        yield
    finally:
        process.kill()
        process.join()
