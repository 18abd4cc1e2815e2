"""The program as people run it, a process of its own; and the same verbs in this process."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from training_factors.study.commands import execute

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
