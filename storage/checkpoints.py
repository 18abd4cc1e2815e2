"""Checkpoints of a run: the last two states that it can go on from."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from training_factors.storage.files import write_atomically

KEPT_CHECKPOINTS = 2
"""Should the newest be damaged, there is the one before it."""

SUFFIX = ".checkpoint"


class Checkpoints(NamedTuple):
    """The checkpoints of one run.

    name: of the run, as a file's name may be. identity: all that a state depends on; a state of
    another study or configuration is never taken for one of this run.
    """

    folder: Path
    name: str
    identity: str

    def write(self, epoch: int, state: bytes) -> None:
        """Keep the state after an epoch, and drop those before the last two.

        Raises OSError, with the earlier ones as they were, when it cannot be written.
        """
        path = self.folder / f"{self.name}.{epoch:06d}{SUFFIX}"
        write_atomically(path, self._digest(state) + state)
        for old in self._paths()[KEPT_CHECKPOINTS:]:
            _remove(old)

    def read(self) -> Iterator[bytes]:
        """The states that are whole, the newest first."""
        for path in self._paths():
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue  # another attempt at the run dropped it meanwhile
            state = content[hashlib.sha256().digest_size :]
            if content == self._digest(state) + state:
                yield state

    def clear(self) -> None:
        """Drop all of them, the run having ended."""
        for path in self._paths():
            _remove(path)

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob(f"{self.name}.??????{SUFFIX}"), reverse=True)

    def _digest(self, state: bytes) -> bytes:
        return hashlib.sha256(self.identity.encode() + b"\0" + state).digest()


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
