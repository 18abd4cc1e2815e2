"""Studies whose objective is another metric than accuracy, from the command line to the answer."""

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import training_factors as tf
from training_factors.storage.database import open_database
from training_factors.storage.studies import Study, load_study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.analysis.best_configuration import best_trial
from training_factors.study.commands import execute

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the same study for accuracy and for log loss, and one for RMSE; return their folder."""
    made = tmp_path_factory.mktemp("metrics")
    run = partial(tf.run, preset="smoke", rows=32, epochs=3, space="small", workers=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        run("wine", study="accuracy")
        run("wine", study="loss", metric="log-loss")
        # These two explain most of what differs, whatever the processor rounds.
        two = ["optimizer", "normalization"]
        run("diabetes", study="error", metric="rmse", epochs=10, only=two)
    return made


@pytest.fixture(autouse=True)
def _in_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


@pytest.fixture
def opened() -> Iterator[dict[str, Study]]:
    database = open_database("sqlite:///runs/studies.db", reading=True)
    yield {name: load_study(database, name) for name in ("accuracy", "loss", "error")}
    database.close()


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert execute([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def complete(study: Study) -> list[Trial]:
    return [trial for trial in read_trials(study) if trial.complete]


@pytest.mark.parametrize(("name", "metric"), [("loss", "log_loss"), ("error", "rmse")])
def test_a_loss_is_maximized_with_its_sign_changed(
    opened: dict[str, Study], name: str, metric: str
) -> None:
    study = opened[name]
    chance = study.stamp.chance[metric]
    assert study.stamp.objective == f"negative_{metric}"
    assert study.optuna_study.metric_names == [f"validation negative_{metric}"]
    assert study.optuna_study.direction.name == "MAXIMIZE"
    for trial in complete(study):
        assert trial.value == pytest.approx(-min(trial.metrics[metric], chance), rel=1e-6)
        assert trial.attributes["chance"] == pytest.approx(-chance, rel=1e-6)
        assert trial.attributes["perfect"] == 0
    best = best_trial(read_trials(study))
    assert best is not None
    assert best.metrics[metric] == min(trial.metrics[metric] for trial in complete(study))


def test_the_search_prunes_the_runs_with_the_larger_loss(opened: dict[str, Study]) -> None:
    trials = read_trials(opened["loss"])
    measured = [t.curve[max(t.curve)] for t in trials if t.phase == "measure"]
    searched = [t for t in trials if t.phase == "search" and t.complete]
    assert max(t.value or -9 for t in searched) >= sorted(measured)[-8]


def test_the_stored_metrics_give_the_answer_of_a_study_for_that_metric(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The measured rows of both studies are the same runs."""
    own = document(capsys, "importance", "--study", "loss")
    found = document(capsys, "importance", "--study", "accuracy", "--of", "log-loss")
    assert (found["metric"], found["objective"]) == ("log_loss", "negative_log_loss")
    assert (found["study"], found["study_objective"]) == ("accuracy", "accuracy")
    for key in ("evidence", "surrogate", "interactions", "seed_noise", "topics"):
        assert found[key] == own[key]
    assert found["verdict"]["sentence"] == own["verdict"]["sentence"]
    for one, other in zip(found["factors"], own["factors"], strict=True):
        assert one == {key: other[key] for key in one} | {"verdict": one["verdict"]}


def test_the_own_metric_gives_the_own_answer(capsys: pytest.CaptureFixture[str]) -> None:
    own = document(capsys, "importance", "--study", "error")
    found = document(capsys, "importance", "--study", "error", "--of", "rmse")
    assert [f["share"] for f in found["factors"]] == [f["share"] for f in own["factors"]]
    assert found["best"]["trial"] == own["best"]["trial"]


def test_another_metric_replaces_nothing_of_the_study(
    folder: Path, capsys: pytest.CaptureFixture[str], opened: dict[str, Study]
) -> None:
    def state() -> tuple[dict[Path, str], dict[str, Any]]:
        files = {
            path: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((folder / "runs/error").rglob("*"))
            if path.is_file()
        }
        study = opened["error"]
        return files, study.database.storage.get_study_system_attrs(study.study_id)

    execute(["importance", "--study", "error"])
    before = state()
    capsys.readouterr()
    assert execute(["importance", "--study", "error", "--of", "mae"]) == 0
    text = capsys.readouterr().out
    assert "importance for negative_mae (minus mae, so that higher is better)" in text
    assert "The study maximized negative_rmse" in text
    assert "points" not in text
    assert state() == before


def test_screens_of_a_loss_show_its_unit_and_no_points(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    for verb in ("importance", "effects", "recommend", "status"):
        assert execute([verb, "--study", "error"]) == 0
        text = capsys.readouterr().out
        assert "negative_rmse" in text and "points" not in text
        assert verb == "status" or "target" in text
    page = (folder / "runs/error/report.html").read_text(encoding="utf-8")
    shown = page[: page.index('<script type="application/json" id="plots">')]
    assert "validation negative_rmse (minus rmse, so that higher is better)" in shown
    assert "points" not in shown[shown.index("<body>") :].replace("points of accuracy", "")
    toml = (folder / "runs/error/recommended.toml").read_text(encoding="utf-8")
    assert 'metric = "rmse"' in toml


def test_studies_of_other_objectives_are_compared_with_a_word(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert execute(["compare", "accuracy", "loss"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "different objectives: accuracy accuracy, loss negative_log_loss" in words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--of", "acuracy"], "did you mean 'accuracy'? choose one of accuracy, balanced_"),
        (["--of", "rmse"], "no metric of accuracy; choose one of accuracy, balanced_accuracy"),
        (["--of", "kappa", "--lenses"], "cannot be combined"),
    ],
)
def test_a_metric_that_is_not_stored_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert execute(["importance", "--study", "accuracy", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err and len(err.splitlines()) == 1


def test_a_confirmation_is_of_the_metric(
    folder: Path, capsys: pytest.CaptureFixture[str], opened: dict[str, Study]
) -> None:
    shown = str(tf.load("error").confirm(["normalization"], difference=50, workers=0))
    assert "test negative_rmse -" in shown and "points" not in shown
    confirmation = load_study(opened["error"].database, "error.confirm")
    tested = [trial for trial in read_trials(confirmation) if trial.test_value is not None]
    assert tested
    for trial in tested:
        assert trial.test_value is not None
        assert 0 < -trial.test_value <= trial.test["rmse"]
        if -trial.test_value != trial.test["rmse"]:
            # At chance: as large as the error of predicting the mean of the test part.
            assert trial.test_value == min(t.test_value or 0 for t in tested)
    assert execute(["confirm", "--study", "error", "--difference", "0"]) == 2
    assert "--difference 0 must be greater than 0" in capsys.readouterr().err
