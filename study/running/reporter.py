"""What a run leaves behind on its way: its curve in the database, its state on the disk."""

import io
import json
import logging
import pickle
import time
from collections.abc import Callable, Mapping

import torch

from training_factors.storage.checkpoints import Checkpoints
from training_factors.storage.live_trial import LiveTrial
from training_factors.storage.retry import StorageUnavailableError
from training_factors.study.running.search import is_hopeless
from training_factors.study.running.signals import InterruptedRunError, StopSignal
from training_factors.study.training.training_state import SavedState

MEASUREMENTS = 8
"""Times that a run is measured on its way, about: its intermediate values."""

FLUSH_S = 5.0
"""Seconds between two looks that others may have at the curve: each costs a transaction."""

CHECKPOINT_TIME_FRACTION = 0.01
"""Part of the time that checkpoints may take; where one takes long, they come less often."""

FORMAT = 2
"""Of a state; one of another format is never gone on from."""

logger = logging.getLogger(__name__)


class RunReporter:
    """The way of one run from its first epoch, or its last checkpoint, to its end.

    unwritten: the part of its curve that is not in the database yet.
    """

    def __init__(
        self,
        trial: LiveTrial,
        epochs: int,
        limits: Mapping[int, float],
        stop: StopSignal,
        checkpoint_s: float,
    ) -> None:
        self._trial, self._epochs, self._limits, self._stop = trial, epochs, limits, stop
        self._checkpoints = checkpoints_of(trial)
        self._checkpoint_s = checkpoint_s
        self._curve: dict[int, float] = {}
        self.unwritten: dict[int, float] = {}
        self._began = time.monotonic()
        self._keep_at = self._began + checkpoint_s
        self._flush_at = self._began + FLUSH_S

    @property
    def time_s(self) -> float:
        """Seconds of training so far, those before the checkpoint included."""
        return time.monotonic() - self._began

    def start(self) -> SavedState | None:
        """The state to go on from; None to begin."""
        if self._trial.claim.attempt == 1:
            return None
        for content in self._checkpoints.read():
            try:
                kept = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
            except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
                logger.warning("checkpoint of %s left out: %s", self._trial.claim.run, error)
                continue
            self._curve = dict(kept["curve"])
            self.unwritten = dict(self._curve)
            self._began -= kept["time_s"]
            state: SavedState = kept["state"]
            return state
        return None

    def report(self, epoch: int, value: float | None, take: Callable[[], SavedState]) -> bool:
        """Take in the objective after an epoch; whether the run is not worth going on.

        Raises InterruptedRunError, with the state kept, when the worker is asked to stop;
        StorageLostError when the state cannot be kept.
        """
        if value is not None:
            self._curve[epoch] = self.unwritten[epoch] = value
        if epoch + 1 < self._epochs:
            self._leave_behind(take)
        return value is not None and is_hopeless(epoch, value, self._limits)

    def _leave_behind(self, take: Callable[[], SavedState]) -> None:
        is_stopping = self._stop.requested
        if is_stopping or time.monotonic() >= self._keep_at:
            self._keep(take())
        if is_stopping or time.monotonic() >= self._flush_at:
            self._trial.report(self.unwritten)
            self.unwritten = {}
            self._flush_at = time.monotonic() + FLUSH_S
        if is_stopping:
            raise InterruptedRunError

    def _keep(self, state: SavedState) -> None:
        began = time.monotonic()
        content = io.BytesIO()
        kept = {"state": state, "curve": list(self._curve.items()), "time_s": self.time_s}
        torch.save(kept, content)
        try:
            self._checkpoints.write(int(state["epoch"]), content.getvalue())
        except OSError as error:
            raise StorageUnavailableError(
                f"a checkpoint cannot be written to {self._checkpoints.folder}: {error.strerror}"
            ) from error
        now = time.monotonic()
        self._keep_at = now + max(self._checkpoint_s, (now - began) / CHECKPOINT_TIME_FRACTION)

    def end(self) -> None:
        """Drop the checkpoints of a run that has ended."""
        self._checkpoints.clear()


def evaluation_interval(epochs: int) -> int:
    """Epochs from one measurement of a run to the next: nobody looks at more of its curve."""
    return -(-epochs // MEASUREMENTS)


def checkpoints_of(trial: LiveTrial) -> Checkpoints:
    """Where the states of a run are kept, on this machine or on what it shares with others."""
    study, run = trial.study, trial.claim.run
    identity = json.dumps(
        [FORMAT, study.name, study.stamp.identity(), run, trial.parameters], sort_keys=True
    )
    name = f"{run.phase}-{run.row}-{run.repeat}"
    return Checkpoints(study.folder / "checkpoints", name, identity)
