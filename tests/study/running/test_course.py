"""A run that was interrupted goes on from its checkpoint, and ends as if it never had been."""

from pathlib import Path

import pytest

from storage.database import open_database
from storage.ledger import Claim, Run
from storage.owner import this_process
from storage.patience import StorageLostError
from storage.studies import Study, create_study
from storage.tables import Trial, read_trials
from storage.weights import Checkpoints
from study.running.objective import Bench, run
from study.running.preparation import Prepared, prepare
from study.running.settings import Definition
from study.running.stopping import InterruptedRunError, Stop
from study.running.timing import Timing
from study.running.worker import open_bench

EPOCHS = 12

# Everything that keeps a state of its own: momentum, a schedule, dropout, running statistics, an
# average of weights, and all that draws at random.
STATEFUL = (
    "optimizer=adamw", "schedule=cosine", "warmup=linear", "dropout=dropout", "batch_norm=batch",
    "weight_average=ema", "augment_geometry=affine", "augment_mix=mixup",
)  # fmt: skip


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(
        Definition(source="digits", limit=300, space="full", fix=STATEFUL, epochs=EPOCHS)
    )


class StopAfter(Stop):
    """Asked to stop at the end of its so many-th epoch."""

    def __init__(self, epochs: int) -> None:
        super().__init__(None)
        self._left = epochs

    @property
    def requested(self) -> bool:
        self._left -= 1
        return self._left < 0


def opened(folder: Path, prepared: Prepared, checkpoint_s: float = 1000) -> Bench:
    database = open_database(f"sqlite:///{folder}/studies.db", create=True)
    study = create_study(database, "mine", prepared.stamp())
    study.ledger.plan([Run("measure", 3)])
    return open_bench(study, prepared, "cpu", 0, Timing(checkpoint_s=checkpoint_s))


def claim(study: Study) -> Claim:
    claimed = study.ledger.claim(str(this_process()))
    assert claimed is not None
    return claimed


def ended(bench: Bench, stop: Stop) -> Trial:
    assert run(bench, claim(bench.study), stop) is None
    (trial,) = read_trials(bench.study)
    return trial


def interrupted(bench: Bench, epochs: int) -> None:
    with pytest.raises(InterruptedRunError):
        run(bench, claim(bench.study), StopAfter(epochs))


def checkpoints(bench: Bench) -> list[Path]:
    return sorted((bench.study.folder / "checkpoints").glob("*"))


@pytest.fixture(scope="module")
def unbroken(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return ended(opened(tmp_path_factory.mktemp("unbroken"), prepared), Stop(None))


@pytest.mark.parametrize("stops", [(0,), (5,), (10,), (0, 3, 4)])
def test_it_ends_as_an_unbroken_run(
    tmp_path: Path, prepared: Prepared, unbroken: Trial, stops: tuple[int, ...]
) -> None:
    bench = opened(tmp_path, prepared)
    for epochs in stops:
        interrupted(bench, epochs)
        assert read_trials(bench.study)[0].state == "WAITING"
    trial = ended(bench, Stop(None))
    assert trial.metrics == unbroken.metrics
    assert trial.curve == unbroken.curve
    assert len(trial.curve) >= 6
    assert checkpoints(bench) == [], "the run has ended"


def test_it_goes_on_where_it_was(
    tmp_path: Path, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = opened(tmp_path, prepared)
    interrupted(bench, 8)
    seen: list[int] = []
    from study.running.course import Course

    report = Course.report

    def noted(self: Course, epoch: int, *arguments: object) -> bool:
        seen.append(epoch)
        return report(self, epoch, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Course, "report", noted)
    ended(bench, Stop(None))
    assert seen == [9, 10, 11]


def test_a_torn_checkpoint_is_passed_over(
    tmp_path: Path, prepared: Prepared, unbroken: Trial
) -> None:
    bench = opened(tmp_path, prepared)
    interrupted(bench, 3)
    interrupted(bench, 4)
    _, newer = checkpoints(bench)
    newer.write_bytes(newer.read_bytes()[:1000])
    trial = ended(bench, Stop(None))
    assert (trial.metrics, trial.curve) == (unbroken.metrics, unbroken.curve)


def test_a_hostile_checkpoint_runs_no_code(
    tmp_path: Path, prepared: Prepared, unbroken: Trial, caplog: pytest.LogCaptureFixture
) -> None:
    import os
    import pickle

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path}/pwned",)

    bench = opened(tmp_path, prepared)
    interrupted(bench, 3)
    from study.running import course

    kept: list[Checkpoints] = []
    original = course.checkpoints_of

    def noted(trial: object) -> Checkpoints:
        kept.append(original(trial))  # type: ignore[arg-type]
        kept[0].write(9, pickle.dumps(Hostile(), protocol=2))
        return kept[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(course, "checkpoints_of", noted)
        trial = ended(bench, Stop(None))
    assert not (tmp_path / "pwned").exists()
    assert "left out" in caplog.text
    assert trial.metrics == unbroken.metrics


def test_a_checkpoint_that_cannot_be_written_stops_the_worker(
    tmp_path: Path, prepared: Prepared
) -> None:
    bench = opened(tmp_path, prepared, checkpoint_s=0)
    bench.study.folder.mkdir()
    (bench.study.folder / "checkpoints").write_text("in the way")
    with pytest.raises(StorageLostError, match="checkpoint cannot be written"):
        run(bench, claim(bench.study), Stop(None))
    assert (bench.study.folder / "checkpoints").read_text() == "in the way"
