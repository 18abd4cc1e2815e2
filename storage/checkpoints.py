"""Checkpoints of a run: the training states of its last two saved epochs, as files."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from training_factors.storage.files import write_atomically

KEPT_CHECKPOINTS = 2
"""Number of checkpoints to keep for a run: if the last is damaged, the one before is used."""

SUFFIX = ".checkpoint"
"""File name suffix of a checkpoint."""


class Checkpoints(NamedTuple):
    """The checkpoints of one run.

    name: of the run, valid as a file name. identity: everything that the state depends on, as
    text; checkpoints with another identity (study, configuration) are ignored.
    """

    folder: Path
    name: str
    identity: str

    def write(self, epoch: int, state: bytes) -> None:
        """Save the state after an epoch, and delete all but the last two checkpoints.

        Raises OSError when it cannot be written; earlier checkpoints are unchanged then.
        """
        path = self.folder / f"{self.name}.{epoch:06d}{SUFFIX}"
        write_atomically(path, self._digest(state) + state)
        for old in self._paths()[KEPT_CHECKPOINTS:]:
            _delete(old)

    def read(self) -> Iterator[bytes]:
        """Yield the undamaged states, the newest first."""
        for path in self._paths():
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue  # another attempt at the run deleted it meanwhile
            state = content[hashlib.sha256().digest_size :]
            if content == self._digest(state) + state:
                yield state

    def clear(self) -> None:
        """Delete all checkpoints, at the end of the run."""
        for path in self._paths():
            _delete(path)

    def _paths(self) -> list[Path]:
        """Return the files of the checkpoints, the newest first."""
        return sorted(self.folder.glob(f"{self.name}.??????{SUFFIX}"), reverse=True)

    def _digest(self, state: bytes) -> bytes:
        return hashlib.sha256(self.identity.encode() + b"\0" + state).digest()


def _delete(path: Path) -> None:
    """Delete a file that another process may delete at the same time."""
    with suppress(FileNotFoundError):
        path.unlink()
