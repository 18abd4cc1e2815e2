"""Record the learning curve of a run while it trains, say when to prune it, and interrupt it."""

import time
from collections.abc import Callable, Mapping

from training_factors.storage.live_trial import LiveTrial
from training_factors.study.pruning import should_prune
from training_factors.study.running.checkpointer import Checkpointer
from training_factors.study.running.signals import InterruptedRunError, StopSignal
from training_factors.study.training.training_state import SavedState

EVALUATIONS_PER_RUN = 8
"""Approximate number of evaluations in a run; each gives one intermediate value of its trial."""

FLUSH_INTERVAL_S = 1.0
"""Minimum number of seconds between two writes of the curve, which tell the live table the epoch.

Each write costs a transaction; a run has at most one per evaluation.
"""


class RunReporter:
    """Reports one run, from its first epoch or its last checkpoint to its end.

    thresholds: epoch -> the objective below which the run is pruned. unwritten: the part of the
    curve that is not in the database yet.
    """

    def __init__(
        self,
        trial: LiveTrial,
        epochs: int,
        thresholds: Mapping[int, float],
        stop: StopSignal,
        checkpointer: Checkpointer,
    ) -> None:
        self._trial, self._epochs, self._thresholds = trial, epochs, thresholds
        self._stop, self._checkpointer = stop, checkpointer
        self._curve: dict[int, float] = {}
        self.unwritten: dict[int, float] = {}
        self._began = time.monotonic()
        self._flush_at = self._began + FLUSH_INTERVAL_S

    @property
    def time_s(self) -> float:
        """Seconds of training so far, including those before the checkpoint."""
        return time.monotonic() - self._began

    def resume(self) -> SavedState | None:
        """Return the state to resume from; None to start with the first epoch."""
        checkpoint = self._checkpointer.load() if self._trial.claim.attempt > 1 else None
        if checkpoint is None:
            return None
        self._curve = checkpoint.curve
        self.unwritten = dict(checkpoint.curve)
        self._began -= checkpoint.time_s
        return checkpoint.state

    def report(self, epoch: int, value: float | None, get_state: Callable[[], SavedState]) -> bool:
        """Record the result of an epoch; return whether to prune the run.

        value: the validation objective; None after epochs without an evaluation. get_state: returns
        the state of training.

        Raises InterruptedRunError, after saving a checkpoint, when the worker received a stop
        request, StorageUnavailableError when the checkpoint or the curve cannot be written, and
        LostClaimError when the run was given to another worker meanwhile.
        """
        if value is not None:
            self._curve[epoch] = self.unwritten[epoch] = value
        if epoch + 1 < self._epochs:
            self._save_progress(get_state)
        return value is not None and should_prune(epoch, value, self._thresholds)

    def _save_progress(self, get_state: Callable[[], SavedState]) -> None:
        """Save a checkpoint and write the curve if due; interrupt the run on a stop request."""
        is_stopping = self._stop.requested
        if is_stopping or self._checkpointer.is_due:
            self._checkpointer.save(get_state(), self._curve, self.time_s)
        if is_stopping or (self.unwritten and time.monotonic() >= self._flush_at):
            self._trial.report(self.unwritten)
            self.unwritten = {}
            self._flush_at = time.monotonic() + FLUSH_INTERVAL_S
        if is_stopping:
            raise InterruptedRunError


def evaluation_interval(epochs: int) -> int:
    """Return the number of epochs from one evaluation of a run to the next.

    The curve of a run needs no more than a few points, and an evaluation takes time.
    """
    return -(-epochs // EVALUATIONS_PER_RUN)
