"""Who may ask what of a page that is served on this machine: a layer of WSGI before it.

Whatever runs in a browser here can reach 127.0.0.1, other people's pages too. A foreign page that
has its own name point to 127.0.0.1 (DNS rebinding) is known by its Host header, one that only
sends requests by its Origin header; neither can change them.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

NAMES = ("127.0.0.1", "localhost", "[::1]")
"""What this machine calls itself."""

READING = ("GET", "HEAD")

ARTIFACTS = "/artifacts/"
"""Below this lie files that came from anywhere."""

_LONGEST_REFUSED = 1 << 20
"""Bytes of a refused request that are read: who still writes does not see the answer."""

HEADERS = (
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


class Gate(NamedTuple):
    """What is let through. port: of the server. writing: whether anything may be changed."""

    port: int
    writing: bool

    def refusal(self, environ: WSGIEnvironment) -> str | None:
        """Why a request is refused, in one line; None when it is let through."""
        host = str(environ.get("HTTP_HOST", "")).lower()
        if host not in self.hosts:
            return f"this page answers to {', '.join(sorted(self.hosts))} only"
        if environ["REQUEST_METHOD"] in READING:
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
        bare = set(NAMES) if self.port == 80 else set()
        return bare | {f"{name}:{self.port}" for name in NAMES}

    @property
    def origins(self) -> set[str]:
        """What Origin may be."""
        return {f"http://{host}" for host in self.hosts}


def guarded(application: WSGIApplication, gate: Gate) -> WSGIApplication:
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
    return [*kept, *HEADERS, *(_AS_FILES if is_file else ())]


def _refuse(
    environ: WSGIEnvironment, start_response: StartResponse, reason: str
) -> Iterable[bytes]:
    """403, with the reason where the dashboard looks for it."""
    length = str(environ.get("CONTENT_LENGTH") or "0")
    environ["wsgi.input"].read(min(int(length) if length.isdigit() else 0, _LONGEST_REFUSED))
    body = (json.dumps({"reason": reason}) + "\n").encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("403 Forbidden", [*headers, *HEADERS])
    return [body]
