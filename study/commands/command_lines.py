"""Command lines to paste: how this program was called, and what to call next."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
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


def next_command(study: Any, storage: str | None, more_rows: int | None) -> str:
    """The next command: more rows where they would settle something, else the confirmation."""
    from training_factors.study.running.settings import PRESETS

    measured = study.queue.progress().get("measure")
    rows = measured.total if measured else 0
    sizes = [name for name, preset in PRESETS.items() if preset.measure > rows]
    if more_rows and sizes:
        return command_line("run", study, storage, "--preset", sizes[0])
    return command_line("confirm", study, storage)


def command_line(verb: str, study: Any, storage: str | None, *options: str) -> str:
    """A command line to paste."""
    words = [verb] if verb != "run" else []
    # A URL with a password stands in the environment, or is asked for there.
    is_open = storage and HIDDEN not in study.database.url and not _from_environment(storage)
    if study.stamp.code and verb != "recommend":
        options = (*options, "--allow-code")
    place = ["--storage", study.database.url] if is_open else []
    return shlex.join([*program_words(), *words, "--study", study.name, *options, *place])


def this_command() -> str:
    """The command line that this process was called with; without a URL that holds a password."""
    words: list[str] = []
    for word in sys.argv[1:]:
        if redacted(word) != word:
            if words and words[-1] == "--storage":
                words.pop()
        else:
            words.append(word)
    line = shlex.join([*program_words(), *words])
    return line if len(words) == len(sys.argv[1:]) else f"{line}  (with STUDY_STORAGE set)"


def program_words() -> list[str]:
    """How this program was called."""
    program = sys.argv[0]
    if not program.endswith(".py"):
        return [Path(program).name]
    found = shutil.which("python")
    same = found is not None and Path(found).samefile(sys.executable)
    return ["python" if same else sys.executable, program]


def _from_environment(storage: str) -> bool:
    return storage in {os.environ.get(name) for name in VARIABLES}
