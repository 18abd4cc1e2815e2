"""Runs under other divisions of the data: what they are, and that nothing else sees them."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import training_factors as tf
from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.run_queue import DIVISION, PHASES, Run
from training_factors.storage.studies import Study, create_study, load_study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.analysis.best_configuration import best_trial
from training_factors.study.commands import execute
from training_factors.study.data.division import divide
from training_factors.study.data.other_divisions import other_division
from training_factors.study.running.confirmation import next_stage
from training_factors.study.running.confirmation_size import ConfirmationRequest
from training_factors.study.running.preparation import PreparedStudy, prepare_study
from training_factors.study.running.settings import WorkerTiming, division_runs
from training_factors.study.running.signals import StopSignal
from training_factors.study.running.worker import open_context, work

SMALL = {"space": "small", "preset": "smoke", "rows": 16, "epochs": 1, "workers": 0}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(name: str, **named: object) -> tf.FactorStudy:
    return tf.run("wine", study=name, **{**SMALL, **named})  # type: ignore[arg-type]


def runs_of(study: tf.FactorStudy, *, other: bool) -> pd.DataFrame:
    trials = study.trials().drop(columns="time_s")
    kept = trials[(trials.phase == DIVISION) == other]
    return kept.sort_values(["phase", "row", "repeat"]).reset_index(drop=True)


def test_they_come_last_and_belong_to_the_repeated_rows() -> None:
    assert PHASES.index(DIVISION) == PHASES.index("search") + 1
    assert division_runs([0, 3], 3) == [
        Run(DIVISION, 0, 1), Run(DIVISION, 0, 2), Run(DIVISION, 3, 1), Run(DIVISION, 3, 2),
    ]  # fmt: skip
    assert division_runs([0, 3], 1) == []


@pytest.mark.slow
def test_they_change_no_other_result() -> None:
    """Added at the end or there from the start: the same runs, also of a search that goes on."""
    study = search_on(run("added"))
    before, answer = runs_of(study, other=False), study.importance().answer
    assert answer.division_noise is None
    assert run("added", divisions=2, preset=None, rows=None).status.total == 37 + 4
    study = run("added", divisions=3)
    assert study.status.total == 37 + 8
    assert runs_of(study, other=False).equals(before)
    assert run("added", divisions=3).status.total == 37 + 8
    found = study.importance().answer
    noise = found.division_noise
    assert noise is not None and (noise.rows, noise.runs) == (4, 8)
    assert noise.interval[0] <= noise.share <= noise.interval[1]
    assert found._replace(division_noise=None) == answer
    together = search_on(run("together", divisions=3))
    assert runs_of(together, other=False).equals(before)
    assert runs_of(together, other=True).equals(runs_of(study, other=True))


def search_on(study: tf.FactorStudy) -> tf.FactorStudy:
    """Add four runs to the search, and run them."""
    opened = load_study(open_database("sqlite:///runs/studies.db"), study.name)
    opened.queue.add([Run("search", row) for row in range(8, 12)])
    opened.database.close()
    return run(study.name, preset=None, rows=None)


@pytest.fixture(scope="module")
def prepared() -> PreparedStudy:
    return prepare_study(Definition(source="wine", space="small", epochs=4))


def stored(prepared: PreparedStudy, name: str) -> Study:
    database = open_database("sqlite:///studies.db", create=True)
    study = create_study(database, name, prepared.stamp())
    study.queue.add([Run("measure", 1), Run(DIVISION, 1, 2)])
    return study


def test_a_run_uses_its_own_division_and_resumes_with_it(
    prepared: PreparedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after every epoch and resumed, it ends as a run that was never stopped."""
    timing = WorkerTiming(checkpoint_s=0)
    straight, stopped = stored(prepared, "straight"), stored(prepared, "stopped")
    context = open_context(straight, prepared, "cpu", 0, timing)
    assert work(straight, context, StopSignal()) == 0
    attempts = 0
    while stopped.queue.progress()[DIVISION].done == 0:
        attempts += 1
        stop = StopSignal(is_asked=partial(next, iter([False, True]), True))
        work(stopped, open_context(stopped, prepared, "cpu", 0, timing), stop)
    assert attempts > 4
    ended, resumed = (read_trials(study) for study in (straight, stopped))
    assert [(t.phase, t.row, t.repeat, t.value, t.seed, t.metrics) for t in ended] == [
        (t.phase, t.row, t.repeat, t.value, t.seed, t.metrics) for t in resumed
    ]
    measured, other = ended
    assert measured.parameters == other.parameters and measured.seed != other.seed
    indices = other_division(prepared.dataset, 0, 1, 2)
    assert not indices.validation.equal(divide(prepared.dataset, 0).validation)
    # The confusion counts the samples of the validation part by their class.
    counts = np.zeros(3, dtype=int)
    for true, _, samples in other.confusion:
        counts[true] += samples
    assert counts.tolist() == prepared.dataset.targets[indices.validation].bincount().tolist()


def trial(number: int, phase: str, value: float) -> Trial:
    return Trial(number, "COMPLETE", phase, number, 0, 0, {"x": number}, value, {}, {}, 1.0, {})


def test_they_are_never_the_best_run(prepared: PreparedStudy) -> None:
    trials = [trial(0, "measure", 0.5), trial(1, "search", 0.6), trial(2, DIVISION, 0.9)]
    assert best_trial(trials) == trials[1]
    request = ConfirmationRequest({}, 0.01)
    stage = next_stage(trials, [], [], prepared.space, request)
    assert [arm.name for arm in stage.arms] == ["trial 1", "trial 0"]


def with_own_validation(folder: Path) -> Path:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(90, 3)), columns=["a", "b", "c"])
    frame["y"] = ["low", "high", "mid"] * 30
    frame["part"] = ["train"] * 45 + ["validation"] * 30 + ["test"] * 15
    frame.to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--divisions", "0"], "--divisions '0': must be greater than or equal to 1"),
        (["--divisions", "x"], "--divisions 'x': must be a valid integer"),
        (
            ["--data", "table.csv", "--target", "y", "--split-column", "part", "--divisions", "2"],
            "brings its own; leave --divisions out",
        ),
    ],
)
@pytest.mark.parametrize("verb", ["run", "plan"])
def test_wrong_input_is_one_line_and_stores_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    verb: str,
    words: list[str],
    message: str,
) -> None:
    with_own_validation(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert execute([verb, "--preset", "smoke", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert sorted(tmp_path.rglob("*")) == before


def test_python_refuses_a_wrong_number() -> None:
    with pytest.raises(ValueError, match="--divisions 0 must be 1"):
        run("none", divisions=0)
