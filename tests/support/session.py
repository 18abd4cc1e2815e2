"""Values that are expensive to make: made once per test session, for all its processes."""

import os
import pickle
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from filelock import FileLock

P = ParamSpec("P")
T = TypeVar("T")

FOLDER = "STUDY_TEST_SESSION"
"""Environment variable with the folder that all processes of the test session share."""


def session_folder() -> Path:
    """Return the folder that all processes of the test session share."""
    return Path(os.environ[FOLDER])


def session_lock(name: str) -> FileLock:
    """Return a lock between the processes of the test session."""
    return FileLock(session_folder() / f"{name}.lock")


def once_per_session(make: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function so that the first process that calls it makes the value for all.

    The value is pickled. It is identified by the function's name and arguments.
    """
    values: dict[str, T] = {}

    @wraps(make)
    def made(*arguments: P.args, **named: P.kwargs) -> T:
        words = [make.__name__, *map(str, arguments), *(f"{k}={v}" for k, v in named.items())]
        name = "-".join(words)
        if name not in values:
            path = session_folder() / f"{name}.pickle"
            with session_lock(name):
                if not path.exists():
                    path.write_bytes(pickle.dumps(make(*arguments, **named)))
            values[name] = pickle.loads(path.read_bytes())
        return values[name]

    return made
