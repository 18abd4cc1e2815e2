"""A run that was interrupted goes on from its checkpoint, and ends as if it never had been."""

from pathlib import Path

import pytest

from training_factors.storage.checkpoints import Checkpoints
from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.owner import this_process
from training_factors.storage.retry import StorageUnavailableError
from training_factors.storage.run_queue import Claim, Run
from training_factors.storage.studies import Study, create_study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.running.preparation import PreparedStudy, prepare_study
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.running.signals import InterruptedRunError, StopSignal
from training_factors.study.running.trial_runner import WorkerContext, run_claim
from training_factors.study.running.worker import open_context

EPOCHS = 12

# Everything that keeps a state of its own: momentum, a schedule, dropout, running statistics, an
# average of weights, and all that draws at random.
STATEFUL = (
    "optimizer=adamw", "schedule=cosine", "warmup=linear", "dropout=dropout", "batch_norm=batch",
    "weight_average=ema", "augment_geometry=affine", "augment_mix=mixup",
)  # fmt: skip


@pytest.fixture(scope="module")
def prepared() -> PreparedStudy:
    return prepare_study(
        Definition(source="digits", limit=300, space="full", fix=STATEFUL, epochs=EPOCHS)
    )


class StopAfter(StopSignal):
    """Asked to stop at the end of its so many-th epoch."""

    def __init__(self, epochs: int) -> None:
        super().__init__(None)
        self._left = epochs

    @property
    def requested(self) -> bool:
        self._left -= 1
        return self._left < 0


def opened(folder: Path, prepared: PreparedStudy, checkpoint_s: float = 1000) -> WorkerContext:
    database = open_database(f"sqlite:///{folder}/studies.db", create=True)
    study = create_study(database, "mine", prepared.stamp())
    study.queue.add([Run("measure", 3)])
    return open_context(study, prepared, "cpu", 0, WorkerTiming(checkpoint_s=checkpoint_s))


def claim(study: Study) -> Claim:
    claimed = study.queue.claim(str(this_process()))
    assert claimed is not None
    return claimed


def ended(bench: WorkerContext, stop: StopSignal) -> Trial:
    assert run_claim(bench, claim(bench.study), stop) is None
    (trial,) = read_trials(bench.study)
    return trial


def interrupted(bench: WorkerContext, epochs: int) -> None:
    with pytest.raises(InterruptedRunError):
        run_claim(bench, claim(bench.study), StopAfter(epochs))


def checkpoints(bench: WorkerContext) -> list[Path]:
    return sorted((bench.study.folder / "checkpoints").glob("*"))


@pytest.fixture(scope="module")
def unbroken(prepared: PreparedStudy, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return ended(opened(tmp_path_factory.mktemp("unbroken"), prepared), StopSignal(None))


@pytest.mark.parametrize("stops", [(0,), (5,), (10,), (0, 3, 4)])
def test_it_ends_as_an_unbroken_run(
    tmp_path: Path, prepared: PreparedStudy, unbroken: Trial, stops: tuple[int, ...]
) -> None:
    bench = opened(tmp_path, prepared)
    for epochs in stops:
        interrupted(bench, epochs)
        assert read_trials(bench.study)[0].state == "WAITING"
    trial = ended(bench, StopSignal(None))
    assert trial.metrics == unbroken.metrics
    assert trial.curve == unbroken.curve
    assert len(trial.curve) >= 6
    assert checkpoints(bench) == [], "the run has ended"


def test_it_goes_on_where_it_was(
    tmp_path: Path, prepared: PreparedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = opened(tmp_path, prepared)
    interrupted(bench, 8)
    seen: list[int] = []
    from training_factors.study.running.reporter import RunReporter

    report = RunReporter.report

    def noted(self: RunReporter, epoch: int, *arguments: object) -> bool:
        seen.append(epoch)
        return report(self, epoch, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(RunReporter, "report", noted)
    ended(bench, StopSignal(None))
    assert seen == [9, 10, 11]


def test_a_torn_checkpoint_is_passed_over(
    tmp_path: Path, prepared: PreparedStudy, unbroken: Trial
) -> None:
    bench = opened(tmp_path, prepared)
    interrupted(bench, 3)
    interrupted(bench, 4)
    _, newer = checkpoints(bench)
    newer.write_bytes(newer.read_bytes()[:1000])
    trial = ended(bench, StopSignal(None))
    assert (trial.metrics, trial.curve) == (unbroken.metrics, unbroken.curve)


def test_a_hostile_checkpoint_runs_no_code(
    tmp_path: Path, prepared: PreparedStudy, unbroken: Trial, caplog: pytest.LogCaptureFixture
) -> None:
    import os
    import pickle

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path}/pwned",)

    bench = opened(tmp_path, prepared)
    interrupted(bench, 3)
    from training_factors.study.running import reporter

    kept: list[Checkpoints] = []
    original = reporter.checkpoints_of

    def noted(trial: object) -> Checkpoints:
        kept.append(original(trial))  # type: ignore[arg-type]
        kept[0].write(9, pickle.dumps(Hostile(), protocol=2))
        return kept[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reporter, "checkpoints_of", noted)
        trial = ended(bench, StopSignal(None))
    assert not (tmp_path / "pwned").exists()
    assert "left out" in caplog.text
    assert trial.metrics == unbroken.metrics


def test_a_checkpoint_that_cannot_be_written_stops_the_worker(
    tmp_path: Path, prepared: PreparedStudy
) -> None:
    bench = opened(tmp_path, prepared, checkpoint_s=0)
    bench.study.folder.mkdir()
    (bench.study.folder / "checkpoints").write_text("in the way")
    with pytest.raises(StorageUnavailableError, match="checkpoint cannot be written"):
        run_claim(bench, claim(bench.study), StopSignal(None))
    assert (bench.study.folder / "checkpoints").read_text() == "in the way"
