"""Being asked to stop: a signal is noted at once and acted on at the end of the epoch."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143, signal.SIGUSR1: 143}


class InterruptedRunError(Exception):
    """The run was given up because its worker was asked to stop."""


class StopSignal:
    """Whether this worker was asked to stop, by a signal or by the end of who started it."""

    def __init__(self, parent: int | None) -> None:
        self._parent = parent
        self._signal: signal.Signals | None = None

    def listen(self) -> "StopSignal":
        """Note the signals that ask to stop; a second one interrupts at once."""
        for number in _heeded():
            signal.signal(number, self._note)
        return self

    @property
    def requested(self) -> bool:
        """Whether to stop after this epoch."""
        return self._signal is not None or self._is_orphan()

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 143 after whatever else asks a process to end."""
        return EXIT_CODES[self._signal or signal.SIGTERM]

    def _is_orphan(self) -> bool:
        return self._parent is not None and os.getppid() != self._parent

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = signal.Signals(number)


def _heeded() -> list[signal.Signals]:
    """The signals that nobody asked to ignore, as nohup does."""
    return [number for number in EXIT_CODES if signal.getsignal(number) != signal.SIG_IGN]


@contextmanager
def recorded_signals() -> Iterator[list[signal.Signals]]:
    """The list of signals that asked this process to stop, as it grows."""
    received: list[signal.Signals] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(signal.Signals(number))

    before = {number: signal.signal(number, note) for number in _heeded()}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
