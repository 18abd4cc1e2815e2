"""An interrupted run resumes from its checkpoint, with the same result as without interruption."""

import os
import pickle
from pathlib import Path

import pytest

from training_factors.storage.checkpoints import Checkpoints
from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.live_trial import LiveTrial
from training_factors.storage.owner import this_process
from training_factors.storage.retry import StorageUnavailableError
from training_factors.storage.run_queue import Claim, Run
from training_factors.storage.studies import Study, create_study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.running import checkpointer
from training_factors.study.running.preparation import PreparedStudy, prepare_study
from training_factors.study.running.reporter import RunReporter
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.running.signals import InterruptedRunError, StopSignal
from training_factors.study.running.trial_runner import WorkerContext, run_claim
from training_factors.study.running.worker import open_context

EPOCHS = 12

STATEFUL = (
    "optimizer=adamw", "schedule=cosine", "warmup=linear", "dropout=dropout", "batch_norm=batch",
    "weight_average=ema", "augment_geometry=affine", "augment_mix=mixup",
)  # fmt: skip
"""Options whose state a checkpoint must contain: momentum, a schedule, dropout, running statistics,
averaged weights, random augmentation."""


@pytest.fixture(scope="module")
def prepared() -> PreparedStudy:
    return prepare_study(
        Definition(source="digits", limit=300, space="full", fix=STATEFUL, epochs=EPOCHS)
    )


class StopAfter(StopSignal):
    """A stop request that arrives after this number of epochs."""

    def __init__(self, epochs: int) -> None:
        super().__init__(None)
        self._epochs_left = epochs

    @property
    def requested(self) -> bool:
        self._epochs_left -= 1
        return self._epochs_left < 0


def create_context(
    folder: Path, prepared: PreparedStudy, checkpoint_s: float = 1000
) -> WorkerContext:
    database = open_database(f"sqlite:///{folder}/studies.db", create=True)
    study = create_study(database, "mine", prepared.stamp())
    study.queue.add([Run("measure", 3)])
    return open_context(study, prepared, "cpu", 0, WorkerTiming(checkpoint_s=checkpoint_s))


def claim_run(study: Study) -> Claim:
    claimed = study.queue.claim(str(this_process()))
    assert claimed is not None
    return claimed


def finish(context: WorkerContext, stop: StopSignal) -> Trial:
    assert run_claim(context, claim_run(context.study), stop) is None
    (trial,) = read_trials(context.study)
    return trial


def interrupt(context: WorkerContext, epochs: int) -> None:
    with pytest.raises(InterruptedRunError):
        run_claim(context, claim_run(context.study), StopAfter(epochs))


def checkpoint_files(context: WorkerContext) -> list[Path]:
    return sorted((context.study.folder / "checkpoints").glob("*"))


@pytest.fixture(scope="module")
def uninterrupted(prepared: PreparedStudy, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return finish(
        create_context(tmp_path_factory.mktemp("uninterrupted"), prepared), StopSignal(None)
    )


@pytest.mark.parametrize("stops", [(0,), (5,), (10,), (0, 3, 4)])
def test_a_resumed_run_ends_like_an_uninterrupted_one(
    tmp_path: Path, prepared: PreparedStudy, uninterrupted: Trial, stops: tuple[int, ...]
) -> None:
    context = create_context(tmp_path, prepared)
    for epochs in stops:
        interrupt(context, epochs)
        assert read_trials(context.study)[0].state == "WAITING"
    trial = finish(context, StopSignal(None))
    assert trial.metrics == uninterrupted.metrics
    assert trial.curve == uninterrupted.curve
    assert len(trial.curve) >= 6
    assert checkpoint_files(context) == [], "an ended run has no checkpoints"


def test_a_run_resumes_at_the_epoch_of_its_checkpoint(
    tmp_path: Path, prepared: PreparedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = create_context(tmp_path, prepared)
    interrupt(context, 8)
    epochs: list[int] = []
    report = RunReporter.report

    def recorded(self: RunReporter, epoch: int, *arguments: object) -> bool:
        epochs.append(epoch)
        return report(self, epoch, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(RunReporter, "report", recorded)
    finish(context, StopSignal(None))
    assert epochs == [9, 10, 11]


def test_a_truncated_checkpoint_is_ignored(
    tmp_path: Path, prepared: PreparedStudy, uninterrupted: Trial
) -> None:
    context = create_context(tmp_path, prepared)
    interrupt(context, 3)
    interrupt(context, 4)
    _, newer = checkpoint_files(context)
    newer.write_bytes(newer.read_bytes()[:1000])
    trial = finish(context, StopSignal(None))
    assert (trial.metrics, trial.curve) == (uninterrupted.metrics, uninterrupted.curve)


def test_a_hostile_checkpoint_runs_no_code(
    tmp_path: Path, prepared: PreparedStudy, uninterrupted: Trial, caplog: pytest.LogCaptureFixture
) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path}/pwned",)

    context = create_context(tmp_path, prepared)
    interrupt(context, 3)
    original = checkpointer.checkpoints_of

    def with_hostile_checkpoint(trial: LiveTrial) -> Checkpoints:
        files = original(trial)
        files.write(9, pickle.dumps(Hostile(), protocol=2))
        return files

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpointer, "checkpoints_of", with_hostile_checkpoint)
        trial = finish(context, StopSignal(None))
    assert not (tmp_path / "pwned").exists()
    assert "ignored an unreadable checkpoint" in caplog.text
    assert trial.metrics == uninterrupted.metrics


def test_a_checkpoint_that_cannot_be_written_stops_the_worker(
    tmp_path: Path, prepared: PreparedStudy
) -> None:
    context = create_context(tmp_path, prepared, checkpoint_s=0)
    context.study.folder.mkdir()
    (context.study.folder / "checkpoints").write_text("in the way", encoding="utf-8")
    with pytest.raises(StorageUnavailableError, match="cannot write a checkpoint"):
        run_claim(context, claim_run(context.study), StopSignal(None))
    assert (context.study.folder / "checkpoints").read_text(encoding="utf-8") == "in the way"
