"""Optuna's dashboard over our studies, for this machine alone, with a note on every run."""

from collections.abc import Iterable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any, BinaryIO, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import optuna_dashboard
from optuna.artifacts import FileSystemArtifactStore
from optuna.storages import get_storage

from storage.database import Database, folder_of
from study.reporting.details import with_notes
from study.reporting.gate import Gate, guarded
from study.reporting.trial_curve import with_curves

HOST = "127.0.0.1"


class Artifacts(NamedTuple):
    """Files that belong to studies and trials; their folder is made with the first of them."""

    folder: Path

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """The file of this id."""
        return self._store.open_reader(artifact_id)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Keep a file under this id."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._store.write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        """Delete the file of this id."""
        self._store.remove(artifact_id)

    @property
    def _store(self) -> FileSystemArtifactStore:
        return FileSystemArtifactStore(self.folder)


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for every request; none of them keeps the process from ending."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a browser that has left is no news, and the application says what it has."""


class _Handler(WSGIRequestHandler):
    """Without a line on standard error for every request."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def application(database: Database, gate: Gate) -> WSGIApplication:
    """The dashboard of all studies in a database, behind a gate."""
    # Without Optuna's cache every look would read all trials again.
    storage = get_storage(database.storage)
    store = Artifacts(folder_of(database) / "artifacts")
    pages = with_notes(_with_bodies(optuna_dashboard.wsgi(storage, store)), storage)
    return guarded(with_curves(pages, storage), gate)


def _with_bodies(application: WSGIApplication) -> WSGIApplication:
    """The application with `{}` where it answers that all is well and nothing else.

    The page of 0.21 reads JSON from every answer: without any, what was saved looks as if it was
    not.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        is_empty: list[bool] = []

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            is_empty.append(status.startswith("204"))
            if not is_empty[-1]:
                return start_response(status, headers, *error)
            return start_response("200 OK", [("Content-Type", "application/json")], *error)

        body = application(environ, start)
        return [b"{}"] if is_empty and is_empty[-1] else body

    return answer


def open_server(database: Database, port: int, *, writing: bool) -> WSGIServer:
    """A server that listens; port: 0 for any that is free. Its address is `server_address`.

    Raises OSError when the port is taken.
    """
    server = _Server((HOST, port), _Handler)
    server.set_app(application(database, Gate(server.server_port, writing)))
    return server


def warm(port: int, study_id: int) -> None:
    """Have a study read while nobody looks yet; the server at this port need not serve so far."""

    def ask() -> None:
        for path in (f"/api/studies/{study_id}", f"/api/studies/{study_id}/param_importances"):
            with suppress(OSError, HTTPException):
                connection = HTTPConnection(HOST, port)
                connection.request("GET", path)
                connection.getresponse().read()
                connection.close()

    Thread(target=ask, daemon=True).start()
