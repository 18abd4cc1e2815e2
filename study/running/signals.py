"""Stop requests by signal: record a signal at once, and act on it at the end of the epoch."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import psutil

EXIT_CODES = {
    getattr(signal, name): code
    for name, code in (
        ("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143), ("SIGUSR1", 143), ("SIGBREAK", 143)
    )
    if hasattr(signal, name)
}  # fmt: skip
"""The signals that request a stop, each with the exit code of a process that it stopped.

Windows has no SIGHUP and SIGUSR1, and it alone has SIGBREAK.
"""


class InterruptedRunError(Exception):
    """The run was interrupted because its worker received a stop request."""


class StopSignal:
    """A stop request to this worker: a signal, the end of its parent process, or another request.

    parent: process id of the parent; None: its end does not count. is_asked: returns whether
    somebody asks the worker to stop; called at the end of every epoch.
    """

    def __init__(
        self, parent: int | None = None, is_asked: Callable[[], bool] | None = None
    ) -> None:
        self._parent, self._is_asked = parent, is_asked
        self._signal: signal.Signals | None = None

    def listen(self) -> "StopSignal":
        """Record stop signals from now on; a second one raises KeyboardInterrupt at once."""
        for number in _stop_signals():
            signal.signal(number, self._record)
        return self

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Record stop signals within the block, and handle them as before it afterwards.

        A thread other than the main one receives no signals.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {number: signal.getsignal(number) for number in _stop_signals()}
        self.listen()
        try:
            yield
        finally:
            _restore(previous)

    @property
    def requested(self) -> bool:
        """Return whether to stop after this epoch."""
        if self._signal is not None or is_orphan(self._parent):
            return True
        return self._is_asked is not None and self._is_asked()

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 143 after every other stop request."""
        return EXIT_CODES[self._signal or signal.SIGTERM]

    def _record(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = signal.Signals(number)


@contextmanager
def recorded_signals() -> Iterator[list[signal.Signals]]:
    """Record stop signals instead of acting on them; yields the list, which grows with each.

    In a thread other than the main one, which receives no signals, the list stays empty.
    """
    received: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def record(number: int, frame: FrameType | None) -> None:
        received.append(signal.Signals(number))

    previous = {number: signal.signal(number, record) for number in _stop_signals()}
    try:
        yield received
    finally:
        _restore(previous)


def is_orphan(parent: int | None) -> bool:
    """Return whether this process's parent, given by its process id, has ended; False for None."""
    if parent is None:
        return False
    if sys.platform == "win32":  # where a process keeps the number of a parent that has ended
        return not psutil.pid_exists(parent)
    return os.getppid() != parent


def block_stop_signals(*, block: bool) -> None:
    """Hold stop signals back, or deliver them, where the system can do that.

    A process that starts another one holds them back: the new process inherits that, and receives
    them once it listens.
    """
    if hasattr(signal, "pthread_sigmask"):
        how = signal.SIG_BLOCK if block else signal.SIG_UNBLOCK
        signal.pthread_sigmask(how, EXIT_CODES)


def _restore(handlers: Mapping[signal.Signals, Any]) -> None:
    """Set the handlers of signals; None, of a handler that Python has not set, cannot be set."""
    for number, handler in handlers.items():
        if handler is not None:
            signal.signal(number, handler)


def _stop_signals() -> list[signal.Signals]:
    """Return the stop signals that are not ignored; `nohup` makes a process ignore SIGHUP."""
    return [number for number in EXIT_CODES if signal.getsignal(number) != signal.SIG_IGN]
