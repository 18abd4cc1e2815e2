"""The program as a whole process, timed."""

import subprocess
import sys
import time
from pathlib import Path

ENTRY = Path(__file__).parents[1] / "run_study.py"


def timed(*words: str) -> tuple[float, str]:
    """Seconds of the whole process, which must end well, and what it printed."""
    began = time.perf_counter()
    command = [sys.executable, str(ENTRY), *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - began, ended.stdout


def asked(verb: str, url: str) -> tuple[float, str]:
    """The same of a verb that reads the only study of a database, as JSON."""
    return timed(verb, "--storage", url, "--json")
