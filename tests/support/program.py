"""The program as people run it, a process of its own; and the same verbs in this process."""

import contextlib
import io
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from training_factors.study.commands import INFORMATION, execute
from training_factors.study.commands.app import app

ROOT = Path(__file__).parents[2]
"""Folder of the repository."""

ENTRY = ROOT / "run_study.py"

SMOKE_STUDY = ("--preset", "smoke", "--epochs", "1", "--space", "small", "--data", "wine")
"""Arguments of a study of 49 very short runs."""


def start_program(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start the program in a folder, with its output in pipes.

    environment: changes to the environment of this process.
    """
    return subprocess.Popen(
        [sys.executable, str(ENTRY), *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **(environment or {})},
    )


def run_program(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder to its end. environment: changes to this one's."""
    process = start_program(folder, *arguments, environment=environment)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def run_verb(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a verb in a folder, but in this process, which has imported everything already.

    For tests of what a verb does; `run_program` is for tests of the process itself.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = execute(list(arguments))
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def parse_command(line: str, program: str = "training-factors") -> dict[str, Any]:
    """Return the verb of a command line, as `verb`, and the values of its options; run nothing.

    Raises typer's exception for a line that the program does not understand.
    """
    name, *words = shlex.split(line, comments=True)
    assert name == program, line
    if not words or (words[0].startswith("-") and words[0] not in INFORMATION):
        words.insert(0, "run")
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    context = group.make_context(program, list(words))
    verb = group.get_command(context, words[0])
    assert verb is not None, line
    return {"verb": words[0], **verb.make_context(words[0], words[1:], parent=context).params}
