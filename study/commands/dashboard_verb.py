"""Verbs that show a study while it goes on and afterwards: dashboard."""

import signal
import sys
import warnings
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from training_factors.study.commands import command_lines, study_loading
from training_factors.study.commands.app import RefusedError, app, refusing
from training_factors.study.commands.options import StorageUrl, StudyName


@app.command()
def dashboard(
    study: StudyName = None,
    storage: StorageUrl = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0: any that is free.", show_default=True)
    ] = 8080,
    write: Annotated[
        bool, typer.Option("--write", help="Let the page change and delete studies.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
) -> None:
    """Optuna's dashboard over all studies of a database, with our chart, verdict and notes."""
    # Optuna's importance warns of every parameter that few runs had, at every look.
    warnings.filterwarnings("ignore", category=UserWarning)
    with _until_interrupted(), refusing():
        from training_factors.storage.database import open_database
        from training_factors.study.reporting.dashboard import warm

        database = open_database(study_loading.url(storage), reading=not write)
        shown = _shown(database, study)
        with _listen(database, port, write) as server:
            _publish_all([shown] if study is not None else _studies(database), storage)
            page = f"http://127.0.0.1:{server.server_port}/dashboard"
            if shown is not None:
                page += f"/studies/{shown.study_id}"
                warm(server.server_port, shown.study_id)
            mode = "can be changed" if write else "read-only"
            print(f"{page}  ({mode}; Ctrl-C ends it)", flush=True)
            if open_ and not webbrowser.open(page):
                print(f"no browser can be opened here; open {page} by hand", file=sys.stderr)
            server.serve_forever()


@contextmanager
def _until_interrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM are how this ends, not how it fails."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def _shown(database: Any, name: str | None) -> Any:
    """The study whose page is shown: the one that is named, or the only one; None for the list."""
    from training_factors.storage.studies import load_study

    own = _own(database)
    return load_study(database, name) if name is not None or len(own) == 1 else None


def _own(database: Any) -> list[str]:
    """The names of studies but for those that confirm another one."""
    from training_factors.storage.studies import CONFIRMATION, study_names

    return [name for name in study_names(database) if not name.endswith(CONFIRMATION)]


def _studies(database: Any) -> list[Any]:
    from training_factors.storage.studies import load_study

    return [load_study(database, name) for name in _own(database)]


def _listen(database: Any, port: int, write: bool) -> Any:
    from training_factors.study.reporting.dashboard import open_server

    try:
        return open_server(database, port, writing=write)
    except OSError as error:
        raise RefusedError(
            f"port {port} cannot be used ({error.strerror}); name another with --port, "
            "or 0 for any that is free",
            2,
        ) from error


def _publish_all(studies: list[Any], storage: str | None) -> None:
    """Keep chart and verdict with every study that is analysed; name those that are not."""
    missing = [study for study in studies if not publish_cached_answer(study)]
    if missing:
        names = ", ".join(study.name for study in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        line = command_lines.command_line("importance", missing[0], storage)
        print(f"no importance is known yet of {names}{more}: {line}", file=sys.stderr)


def publish_cached_answer(study: Any) -> bool:
    """Keep chart and verdict with a study whose analysis is kept; False where there is none."""
    from training_factors.storage.retry import StorageUnavailableError
    from training_factors.study.reporting.analyses import stored_answer

    try:
        answer = stored_answer(study)
    except StorageUnavailableError:
        return False  # where it would be kept cannot even be made
    if answer is not None:
        publish_answer(study, answer)
    return answer is not None


def publish_answer(study: Any, answer: Any) -> None:
    """Keep chart and verdict with a study, for the dashboard; say so where that cannot be done.

    What was asked for is answered without it, so that it is no failure.
    """
    from training_factors.storage.retry import StorageUnavailableError
    from training_factors.study.reporting import dashboard_notes
    from training_factors.study.reporting.dashboard_notes import study_note

    try:
        dashboard_notes.save_to_dashboard(
            study, dashboard_notes.dashboard_figure(answer), study_note(answer, study.name)
        )
    except (StorageUnavailableError, ValueError) as error:
        print(f"the dashboard's chart and note stay as they are: {error}", file=sys.stderr)
