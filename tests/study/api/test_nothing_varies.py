"""A study whose factors are all fixed: its runs differ in their seed, and no factor can matter."""

import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t

import training_factors as tf
from tests.support.program import run_verb
from tests.support.session import once_per_session, session_folder
from tests.support.studies import smoke_study
from training_factors.storage.database import open_database
from training_factors.storage.own_configurations import read_own_configurations
from training_factors.storage.studies import load_study
from training_factors.storage.trials import read_trials
from training_factors.study.api import execution
from training_factors.study.reporting.recommendation_table import compute_recommendation


@once_per_session
def fixed_study() -> Path:
    """Train the configuration that a smoke study recommends; return the folder."""
    folder = shutil.copytree(smoke_study()[0], session_folder() / "fixed-study")
    assert run_verb(folder, "recommend").returncode == 0
    (path,) = folder.glob("runs/*/recommended.toml")
    shutil.copy(path, folder / "recommended.toml")
    result = run_verb(folder, "run", "--config", "recommended.toml", "--rows", "16", "--repeats",
                      "0", "--workers", "0", "--study", "fixed")  # fmt: skip
    assert result.returncode == 0, result.stderr
    (folder / "out.txt").write_text(result.stdout, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def folder() -> Path:
    return fixed_study()


@pytest.mark.slow
def test_the_configuration_is_the_recommended_one(folder: Path) -> None:
    database = open_database(f"sqlite:///{folder}/runs/studies.db")
    fixed = load_study(database, "fixed")
    (name,) = {path.parent.name for path in folder.glob("runs/*/recommended.toml")}
    recommended = compute_recommendation(load_study(database, name), jobs=1)
    for setting in recommended.settings:
        baseline = fixed.stamp.space.factor(setting.factor).baseline
        assert baseline.name == setting.option
        defaults = {h.name: h.default for h in baseline.hyperparameters}
        values = {path.rsplit(".", 1)[1]: v for path, v in setting.hyperparameters.items()}
        assert defaults == values
    assert fixed.stamp.space.is_fixed
    assert {trial.phase for trial in read_trials(fixed)} == {"baseline", "measure"}


@pytest.mark.slow
def test_screens_say_the_mean_and_its_interval(folder: Path) -> None:
    database = open_database(f"sqlite:///{folder}/runs/studies.db")
    values = np.array([trial.value for trial in read_trials(load_study(database, "fixed"))])
    margin = t.ppf(0.975, 16) * values.std(ddof=1) / 17**0.5
    words = (
        f"accuracy of {values.mean():.4f} (95 % interval {values.mean() - margin:.4f} to "
        f"{values.mean() + margin:.4f}), the mean of 17 seeds"
    )
    out = " ".join((folder / "out.txt").read_text(encoding="utf-8").split())
    assert f"nothing varies in this study: its configuration has a validation {words}" in out
    assert "--rows 32" in out and "single run" not in out
    document = json.loads(run_verb(folder, "importance", "--study", "fixed", "--json").stdout)
    assert document["varies"] is False and document["seeds"]["seeds"] == 17
    assert document["seeds"]["mean"] == pytest.approx(values.mean())
    assert words in document["conclusion"]["sentence"]
    page = (folder / "runs/fixed/report.html").read_text(encoding="utf-8")
    assert "othing varies in this study" in page


@pytest.mark.slow
def test_what_needs_factors_says_that_nothing_varies(folder: Path) -> None:
    for verb in (["recommend"], ["effects"], ["confirm"], ["importance", "--of", "log_loss"]):
        result = run_verb(folder, *verb, "--study", "fixed")
        assert result.returncode == 3 and result.stdout == ""
        assert "nothing varies in this study: its configuration has a validation" in result.stderr
    status = run_verb(folder, "status", "--study", "fixed").stdout
    assert "nothing varies: one configuration with 17 seeds" in " ".join(status.split())
    study = tf.load("fixed", f"sqlite:///{folder}/runs/studies.db")
    with pytest.raises(tf.NoAnswer, match="nothing varies"):
        study.importance()
    assert "nothing varies" in study._repr_html_()


@pytest.mark.slow
def test_the_recommended_file_joins_another_study(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (folder / "recommended.toml").read_text(encoding="utf-8")
    assert all("option" in table for table in tomllib.loads(text)["factors"].values())
    (tmp_path / "recommended.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(execution, "run_queue", lambda *arguments: 130)  # nothing is trained
    created = run_verb(tmp_path, "run", "--data", "wine", "--space", "small", "--preset", "smoke",
                       "--also", "recommended.toml")  # fmt: skip
    assert "1 configuration of your own added" in created.stderr
    study = load_study(open_database(f"sqlite:///{tmp_path}/runs/studies.db"), None)
    (own,) = read_own_configurations(study)
    assert own.name == "recommended"


def test_a_plan_says_it_and_plans_no_search(tmp_path: Path) -> None:
    planned = run_verb(tmp_path, "plan", "--data", "wine", "--only", "residual", "--fix",
                       "residual=none", "--epochs", "1", "--preset", "smoke")  # fmt: skip
    assert "nothing varies: one configuration is trained with different seeds" in planned.stdout
    assert "searched" not in planned.stdout and "confirm" not in planned.stdout
