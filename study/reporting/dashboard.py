"""Optuna's dashboard over our studies, for this machine alone, with a note on every run."""

import json
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

from training_factors.storage.database import Database, folder_of
from training_factors.study.reporting.dashboard_middleware import with_curves, with_notes

LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
"""What this machine calls itself."""

READ_METHODS = ("GET", "HEAD")

ARTIFACTS = "/artifacts/"
"""Below this lie files that came from anywhere."""

_LONGEST_REFUSED = 1 << 20
"""Bytes of a refused request that are read: who still writes does not see the answer."""

SECURITY_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Content-Security-Policy", "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
)
"""Added to what the page says itself; of several policies all hold."""

_AS_FILES = (
    ("Content-Disposition", "attachment"),
    ("Content-Security-Policy", "sandbox; default-src 'none'"),
)
"""So that HTML or SVG among the artifacts is never a page of this origin."""


class AccessRules(NamedTuple):
    """What is let through. port: of the server. writing: whether anything may be changed."""

    port: int
    writing: bool

    def refusal(self, environ: WSGIEnvironment) -> str | None:
        """Why a request is refused, in one line; None when it is let through."""
        host = str(environ.get("HTTP_HOST", "")).lower()
        if host not in self.hosts:
            return f"this page answers to {', '.join(sorted(self.hosts))} only"
        if environ["REQUEST_METHOD"] in READ_METHODS:
            return None
        if not self.writing:
            return "read-only; to change studies here, start dashboard with --write"
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and str(origin).lower() not in self.origins:
            return "a page of another origin may change nothing here"
        return None

    @property
    def hosts(self) -> set[str]:
        """What Host may be; browsers leave out port 80."""
        bare = set(LOCAL_NAMES) if self.port == 80 else set()
        return bare | {f"{name}:{self.port}" for name in LOCAL_NAMES}

    @property
    def origins(self) -> set[str]:
        """What Origin may be."""
        return {f"http://{host}" for host in self.hosts}


def with_access_control(application: WSGIApplication, gate: AccessRules) -> WSGIApplication:
    """The application behind a gate, its answers with the headers that browsers heed."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        reason = gate.refusal(environ)
        if reason is not None:
            return _refuse(environ, start_response, reason)
        is_file = str(environ.get("PATH_INFO", "")).startswith(ARTIFACTS)

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start_response(status, _with_ours(headers, is_file=is_file), *error)

        return application(environ, start)

    return answer


def _with_ours(headers: list[tuple[str, str]], *, is_file: bool) -> list[tuple[str, str]]:
    kept = [pair for pair in headers if pair[0].lower() != "access-control-allow-origin"]
    return [*kept, *SECURITY_HEADERS, *(_AS_FILES if is_file else ())]


def _refuse(
    environ: WSGIEnvironment, start_response: StartResponse, reason: str
) -> Iterable[bytes]:
    """403, with the reason where the dashboard looks for it."""
    length = str(environ.get("CONTENT_LENGTH") or "0")
    environ["wsgi.input"].read(min(int(length) if length.isdigit() else 0, _LONGEST_REFUSED))
    body = (json.dumps({"reason": reason}) + "\n").encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("403 Forbidden", [*headers, *SECURITY_HEADERS])
    return [body]


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


def application(database: Database, gate: AccessRules) -> WSGIApplication:
    """The dashboard of all studies in a database, behind a gate."""
    # Without Optuna's cache every look would read all trials again.
    storage = get_storage(database.storage)
    store = Artifacts(folder_of(database) / "artifacts")
    pages = with_notes(_with_bodies(optuna_dashboard.wsgi(storage, store)), storage)
    return with_access_control(with_curves(pages, storage), gate)


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
    server.set_app(application(database, AccessRules(server.server_port, writing)))
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
