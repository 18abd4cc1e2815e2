"""Command lines to paste: how this program was called, and what to call next."""

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from study.commands.secrecy import HIDDEN, VARIABLES, redacted


def following(study: Any, storage: str | None, more_rows: int | None) -> str:
    """The next command: more rows where they would settle something, else the confirmation."""
    from study.running.presets import PRESETS

    measured = study.ledger.progress().get("measure")
    rows = measured.total if measured else 0
    sizes = [name for name, preset in PRESETS.items() if preset.measure > rows]
    if more_rows and sizes:
        return command("run", study, storage, "--preset", sizes[0])
    return command("confirm", study, storage)


def command(verb: str, study: Any, storage: str | None, *options: str) -> str:
    """A command line to paste."""
    words = [verb] if verb != "run" else []
    # A URL with a password stands in the environment, or is asked for there.
    is_open = storage and HIDDEN not in study.database.url and not _from_environment(storage)
    if study.stamp.get("code") and verb != "recommend":
        options = (*options, "--allow-code")
    place = ["--storage", study.database.url] if is_open else []
    return shlex.join([*entry(), *words, "--study", study.name, *options, *place])


def same_again() -> str:
    """The command line that this process was called with; without a URL that holds a password."""
    words: list[str] = []
    for word in sys.argv[1:]:
        if redacted(word) != word:
            if words and words[-1] == "--storage":
                words.pop()
        else:
            words.append(word)
    line = shlex.join([*entry(), *words])
    return line if len(words) == len(sys.argv[1:]) else f"{line}  (with STUDY_STORAGE set)"


def entry() -> list[str]:
    """How this program was called."""
    program = sys.argv[0]
    if not program.endswith(".py"):
        return [Path(program).name]
    found = shutil.which("python")
    same = found is not None and Path(found).samefile(sys.executable)
    return ["python" if same else sys.executable, program]


def _from_environment(storage: str) -> bool:
    return storage in {os.environ.get(name) for name in VARIABLES}
