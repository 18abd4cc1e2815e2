"""Run the calls of an analysis in several processes, with the same results in any number of them.

Every call has a seed of its own, and linear algebra uses one thread, since its last digits depend
on the number of threads.

Processes are forked where that is safe: on Linux, in a program without other threads, which might
hold locks that no child could ever take. A forked process has numpy and scikit-learn at once.
Elsewhere joblib starts processes, which import all of this first. An analysis of 128 rows took
4.0 s of processor time in one process, 4.5 s in two forked ones, and 7.1 s in two started ones
(digits, one study, twice each).
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from joblib import Parallel, parallel_config
from joblib.externals.loky import get_reusable_executor
from threadpoolctl import threadpool_limits

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
"""A call that is still to be made, as joblib's `delayed` returns it."""

MIN_ROWS_FOR_STARTED = 128
"""Minimum number of rows for which processes are started, where none can be forked: with fewer, all
fits take less time than the processes take to import what they need (1.5 s of a core each)."""

PARENT_CHECK_S = 1.0
"""Seconds after which a forked process looks whether the one that forked it is still there."""


@contextmanager
def single_threaded() -> Iterator[None]:
    """Limit linear algebra to one thread inside the block, and end joblib's processes after it.

    joblib's processes would otherwise wait five minutes for more calls. Where all are forked it has
    none, and would start one to end them.
    """
    forked = can_fork()
    try:
        with threadpool_limits(1):
            yield
    finally:
        if not (forked and can_fork()):
            get_reusable_executor().shutdown(wait=True)


def run_all(calls: Sequence[Call], jobs: int, rows: int) -> list[Any]:
    """Make calls inside `single_threaded`, and return their results.

    jobs: number of processes. rows: those that are analysed, which tell how long the calls take.
    """
    if jobs > 1 and can_fork():
        return run_forked(calls, jobs)
    return run_started(calls, jobs if rows >= MIN_ROWS_FOR_STARTED else 1)


def can_fork() -> bool:
    """Return whether this process may fork others that compute."""
    return sys.platform == "linux" and threading.active_count() == 1


def run_forked(calls: Sequence[Call], jobs: int) -> list[Any]:
    """Make calls in forked processes, and return their results."""
    context = multiprocessing.get_context("fork")
    with warnings.catch_warnings():
        # From Python 3.12 on, also of threads of linear algebra, which end before a fork.
        warnings.filterwarnings("ignore", ".*use of fork", DeprecationWarning)
        with ProcessPoolExecutor(
            min(jobs, len(calls)), context, _set_up_process, (os.getpid(),)
        ) as pool:
            return list(pool.map(_make, calls))


def run_started(calls: Sequence[Call], jobs: int) -> list[Any]:
    """Make calls in processes that joblib starts, or in this one, and return their results."""
    with parallel_config("loky", inner_max_num_threads=1):
        results: list[Any] = Parallel(n_jobs=jobs, max_nbytes=None)(calls)
    return results


def _make(call: Call) -> Any:
    function, arguments, named = call
    return function(*arguments, **named)


def _set_up_process(parent: int) -> None:
    """Leave Ctrl-C to the parent, and end when it has ended: nobody else would end this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os._exit(1)
