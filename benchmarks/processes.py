"""Timing of the program as a whole process."""

import subprocess
import sys
import time

from tests.support.program import ENTRY


def timed(*words: str) -> tuple[float, str]:
    """Run the program; return the seconds of the whole process, and its output."""
    began = time.perf_counter()
    command = [sys.executable, str(ENTRY), *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - began, ended.stdout


def asked(verb: str, url: str) -> tuple[float, str]:
    """Time a command that reads the only study of a database, with JSON output."""
    return timed(verb, "--storage", url, "--json")
