"""Serve optuna-dashboard over all studies of a database, to this machine only.

The server listens on the loopback interface and checks every request (`AccessRules`): a web page
of another origin can neither read a study nor change one. `dashboard_middleware` adds the notes
and learning curves of trials.
"""

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
from training_factors.study.reporting.dashboard_middleware import with_curves, with_trial_notes

HOST = "127.0.0.1"
"""Address that the server listens on."""

LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine that a `Host` header may contain; others point to DNS rebinding."""

READ_METHODS = ("GET", "HEAD")
"""HTTP methods that change nothing."""

ARTIFACTS = "/artifacts/"
"""Path prefix of uploaded files, whose content is not trusted."""

SECURITY_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Content-Security-Policy", "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
)
"""Headers added to every response; browsers enforce all policies that they receive."""

ARTIFACT_HEADERS = (
    ("Content-Disposition", "attachment"),
    ("Content-Security-Policy", "sandbox; default-src 'none'"),
)
"""Headers added to artifacts, so that a browser never runs uploaded HTML or SVG as our page."""

MAX_REFUSED_BYTES = 1 << 20
"""Maximum number of bytes that are read of a refused request's body.

Without reading it, a client that is still sending would not see the response.
"""


class AccessRules(NamedTuple):
    """The rules that decide which requests are answered.

    port: the server listens on it. writing: whether studies may be changed.
    """

    port: int
    writing: bool

    def refusal(self, environ: WSGIEnvironment) -> str | None:
        """Return the reason to refuse a request, in one line; None to answer it."""
        host = str(environ.get("HTTP_HOST", "")).lower()
        if host not in self.hosts:
            return f"open this dashboard at one of these addresses: {', '.join(sorted(self.hosts))}"
        if environ["REQUEST_METHOD"] in READ_METHODS:
            return None
        if not self.writing:
            return (
                "the dashboard is read-only; to change studies here, start dashboard with --write"
            )
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and str(origin).lower() not in self.origins:
            return "a page of another origin may not change studies"
        return None

    @property
    def hosts(self) -> set[str]:
        """Accepted values of the `Host` header; browsers leave out port 80."""
        without_port = set(LOCAL_NAMES) if self.port == 80 else set()
        return without_port | {f"{name}:{self.port}" for name in LOCAL_NAMES}

    @property
    def origins(self) -> set[str]:
        """Accepted values of the `Origin` header."""
        return {f"http://{host}" for host in self.hosts}


def open_server(database: Database, port: int, *, writing: bool) -> WSGIServer:
    """Return a server that listens; call its `serve_forever` to answer requests.

    port: 0 picks a free one, see `server_port`. writing: whether studies may be changed.

    Raises OSError when the port is taken.
    """
    server = _Server((HOST, port), _Handler)
    server.set_app(_application(database, AccessRules(server.server_port, writing)))
    return server


def preload_study(port: int, study_id: int) -> None:
    """Request a study in the background, so that it is in the server's cache for the first visitor.

    The server must listen at this port, but need not answer requests yet.
    """

    def request_study() -> None:
        for path in (f"/api/studies/{study_id}", f"/api/studies/{study_id}/param_importances"):
            with suppress(OSError, HTTPException):
                connection = HTTPConnection(HOST, port)
                connection.request("GET", path)
                connection.getresponse().read()
                connection.close()

    Thread(target=request_study, daemon=True).start()


def _application(database: Database, rules: AccessRules) -> WSGIApplication:
    """Return optuna-dashboard behind all middleware."""
    # Without Optuna's cache every request would read all trials again.
    storage = get_storage(database.storage)
    artifacts = ArtifactStore(folder_of(database) / "artifacts")
    dashboard = _without_empty_bodies(optuna_dashboard.wsgi(storage, artifacts))
    return with_access_control(with_curves(with_trial_notes(dashboard, storage), storage), rules)


def with_access_control(application: WSGIApplication, rules: AccessRules) -> WSGIApplication:
    """Return middleware that refuses requests by the rules and adds security headers."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        reason = rules.refusal(environ)
        if reason is not None:
            return _refuse(environ, start_response, reason)
        is_artifact = str(environ.get("PATH_INFO", "")).startswith(ARTIFACTS)

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start_response(status, _secure(headers, is_artifact=is_artifact), *error)

        return application(environ, start)

    return answer


def _secure(headers: list[tuple[str, str]], *, is_artifact: bool) -> list[tuple[str, str]]:
    """Return the headers with ours added, and without the permission for other origins to read."""
    kept = [pair for pair in headers if pair[0].lower() != "access-control-allow-origin"]
    return [*kept, *SECURITY_HEADERS, *(ARTIFACT_HEADERS if is_artifact else ())]


def _refuse(
    environ: WSGIEnvironment, start_response: StartResponse, reason: str
) -> Iterable[bytes]:
    """Respond with status 403 and the reason as JSON, which the dashboard's page shows."""
    length = str(environ.get("CONTENT_LENGTH") or "0")
    environ["wsgi.input"].read(min(int(length) if length.isdigit() else 0, MAX_REFUSED_BYTES))
    body = (json.dumps({"reason": reason}) + "\n").encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("403 Forbidden", [*headers, *SECURITY_HEADERS])
    return [body]


def _without_empty_bodies(application: WSGIApplication) -> WSGIApplication:
    """Return middleware that turns empty responses (204) into `{}`.

    The page of optuna-dashboard 0.21 parses every response as JSON; it reports an empty one as a
    failure to save.
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


class ArtifactStore(NamedTuple):
    """Optuna's store of uploaded files, in a folder that is created on the first upload."""

    folder: Path

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open the file with this id."""
        return self._store.open_reader(artifact_id)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Write a file under this id."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._store.write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        """Delete the file with this id."""
        self._store.remove(artifact_id)

    @property
    def _store(self) -> FileSystemArtifactStore:
        return FileSystemArtifactStore(self.folder)


class _Server(ThreadingMixIn, WSGIServer):
    """A server with one daemon thread per request, so that open requests do not delay its end."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a closed connection is normal, and the application logs its own errors."""


class _Handler(WSGIRequestHandler):
    """A request handler that does not log requests."""

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""
