"""A run trained again: equal to the last digit, or how far apart and why."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import training_factors as tf
from tests.support.session import session_folder
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.analysis.reproduction import NewResult, compare_runs
from training_factors.study.commands import execute
from training_factors.study.reporting.reproduction_table import describe_reproduction


@pytest.fixture(scope="module")
def study() -> Iterator[tf.FactorStudy]:
    """A study with runs of every phase, one of them confirmed."""
    folder = session_folder() / "reproducing"
    folder.mkdir()
    url = f"sqlite:///{folder}/studies.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made = tf.run(
            "wine", preset="smoke", rows=16, epochs=1, space="small", divisions=2, workers=0,
            storage=url, study="mine",
        )  # fmt: skip
        yield made


def first(study: tf.FactorStudy, phase: str) -> Trial:
    return next(t for t in read_trials(study._study) if t.phase == phase and t.complete)


@pytest.mark.parametrize("phase", ["baseline", "measure", "search", "division"])
def test_a_run_trained_again_is_equal_to_the_last_digit(study: tf.FactorStudy, phase: str) -> None:
    before = study.trials()
    trial = first(study, phase)
    found = study.reproduce(trial.number, device="cpu")
    assert found.is_equal and found.stored == trial.value and not found.versions
    (line,) = describe_reproduction(found, "accuracy")
    assert line.startswith(f"run #{trial.number} ({phase}, seed {trial.seed}): validation")
    assert line.endswith(": equal")
    assert study.trials().equals(before), "nothing is stored"


def test_a_run_of_the_confirmation_is_equal_on_the_test_part_too(study: tf.FactorStudy) -> None:
    study.confirm(["optimizer"], seeds=3, top=1, workers=0)
    confirming = tf.load("mine.confirm", study._storage)
    tested = next(t for t in read_trials(confirming._study) if t.test_value is not None)
    found = confirming.reproduce(tested.number)
    assert found.is_equal and found.now_test == tested.test_value
    assert describe_reproduction(found, "accuracy")[1].startswith("on the test part: ")


def test_a_difference_is_told_against_the_noise_of_the_seed(study: tf.FactorStudy) -> None:
    trials = read_trials(study._study)
    trial = first(study, "measure")
    assert trial.value is not None
    metrics = {**trial.metrics, "kappa": 0.123}
    new = NewResult(trial.value + 0.5, metrics, None, {}, "cuda:0", {"torch": "9"})
    found = compare_runs(trial, new, trials, {"torch": "2", "numpy": "2"})
    assert not found.is_equal and found.metrics_differ == ("kappa",)
    assert found.seed_deviation is not None and found.seed_deviation > 0
    lines = describe_reproduction(found, "accuracy")
    assert lines[0].endswith(": not equal")
    times = 0.5 / found.seed_deviation
    assert f"0.5, {times:.2g} times the standard deviation" in lines[1]
    assert lines[-1] == "other than then: torch 2, now 9; device cpu, now cuda:0"


@pytest.mark.parametrize(
    ("number", "words"),
    [("9999", "mine has no run #9999; its runs are #0 to #"), ("-1", "--help"), ("x", "'x'")],
)
def test_a_run_that_is_not_there_is_one_line(
    study: tf.FactorStudy, number: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["reproduce", number, "--study", "mine", "--storage", str(study._storage)]) == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert words in line and out == ""


def test_a_run_that_did_not_reach_its_end_cannot_be_compared(
    study: tf.FactorStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = read_trials(study._study)
    pruned = trials[0]._replace(state="PRUNED", number=0)
    failed = trials[1]._replace(state="FAIL", number=1, attributes={"reason": "out of memory"})
    monkeypatch.setattr(
        "training_factors.study.running.reproducing.read_trials", lambda study: [pruned, failed]
    )
    with pytest.raises(ValueError, match="run #0 of mine was pruned; only a run that"):
        study.reproduce(0)
    with pytest.raises(ValueError, match=r"run #1 of mine failed \(out of memory\)"):
        study.reproduce(1)


def test_json_has_the_comparison(
    study: tf.FactorStudy, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["reproduce", "0", "--study", "mine", "--storage", str(study._storage), "--json"]
    assert execute(words) == 0
    assert '"equal": true' in capsys.readouterr().out
