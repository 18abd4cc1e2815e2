"""Save the training state of a run from time to time, and load it when the run resumes."""

import io
import json
import logging
import time
from collections.abc import Mapping
from typing import NamedTuple

import torch

from training_factors.storage.checkpoints import Checkpoints
from training_factors.storage.live_trial import LiveTrial
from training_factors.storage.retry import StorageUnavailableError
from training_factors.study.training.training_state import SavedState

MAX_TIME_FRACTION = 0.01
"""Largest fraction of the time that saving may take; where it is slow, checkpoints are rarer."""

FORMAT = 3
"""Version of the checkpoint format; increase it to ignore checkpoints of an earlier format."""

logger = logging.getLogger(__name__)


class Checkpoint(NamedTuple):
    """A run after one of its epochs.

    state: of the network in training. curve: epoch -> validation objective so far. time_s: seconds
    of training so far, over all attempts.
    """

    state: SavedState
    curve: dict[int, float]
    time_s: float


class Checkpointer:
    """Save and load the checkpoints of one run, and decide when the next one is due.

    interval_s: seconds from one checkpoint to the next; longer where saving takes long.
    """

    def __init__(self, trial: LiveTrial, interval_s: float) -> None:
        self._run = trial.claim.run
        self._files = checkpoints_of(trial)
        self._interval_s = interval_s
        self._next_at = time.monotonic() + interval_s

    @property
    def is_due(self) -> bool:
        """Return whether it is time for the next checkpoint."""
        return time.monotonic() >= self._next_at

    def load(self) -> Checkpoint | None:
        """Return the newest checkpoint that can be read; None when there is none."""
        for content in self._files.read():
            try:
                # weights_only: a file that somebody else wrote must not run code.
                saved = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
            except Exception as error:
                # On a file of another kind torch's reader may raise anything.
                logger.warning("ignored an unreadable checkpoint of %s: %s", self._run, error)
                continue
            return Checkpoint(saved["state"], dict(saved["curve"]), saved["time_s"])
        return None

    def save(self, state: SavedState, curve: Mapping[int, float], time_s: float) -> None:
        """Write a checkpoint. Raises StorageUnavailableError when it cannot be written."""
        began = time.monotonic()
        content = io.BytesIO()
        torch.save({"state": state, "curve": list(curve.items()), "time_s": time_s}, content)
        try:
            self._files.write(int(state["epoch"]), content.getvalue())
        except OSError as error:
            raise StorageUnavailableError(
                f"cannot write a checkpoint to {self._files.folder}: {error.strerror}"
            ) from error
        now = time.monotonic()
        self._next_at = now + max(self._interval_s, (now - began) / MAX_TIME_FRACTION)

    def clear(self) -> None:
        """Delete the checkpoints of the run, which has ended."""
        self._files.clear()


def checkpoints_of(trial: LiveTrial) -> Checkpoints:
    """Return the checkpoint files of a run: on this machine, or on a disk shared with others."""
    study, run = trial.study, trial.claim.run
    identity = json.dumps(
        [FORMAT, study.key, study.stamp.identity(), run, trial.parameters], sort_keys=True
    )
    name = f"{run.phase}-{run.row}-{run.repeat}"
    return Checkpoints(study.folder / "checkpoints", name, identity)
