"""Start, signal and describe the processes of a worker pool: forked ones, and ones started anew.

A forked process has the data, torch and everything else of its parent at once, and takes memory for
them once; that works on Linux, as long as the parent has not used a GPU. A process that is started
anew runs the command line and loads everything itself; that works everywhere.
"""

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from training_factors.storage.urls import URL_VARIABLES
from training_factors.study.running.settings import StartMethod, WorkerPool, timing_options
from training_factors.study.running.signals import block_stop_signals


class ChildProcess(Protocol):
    """A process that this one has started; the members are those of multiprocessing's."""

    @property
    def name(self) -> str:
        """The name of the process, such as `worker-0`."""

    @property
    def pid(self) -> int | None:
        """Its number."""

    @property
    def exitcode(self) -> int | None:
        """Its exit code, −N when signal N killed it; None while it runs."""

    def kill(self) -> None:
        """Kill it at once."""

    def join(self) -> None:
        """Wait until it has ended."""


class StartedProcess:
    """A process that runs the command line of this package; its output goes to a log file."""

    def __init__(self, name: str, words: Sequence[str], log: Path, url: str) -> None:
        self.name = name
        # The process finds modules where this one does, which a notebook may have changed.
        paths = [path for path in sys.path if path]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), URL_VARIABLES[0]: url}
        group = 0
        if sys.platform == "win32":  # so that it can be told to stop, and Ctrl-C tells it nothing
            group = subprocess.CREATE_NEW_PROCESS_GROUP
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "training_factors", *words],
                env=environment,  # the URL is no argument: it may hold a password
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,  # Ctrl-C signals the parent alone, which passes it on once
                creationflags=group,
            )
        self.pid = self._process.pid

    @property
    def exitcode(self) -> int | None:
        """Its exit code, −N when signal N killed it; None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """Kill it at once."""
        self._process.kill()

    def join(self) -> None:
        """Wait until it has ended."""
        self._process.wait()


def choose_start(wanted: StartMethod | None, device: str, *, is_given: bool) -> StartMethod:
    """Return how worker processes come about.

    wanted: as the user says; None for the fastest way that works. device: its type, such as `cuda`.
    is_given: whether data or model are Python objects, which no process that is started anew has.

    Raises ValueError for a way that does not work here.
    """
    can_fork = sys.platform == "linux" and hasattr(os, "fork")
    if wanted == "fork" and not can_fork:
        raise ValueError("--start fork works on Linux only; use --start spawn, or none")
    if wanted == "fork" and device != "cpu":
        raise ValueError(
            f"--start fork does not work with the device {device}, which cannot be used after a "
            "fork; use --start spawn, or none"
        )
    if wanted == "spawn" and is_given:
        raise ValueError(
            "--start spawn does not work with data or a model that are Python objects, which other "
            "processes do not have; name them as file.py:function, or use --start none"
        )
    if wanted is not None:
        return wanted
    if can_fork and device == "cpu":
        return "fork"
    return "none" if is_given else "spawn"


def start_worker(pool: WorkerPool, study: str, number: int) -> StartedProcess:
    """Start a worker of a pool anew; it prepares the stored study itself.

    number: of the worker among those of the pool. Its code was allowed when this process prepared
    the study.
    """
    words = [
        "worker-process", study, "--number", str(number), "--parent", str(os.getpid()),
        "--device", pool.device, "--allow-code", *timing_options(pool.timing),
    ]  # fmt: skip
    return _start(pool, f"worker-{number}", words)


def start_heartbeat(pool: WorkerPool, study: str, stop_requests: int) -> StartedProcess:
    """Start the heartbeat process of a pool anew. stop_requests: those that do not count."""
    words = [
        "heartbeat-process", study, "--parent", str(os.getpid()),
        "--asked", str(stop_requests), *timing_options(pool.timing),
    ]  # fmt: skip
    return _start(pool, "heartbeat", words)


def _start(pool: WorkerPool, name: str, words: Sequence[str]) -> StartedProcess:
    block_stop_signals(block=True)
    try:
        return StartedProcess(name, words, _log_file(pool, os.getpid(), name), pool.url)
    finally:
        block_stop_signals(block=False)


def fork_process(pool: WorkerPool, name: str, main: Callable[[int], int]) -> ChildProcess:
    """Fork a process that runs a function, and exits with the code that it returns.

    main: (process id of this process) -> exit code; it may be a closure.
    """
    process = multiprocessing.get_context("fork").Process(
        target=_run_forked, name=name, args=(pool, name, main, os.getpid()), daemon=True
    )
    block_stop_signals(block=True)
    process.start()
    block_stop_signals(block=False)
    return process


def _run_forked(pool: WorkerPool, name: str, main: Callable[[int], int], parent: int) -> None:
    os.setsid()  # Ctrl-C signals the parent alone, which passes it on once
    _redirect_output(_log_file(pool, parent, name))
    sys.exit(main(parent))


def _log_file(pool: WorkerPool, parent: int, name: str) -> Path:
    return pool.logs / f"{parent}-{name}.log"


def delete_empty_logs(pool: WorkerPool) -> None:
    """Delete the empty log files of the processes that this one has started."""
    for log in pool.logs.glob(f"{os.getpid()}-*.log"):
        if not log.stat().st_size:
            log.unlink()


def _redirect_output(path: Path) -> None:
    """Append standard output, standard error and the log of this process to a file."""
    with path.open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    # The parent's streams may be those of a notebook, which are no files.
    sys.stdout, sys.stderr = (
        os.fdopen(handle, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
        for handle in (1, 2)
    )
    log_to_stderr()


def log_to_stderr() -> None:
    """Write the log of this process to standard error, each line with its time."""
    logging.basicConfig(format="%(asctime)s %(message)s", force=True)


def send_signal(process: ChildProcess, number: int) -> None:
    """Send a signal to a process that may be suspended; does nothing if it has ended."""
    if process.exitcode is not None or process.pid is None:
        return
    if sys.platform == "win32":  # where a process is only told by its own kind of Ctrl-C
        os.kill(process.pid, signal.CTRL_BREAK_EVENT)
        return
    os.kill(process.pid, number)
    os.kill(process.pid, signal.SIGCONT)


def describe_exit(process: ChildProcess) -> str:
    """Return how a process ended, in words."""
    code = process.exitcode or 0
    if code < 0:
        return f"{process.name} was killed by {signal.Signals(-code).name}; see its log"
    return f"{process.name} ended with exit code {code}; see its log"
