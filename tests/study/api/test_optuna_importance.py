"""Studies of other programs, from Python and on the terminal."""

import hashlib
import json
import sqlite3
from pathlib import Path

import matplotlib.figure
import optuna
import pytest
from optuna.exceptions import ExperimentalWarning
from optuna.importance import get_param_importances
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

import training_factors as tf
from tests.support.optuna_programs import GROUPS, branch, training
from tests.support.studies import create_simulated_study
from training_factors.study.api.optuna_importance import OptunaImportance
from training_factors.study.commands import execute

URL = "sqlite:///theirs.db"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def theirs(name: str = "theirs", storage: object = URL, trials: int = 200) -> optuna.Study:
    """A study of conditional parameters that a plain Optuna program made."""
    study = optuna.create_study(
        study_name=name,
        storage=storage,  # type: ignore[arg-type]
        sampler=optuna.samplers.RandomSampler(seed=0),
        direction="minimize",
    )
    study.optimize(training, n_trials=trials)
    return study


def refused(capsys: pytest.CaptureFixture[str], *words: str, code: int = 2) -> str:
    """Run `importance`, which is refused with one line; return that."""
    assert execute(["importance", *words]) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    return output.err


@pytest.mark.slow
def test_any_optuna_study_has_an_importance() -> None:
    study = theirs(trials=64)
    found = tf.importance(study)
    assert isinstance(found, OptunaImportance)
    assert found.notes[0].startswith("trials look designed")
    assert "64 of 64 trials are complete" in found.notes
    assert "is minimized: a positive gain is a decrease" in found.notes[-1]
    assert found.leaders[0] == "lr"
    assert found.table().index[0] == "lr" and found.table().index[-1] == "placebo"
    parameters = found.hyperparameters()
    assert parameters.loc["momentum", "factor"] == "optimizer"
    assert parameters.loc["momentum", "present"] == "optimizer is sgd or rmsprop"
    assert parameters.loc["units_2", "present"] == "n_layers is 3"
    # Optuna's own evaluators, beside: fANOVA looks at a linear scale, and knows no conditions.
    theirs_by_optuna = get_param_importances(
        study, evaluator=optuna.importance.MeanDecreaseImpurityImportanceEvaluator(seed=0)
    )
    assert "momentum" not in theirs_by_optuna
    ours = get_param_importances(study, evaluator=tf.ShapleyImportanceEvaluator())
    assert next(iter(ours)) == "lr" and "momentum" in ours
    assert isinstance(found.plot(), matplotlib.figure.Figure)
    assert found.notes[0] in found._repr_html_().replace("&#x27;", "'")
    text = " ".join(str(found).split())
    assert text.startswith("trials look designed") and found.verdict in text
    assert "diverged" not in text  # nobody knows


@pytest.mark.slow
def test_the_terminal_says_the_same_and_changes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = tf.importance(theirs(trials=48))
    before = hashlib.sha256((tmp_path / "theirs.db").read_bytes()).digest()
    assert execute(["importance", "--from", URL]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert [line.rstrip() for line in printed.out.splitlines()] == [
        line.rstrip() for line in str(found).splitlines()
    ]
    assert execute(["importance", "--from", URL, "--study", "theirs", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["design"]["adaptive"] is False
    assert document["factors"][0]["name"] == "lr"
    assert {one["name"] for one in document["parameters"]} >= {"momentum", "lr"}
    assert hashlib.sha256((tmp_path / "theirs.db").read_bytes()).digest() == before
    assert {path.name for path in tmp_path.iterdir()} == {"theirs.db"}


@pytest.mark.slow
def test_trials_of_a_sampler_that_learns_are_warned_about(
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = optuna.create_study(storage=URL, sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(branch, n_trials=100)
    assert execute(["importance", "--from", URL]) == 0
    first = " ".join(capsys.readouterr().out.split())
    assert first.startswith("trials look adaptive")
    assert "shares are biased" in first and "DesignSampler" in first


@pytest.mark.slow
def test_groups_come_from_python_and_from_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study = optuna.create_study(
        storage=URL, sampler=tf.DesignSampler(), direction="maximize", study_name="branch"
    )
    with pytest.warns(ExperimentalWarning):
        study.set_metric_names(["score"])
    study.optimize(branch, n_trials=64)
    found = tf.importance(study, groups=GROUPS)
    assert set(found.table().index) == {"opt", "z"}
    assert found.objective == "score"
    (tmp_path / "groups.toml").write_text('[groups]\nopt = ["c", "x", "y"]\n', encoding="utf-8")
    assert execute(["importance", "--from", URL, "--groups", "groups.toml", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {one["name"] for one in document["factors"]} == {"opt", "z"}
    assert document["objective"] == "score"
    (tmp_path / "wrong.toml").write_text('opt = ["c", "w"]\n', encoding="utf-8")
    assert "'w'" in refused(capsys, "--from", URL, "--groups", "wrong.toml")
    (tmp_path / "no.toml").write_text("opt = [", encoding="utf-8")
    assert "no.toml is no TOML" in refused(capsys, "--from", URL, "--groups", "no.toml")
    assert "nowhere.toml" in refused(capsys, "--from", URL, "--groups", "nowhere.toml")
    assert "'w'" in refused(capsys, "--from", URL, "--placebo", "w")


def test_a_journal_file_can_be_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    theirs(storage=JournalStorage(JournalFileBackend("theirs.log")), trials=20)
    assert execute(["importance", "--from", "theirs.log", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["evidence"]["rows"] == 20
    (tmp_path / "other.log").write_text("hello\nworld\n{}\n", encoding="utf-8")
    assert "'other.log' is no journal" in refused(capsys, "--from", "other.log")


def test_what_cannot_be_analysed_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert "'none.log' is neither the URL" in refused(capsys, "--from", "none.log")
    assert "no Optuna study in sqlite:///no.db" in refused(
        capsys, "--from", "sqlite:///no.db", code=3
    )
    assert not (tmp_path / "no.db").exists()
    theirs("one", trials=8)
    assert "too few trials: 8 with" in refused(capsys, "--from", URL, code=3)
    theirs("two", trials=1)
    assert "several studies in sqlite:///theirs.db; name one: one, two" in refused(
        capsys, "--from", URL
    )
    assert "did you mean 'one'?" in refused(capsys, "--from", URL, "--study", "onr", code=3)
    assert "'theirs.db' is an SQLite file; name it as sqlite:///theirs.db" in refused(
        capsys, "--from", "theirs.db"
    )
    assert "--from has no --of" in refused(capsys, "--from", URL, "--of", "auc")
    assert "are for studies of other programs" in refused(capsys, "--placebo", "x")


def test_a_database_of_an_older_optuna_is_refused_with_the_remedy(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    theirs(trials=1)
    with sqlite3.connect(tmp_path / "theirs.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v2.6.0.a'")
    connection.close()
    words = refused(capsys, "--from", URL)
    assert "optuna storage upgrade --storage sqlite:///theirs.db" in words


def test_a_study_of_ours_is_not_taken_for_another_program_s() -> None:
    ours = create_simulated_study("sqlite:///runs/studies.db", 24)
    study = optuna.load_study(study_name="simulated", storage="sqlite:///runs/studies.db")
    with pytest.raises(ValueError, match="was made by this tool"):
        tf.importance(study)
    loaded = tf.load()
    assert tf.importance(loaded).answer == loaded.importance().answer
    with pytest.raises(ValueError, match="leave groups, placebo and target out"):
        tf.importance(loaded, groups={"a": ["b"]})  # type: ignore[call-overload]
    ours.database.close()


def test_several_objectives_need_a_target() -> None:
    study = optuna.create_study(directions=["minimize", "maximize"])
    study.optimize(lambda trial: (trial.suggest_float("a", 0, 1), trial.number), n_trials=1)
    with pytest.raises(ValueError, match="target"):
        tf.importance(study)
