"""Keeping passwords of databases out of everything that is printed."""

import os
import sys
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote

HIDDEN = "***"

VARIABLES = ("STUDY_STORAGE", "OPTUNA_STORAGE")
"""Where a database's URL may stand besides the command line."""


def redacted(text: str) -> str:
    """The text without the password of any database that this process was told of."""
    for password in _passwords():
        plain = unquote(password)
        for form in (password, plain, quote(plain), quote(plain, safe=""), quote_plus(plain)):
            text = text.replace(form, HIDDEN)
    return text


def _passwords() -> Iterator[str]:
    for url in (*sys.argv, *(os.environ.get(name, "") for name in VARIABLES)):
        # Not by SQLAlchemy's reader, which gives up on what is not quite a URL.
        _, scheme, rest = url.removeprefix("--storage=").partition("://")
        user, at, _ = rest.rpartition("@")
        _, colon, password = user.partition(":")
        if scheme and at and colon and password:
            yield password
