"""Command lines to paste, and passwords kept out of everything that is printed."""

import math
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, quote_plus, unquote

from training_factors.storage.urls import URL_VARIABLES

if TYPE_CHECKING:
    from training_factors.storage.studies import Study
    from training_factors.study.reporting.conclusion import Conclusion

HIDDEN = "***"
"""Printed in place of a password."""

SCRIPTS = ("training-factors", "run-study")
"""Console scripts of the installed package."""


ENTRY = "run_study.py"
"""The program of a checkout."""


def program_name() -> str:
    """Return how this program is called, for messages: `run_study.py`, `training-factors`, …"""
    if _is_package(Path(sys.argv[0])):
        return "python -m training_factors"
    name = Path(sys.argv[0]).name
    return name if name in SCRIPTS else ENTRY


def program_words() -> list[str]:
    """Return the first words of a command line that calls this program again.

    Within a program of the user's it is the installed console script.
    """
    program = Path(sys.argv[0])
    if program.name in SCRIPTS:
        return [program.name]
    if program.name != ENTRY and not _is_package(program):
        return [SCRIPTS[0]]
    found = shutil.which("python")
    is_same = found is not None and Path(found).samefile(sys.executable)
    python = "python" if is_same else sys.executable
    if _is_package(program):
        return [python, "-m", "training_factors"]
    return [python, sys.argv[0]]


def _is_package(program: Path) -> bool:
    """Return whether the program was called as `python -m training_factors`."""
    return program.name == "__main__.py" and program.parent.name == "training_factors"


def command_line(verb: str, study: "Study", storage: str | None, *options: str) -> str:
    """Return the command line that calls a verb for a study; see `command_words`."""
    return shlex.join(command_words(verb, study, storage, *options))


def command_words(verb: str, study: "Study", storage: str | None, *options: str) -> list[str]:
    """Return the words of the command line that calls a verb for a study.

    storage: the URL as the user gave it; see `storage_words`.
    """
    words = [verb] if verb != "run" else []
    if study.stamp.code and verb != "recommend":
        options = (*options, "--allow-code")
    place = storage_words(study, storage)
    return [*program_words(), *words, "--study", study.name, *options, *place]


def storage_words(study: "Study", storage: str | None) -> list[str]:
    """Return the words that name a study's database.

    storage: the URL as the user gave it; it is repeated unless it comes from the environment or
    holds a password.
    """
    is_shown = storage and HIDDEN not in study.database.url and not _from_environment(storage)
    return ["--storage", study.database.url] if is_shown else []


def size_options(study: "Study") -> list[str]:
    """Return the options that give a new study the size of this one, its divisions included."""
    from training_factors.storage.run_queue import DIVISION
    from training_factors.study.running.settings import PRESETS, Preset

    repeats = len(study.queue.repeated_rows())
    size = Preset(study.queue.rows("measure"), repeats, study.queue.rows("search"))
    divided = study.queue.progress().get(DIVISION)
    divisions = 1 + math.ceil(divided.total / repeats) if divided and repeats else 1
    words = ["--divisions", str(divisions)] if divisions > 1 else []
    for name, preset in PRESETS.items():
        if preset == size or (study.stamp.space.is_fixed and preset._replace(search=0) == size):
            return ["--preset", name, *words]
    return [
        "--rows", str(size.measure), "--repeats", str(size.repeats), "--search", str(size.search),
        *words,
    ]  # fmt: skip


class NextStep(NamedTuple):
    """The next command, and what it is for in a few words. verb: the command's."""

    verb: str
    command: str
    purpose: str


def next_step(
    study: "Study", storage: str | None, conclusion: "Conclusion", more_rows: int | None
) -> NextStep:
    """Return the next step, the same one on every screen.

    An unfinished study goes on first. Then come the rows that would help, or else `confirm`, and
    once that is done `recommend`. more_rows: number of rows to add to those that were measured.
    """
    if conclusion.as_of:
        return NextStep("run", command_line("run", study, storage), "goes on with the study")
    if study.stamp.space.is_fixed:
        twice = 2 * study.queue.rows("measure")
        line = command_line("run", study, storage, "--rows", str(twice))
        return NextStep("run", line, "trains twice as many seeds, for a narrower interval")
    if conclusion.is_confirmed:
        line = command_line("recommend", study, storage)
        return NextStep("recommend", line, "prints all settings as a command and as TOML")
    if more_rows:
        rows = study.queue.rows("measure") + more_rows
        line = command_line("run", study, storage, "--rows", str(rows))
        purpose = f"measures {more_rows:,} more configurations, for a surer answer"
        return NextStep("run", line, purpose)
    line = command_line("confirm", study, storage)
    purpose = "trains the best configurations again, and the best one against its changes"
    return NextStep("confirm", line, purpose)


def this_command() -> str:
    """Return the command line that started this process, without a URL that holds a password."""
    words: list[str] = []
    for word in sys.argv[1:]:
        if redacted(word) != word:
            if words and words[-1] == "--storage":
                words.pop()
        else:
            words.append(word)
    line = shlex.join([*program_words(), *words])
    return line if len(words) == len(sys.argv[1:]) else f"{line}  (with STUDY_STORAGE set)"


def redacted(text: str) -> str:
    """Return the text without the password of any database URL that this process was given."""
    for password in _passwords():
        plain = unquote(password)
        for form in (password, plain, quote(plain), quote(plain, safe=""), quote_plus(plain)):
            text = text.replace(form, HIDDEN)
    return text


def _passwords() -> Iterator[str]:
    for url in (*sys.argv, *(os.environ.get(name, "") for name in URL_VARIABLES)):
        # SQLAlchemy's parser would reject a malformed URL, whose password must be hidden as well.
        _, scheme, rest = url.removeprefix("--storage=").partition("://")
        user, at, _ = rest.rpartition("@")
        _, colon, password = user.partition(":")
        if scheme and at and colon and password:
            yield password


def _from_environment(storage: str) -> bool:
    return storage in {os.environ.get(name) for name in URL_VARIABLES}
