"""Stop requests by signal: record a signal at once, and act on it at the end of the epoch."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143, signal.SIGUSR1: 143}
"""The signals that request a stop, each with the exit code of a process that it stopped."""


class InterruptedRunError(Exception):
    """The run was interrupted because its worker received a stop request."""


class StopSignal:
    """A stop request to this worker: a signal, or the end of its parent process.

    parent: process id of the parent; None: only signals count.
    """

    def __init__(self, parent: int | None) -> None:
        self._parent = parent
        self._signal: signal.Signals | None = None

    def listen(self) -> "StopSignal":
        """Record stop signals from now on; a second one raises KeyboardInterrupt at once."""
        for number in _stop_signals():
            signal.signal(number, self._record)
        return self

    @property
    def requested(self) -> bool:
        """Return whether to stop after this epoch."""
        return self._signal is not None or self._is_orphan()

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 143 after every other stop request."""
        return EXIT_CODES[self._signal or signal.SIGTERM]

    def _is_orphan(self) -> bool:
        return self._parent is not None and os.getppid() != self._parent

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
        for number, handler in previous.items():
            signal.signal(number, handler)


def _stop_signals() -> list[signal.Signals]:
    """Return the stop signals that are not ignored; `nohup` makes a process ignore SIGHUP."""
    return [number for number in EXIT_CODES if signal.getsignal(number) != signal.SIG_IGN]
