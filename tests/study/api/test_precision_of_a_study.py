"""What a study says of its precision, from its plan to its report."""

from pathlib import Path

import pytest

from training_factors.storage.database import open_database
from training_factors.storage.precision import BFLOAT16
from training_factors.storage.studies import create_confirmation, load_study
from training_factors.storage.trials import read_trials
from training_factors.study.commands import execute
from training_factors.study.running import precision_choice
from training_factors.study.training import autocast

STUDY = ["--model", "cnn", "--limit", "120", "--epochs", "1", "--study", "mine"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, on a machine that is twice as fast in bfloat16."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(precision_choice, "has_bfloat16", lambda device: True)
    monkeypatch.setattr(precision_choice, "measure_gain", lambda *_: 2.0)
    return tmp_path


def test_a_study_says_its_precision_and_is_confirmed_and_reproduced_in_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    assert execute(["plan", *STUDY[:-2], "--preset", "smoke"]) == 0
    assert "bfloat16 (a step is 2.0 times as fast as in float32)" in capsys.readouterr().out
    run = ["run", *STUDY, "--rows", "16", "--search", "0", "--repeats", "0", "--workers", "0"]
    assert execute(run) == 0
    said = capsys.readouterr()
    assert "precision: bfloat16 (a step is 2.0 times as fast as in float32)" in said.err
    report = (folder / "runs/mine/report.html").read_text(encoding="utf-8")
    assert "precision" in report and "bfloat16" in report

    database = open_database(f"sqlite:///{folder}/runs/studies.db")
    study = load_study(database, "mine")
    assert study.stamp.precision == create_confirmation(study).stamp.precision == BFLOAT16
    number = read_trials(study)[3].number
    database.close()
    monkeypatch.setattr(precision_choice, "measure_gain", lambda *_: 0.5)
    assert execute(["reproduce", str(number), "--study", "mine"]) == 0
    assert "equal" in capsys.readouterr().out

    monkeypatch.setattr(autocast, "has_bfloat16", lambda device: False)
    assert execute([*run[:-6], "--rows", "17", "--workers", "0"]) == 0
    said = capsys.readouterr()
    assert "this study trains in bfloat16, for which torch finds no instructions" in said.err
    assert execute([*run, "--precision", "float32"]) == 2
    said = capsys.readouterr()
    assert "precision: bfloat16 in the study, float32 now" in said.err
    assert len(said.err.splitlines()) == 1


def test_an_unknown_precision_is_refused(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert execute(["run", *STUDY, "--precision", "half"]) == 2
    assert "--precision 'half': must be 'auto', 'float32' or 'bfloat16'" in capsys.readouterr().err
    assert not list(folder.iterdir())
