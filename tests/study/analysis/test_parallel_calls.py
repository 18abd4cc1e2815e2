"""Calls in several processes have the results of one, and leave no process behind."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest
from joblib import delayed

from training_factors.study.analysis import parallel_calls
from training_factors.study.analysis.parallel_calls import (
    can_fork,
    run_all,
    run_forked,
    run_started,
    single_threaded,
)


def solve(seed: int, *, size: int) -> list[float]:
    """Solve a system of equations, whose last digits depend on the number of threads."""
    random = np.random.default_rng(seed)
    solution: list[float] = np.linalg.solve(
        random.random((size, size)), random.random(size)
    ).tolist()
    return solution


def test_results_are_the_same_in_any_process() -> None:
    calls = [delayed(solve)(seed, size=300) for seed in range(5)]
    with single_threaded():
        expected = [solve(seed, size=300) for seed in range(5)]
        assert run_started(calls, 1) == expected
        assert run_forked(calls, 2) == expected


@pytest.mark.slow
def test_results_are_the_same_in_started_processes() -> None:
    calls = [delayed(solve)(seed, size=300) for seed in range(2)]
    with single_threaded():
        assert run_started(calls, 2) == [solve(seed, size=300) for seed in range(2)]


def process_of_a_call() -> int:
    return os.getpid()


def test_processes_are_forked_only_without_other_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [delayed(process_of_a_call)()] * 2
    # Other threads of the test runner do nothing.
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    assert can_fork() == (sys.platform == "linux")
    assert os.getpid() not in run_all(calls, 2, rows=16)
    assert run_all(calls, 1, rows=16) == [os.getpid()] * 2
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert not can_fork()
    few = parallel_calls.MIN_ROWS_FOR_STARTED - 1
    assert run_all(calls, 2, rows=few) == [os.getpid()] * 2


def fail() -> None:
    raise ArithmeticError("a matrix is singular")


def test_an_exception_of_a_call_is_passed_on() -> None:
    with pytest.raises(ArithmeticError, match="singular"):
        run_forked([delayed(fail)(), delayed(process_of_a_call)()], 2)


def be_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_ends_the_analysis() -> None:
    """As the kernel does where memory is short."""
    with pytest.raises(BrokenProcessPool):
        run_forked([delayed(be_killed)(), delayed(process_of_a_call)()], 2)


WAITING = """
import os, time
from joblib import delayed
from training_factors.study.analysis.parallel_calls import run_forked

def wait():
    print(os.getpid(), flush=True)
    time.sleep(600)

run_forked([delayed(wait)()] * 2, 2)
"""


def test_processes_end_with_their_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        children = [int(parent.stdout.readline()) for _ in range(2)]
        parent.kill()
        # The pipe closes when the last process that can write to it has ended.
        assert parent.stdout.read() == b""
    assert len(set(children)) == 2
