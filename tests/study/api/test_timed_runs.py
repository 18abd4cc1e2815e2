"""A study with a limited time: its stages on a real queue, with runs that take a second each."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import training_factors as tf
from training_factors.storage.database import open_database
from training_factors.storage.live_trial import start_trial
from training_factors.storage.run_queue import Run
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import Study, create_study
from training_factors.study.api import timed_runs
from training_factors.study.api.execution import WorkerSettings, worker_settings
from training_factors.study.api.output import Output, Tick
from training_factors.study.api.settings import check_timing
from training_factors.study.reporting.progress import ReadStage
from training_factors.study.running import sizing
from training_factors.study.running.settings import PRESETS

URL = "sqlite:///studies.db"


class Clock:
    """A clock that only simulated runs advance, and the messages and heads that were shown."""

    def __init__(self) -> None:
        self.now = 100.0
        self.messages: list[str] = []

    def monotonic(self) -> float:
        return self.now

    def run_queue(
        self, study: Study, prepared: None, settings: WorkerSettings, output: Output, *,
        is_stage: bool,
    ) -> int:  # fmt: skip
        assert is_stage
        with output.progress(study, 1, "nowhere") as tick:
            while claim := study.queue.claim("me"):
                trial = start_trial(study, claim, {}, {}, claim.run._asdict())
                trial.complete(0.5, {"time_s": 1.0}, {})
                self.now += 1
                tick()
        return 0


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.chdir(tmp_path)
    clock = Clock()
    monkeypatch.setattr(timed_runs, "time", clock)
    monkeypatch.setattr(timed_runs, "run_queue", clock.run_queue)
    monkeypatch.setattr(timed_runs, "prepare_stored", lambda study, settings: None)
    return clock


@contextmanager
def shows_nothing(
    study: Study, workers: int, place: str, stage: ReadStage | None = None
) -> Iterator[Tick]:
    yield lambda: None


def run_for(seconds: float, study: Study, clock: Clock) -> dict[str, int]:
    """Run a study for a time; return the number of runs by phase, which are all done."""
    settings = worker_settings(
        storage=URL, workers=0, per_gpu=1, device="cpu", start=None, cluster=None,
        allow_code=False, timing=check_timing(),
    )  # fmt: skip
    limit = timed_runs.start_time_limit(seconds / 3600, None, None, 1)
    assert limit is not None
    output = Output(clock.messages.append, shows_nothing)
    assert timed_runs.run_within(study, None, settings, output, limit) == 0
    progress = study.queue.progress()
    assert all(phase.done == phase.total for phase in progress.values())
    return {phase: counts.total for phase, counts in progress.items()}


def new_study() -> Study:
    study = create_study(open_database(URL, create=True), "mine", Stamp("accuracy"))
    study.queue.add([Run("baseline", 0), Run("also", 0)])
    return study


def test_a_study_grows_to_the_size_that_fits_and_goes_on_later(clock: Clock) -> None:
    study = new_study()
    assert run_for(150, study, clock) == {
        "baseline": 1, "measure": 64 + 2 * 4, "also": 1, "search": 64,
    }  # fmt: skip
    assert clock.messages == [
        "0.0416667 hours suffice for 64 configurations, 4 of them repeated: a run ends every 1 s",
        "0.0416667 hours: 64 configurations, 4 of them repeated, 64 searched",
    ]
    assert 238 - 12 <= clock.now <= 250
    began = clock.now
    assert run_for(360, study, clock)["measure"] == 256 + 2 * 16
    assert 0.8 * 360 <= clock.now + 19 - began <= 1.2 * 360


def test_what_was_planned_before_and_does_not_fit_is_left_out(clock: Clock) -> None:
    study = new_study()
    study.queue.add(PRESETS["deep"].runs())
    assert run_for(30, study, clock) == {"baseline": 1, "measure": 16, "also": 1, "search": 2}
    assert run_for(8, study, clock)["search"] == 2  # nothing but the analysis fits


def test_too_short_a_time_stops_and_says_what_an_answer_needs(clock: Clock) -> None:
    study = new_study()
    assert run_for(5, study, clock) == {"baseline": 1, "measure": 4, "also": 1}
    assert clock.messages == [
        "0.00138889 hours: 4 configurations; an answer needs 16: the same command with "
        "--hours 0.007 goes on"
    ]


@pytest.mark.slow
def test_a_study_for_some_hours_with_an_own_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained in this process: it is never pruned, named, and there once."""
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text('[settings]\noptimizer = "adam"\n', encoding="utf-8")
    named = {"space": "small", "epochs": 1, "study": "s", "workers": 0}
    monkeypatch.setattr(sizing, "MAX_ROWS", 16)
    study = tf.run("wine", hours=1, also="mine.toml", **named)  # type: ignore[arg-type]
    trials = study.trials()
    assert trials.phase.value_counts().to_dict() == {
        "measure": 16 + 2 * 4, "search": 2 * 16, "baseline": 1, "also": 1,
    }  # fmt: skip
    (own,) = trials[trials.phase == "also"].itertuples()
    assert (own.state, own.row, own.configuration, own.optimizer) == ("COMPLETE", 0, "mine", "adam")
    again = tf.run("wine", also=["mine.toml", Path("mine.toml")], **named)  # type: ignore[arg-type]
    assert again.trials().equals(trials)
