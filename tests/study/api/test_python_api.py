"""The Python API: what it returns, its silence, and errors in the words of the terminal."""

import contextlib
import inspect
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris, load_wine
from torch import nn
from torch.utils.data import TensorDataset

import training_factors as tf
from tests.support.program import ROOT
from tests.support.session import once_per_session, session_folder
from tests.support.studies import create_simulated_study
from training_factors.search_spaces import registry
from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.studies import load_study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.api.settings import StudySettings, definition_values
from training_factors.study.commands import execute
from training_factors.study.reporting import frames


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Net(nn.Module):
    """A network that only this test module has: its folder is no package."""

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(in_features, 8), nn.ReLU(), nn.Linear(8, num_classes))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.layers(inputs)
        return outputs


QUICK = {"preset": "smoke", "rows": 16, "epochs": 1, "space": "small"}


@once_per_session
def simulated_folder() -> Path:
    """Make the folder of a study whose results a formula gives, with its answer and its report."""
    folder = session_folder() / "simulated"
    create_simulated_study(
        f"sqlite:///{folder}/runs/studies.db", 40, space="small"
    ).database.close()
    with contextlib.chdir(folder):
        tf.load().report()
    return folder


def simulated() -> tf.FactorStudy:
    """A study whose results a formula gives, in the current folder, which has its answer."""
    shutil.copytree(simulated_folder(), Path(), dirs_exist_ok=True)
    return tf.load()


def test_a_missing_folder_of_a_report_is_refused_before_anything_is_computed() -> None:
    study = simulated()
    with pytest.raises(ValueError, match="create it first: mkdir -p no/such"):
        study.report("no/such/page.html")
    with pytest.raises(ValueError, match="create it first: mkdir -p no/such"):
        study.export_tables("no/such/tables")
    assert not Path("no").exists()


# Running


@pytest.mark.slow
def test_a_study_of_objects_is_silent_and_leaves_the_process_as_it_was(
    capfd: pytest.CaptureFixture[str],
) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    frame = load_iris(as_frame=True).frame
    study = tf.run(frame, target="target", model=Net, study="mine", **QUICK)  # type: ignore[arg-type]
    assert capfd.readouterr() == ("", "")
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)
    assert study.status.done == study.status.total == 1 + 16 + 8 + 8
    assert any(note.startswith("parts: training 90") for note in study.notes)
    # The same call finds nothing left to do; other data of the same name is refused.
    again = tf.run(frame, target="target", model=Net, study="mine", **QUICK)  # type: ignore[arg-type]
    assert again.trials().equals(study.trials())
    with pytest.raises(ValueError, match=r"'mine' has different settings.*fingerprint"):
        tf.run(frame[1:], target="target", model=Net, study="mine", **QUICK)  # type: ignore[arg-type]
    # No other process, and no later program, has the objects.
    with pytest.raises(ValueError, match=r"Python object \(DataFrame\).*go on with training_f"):
        tf.run(study="mine", model=Net, rows=24)
    with pytest.raises(ValueError, match="--start spawn does not work with data or a model"):
        tf.run(frame, target="target", model=Net, study="mine", start="spawn", rows=24)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(load_wine(return_X_y=True), id="a pair of arrays"),
        pytest.param(load_wine(as_frame=True).frame, id="a DataFrame"),
        pytest.param(lambda: load_wine(return_X_y=True), id="a function"),
        pytest.param(
            TensorDataset(
                torch.tensor(load_wine().data, dtype=torch.float32),
                torch.tensor(load_wine().target),
            ),
            id="a data set",
        ),
        pytest.param({"X": load_wine().data, "y": load_wine().target}, id="named arrays"),
    ],
)
def test_data_may_be_an_object(data: object) -> None:
    from training_factors.study.running.preparation import prepare_study

    target = {"target": "target"} if isinstance(data, pd.DataFrame) else {}
    values, given = definition_values(data, None, {**target, "task": "classification"})
    prepared = prepare_study(Definition.model_validate(values), data=given.data)
    assert prepared.dataset.problem.shape == (13,)
    assert prepared.dataset.problem.classes == 3
    assert prepared.is_given


@pytest.mark.slow
def test_progress_is_shown_where_it_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    tf.run("wine", workers=0, progress=True, study="shown", **QUICK)  # type: ignore[arg-type]
    output = capfd.readouterr()
    assert output.out == ""
    assert "parts: training" in output.err  # what was done to the data
    assert "shown: 100%" in output.err


def test_python_values_become_the_texts_of_the_command_line() -> None:
    values, given = definition_values(
        Path("pets"),
        "cnn",
        {
            "fix": {"optimizer": "adamw", "optimizer.adamw.lr": 1e-3},
            "range": {
                "optimizer.sgd.lr": tf.LogUniform(1e-3, 1),
                "batch_size.minibatch.samples": tf.OneOf(32, 64),
                "dropout.dropout.rate": (0.1, 0.2),
            },
            "choices": {"activation": ["relu", "gelu"]},
            "drop": "augment_mix",
            "ignore": ["a", "b"],
            "weights": Path("w.safetensors"),
        },
    )
    assert not given.is_any
    assert values == {
        "source": "pets",
        "model": "cnn",
        "fix": ("optimizer=adamw", "optimizer.adamw.lr=0.001"),
        "range": (
            "optimizer.sgd.lr=0.001:1:log",
            "batch_size.minibatch.samples=32,64",
            "dropout.dropout.rate=0.1:0.2",
        ),
        "choices": ("activation=relu,gelu",),
        "drop": ("augment_mix",),
        "ignore": ("a", "b"),
        "weights": "w.safetensors",
    }


def test_settings_are_those_of_a_definition() -> None:
    assert set(StudySettings.__annotations__) == set(Definition.model_fields) - {"source", "model"}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"data": "digit"}, ["--data", "digit"]),
        ({"epochs": 0}, ["--epochs", "0"]),
        ({"space": "ful"}, ["--space", "ful"]),
        ({"fix": {"optimizer": "adm"}}, ["--fix", "optimizer=adm"]),
        ({"workers": 3, "start": "none"}, ["--workers", "3", "--start", "none"]),
        ({"device": "tpu"}, ["--device", "tpu"]),
        ({"preset": "quik"}, ["--preset", "quik"]),
        ({"storage": "nonsense"}, ["--storage", "nonsense"]),
    ],
)
def test_wrong_input_has_the_words_of_the_terminal(
    call: dict[str, object], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError) as caught:
        tf.run(**call)  # type: ignore[arg-type]
    assert execute(["run", *words]) == 2
    assert capsys.readouterr().err == f"run_study.py: error: {caught.value}\n"
    assert not Path("runs").exists()


def test_what_is_not_there_is_an_error() -> None:
    with pytest.raises(LookupError, match="there is no study"):
        tf.load()
    create_simulated_study("sqlite:///runs/studies.db", 8, space="small").database.close()
    study = tf.load()
    with pytest.raises(tf.NoStudyError, match="did you mean 'simulated'"):
        tf.load("simulate")
    with pytest.raises(tf.NoAnswer, match="too few configurations"):
        study.importance()
    with pytest.raises(ValueError, match="this study has no chart 'learning_curve'"):
        study.plot("learning_curve")
    assert "too few configurations" in study._repr_html_()


# Factors


def small_step(recipe: tf.Recipe) -> tf.Recipe:
    """Leave the gradient as it is."""
    return recipe


def large_step(recipe: tf.Recipe, amount: Annotated[float, tf.Uniform(1.5, 3)] = 2.0) -> tf.Recipe:
    """Smooth the labels."""
    return replace(recipe, batch_size=int(16 * amount))


@pytest.fixture
def forgotten() -> Iterator[None]:
    yield
    registry._REGISTERED.clear()


@pytest.mark.slow
def test_a_registered_factor_varies_in_this_process_alone(forgotten: None) -> None:
    factor = tf.Factor("my_step", topic="optimizer", options=(small_step, large_step))
    assert tf.register(factor) is factor
    study = tf.run("wine", study="own", workers=0, preset="smoke", rows=16, epochs=1)
    assert set(study.trials().my_step.dropna()) == {"small_step", "large_step"}
    assert "my_step.large_step.amount" in study.trials()
    with pytest.raises(ValueError, match="declared twice"):
        tf.register(tf.Factor("optimizer", topic="optimizer", options=(small_step,)))
    registry._REGISTERED.clear()
    with pytest.raises(ValueError, match="my_step"):
        tf.run(study="own", rows=24)


# Results


def test_results_are_tables_with_documented_columns() -> None:
    study = simulated()
    answer = study.importance(jobs=1)
    tables = {
        "trials_frame": study.trials(),
        "factors_frame": answer.table(),
        "hyperparameters_frame": answer.hyperparameters(),
        "topics_frame": answer.topics(),
        "effects_frame": answer.effects(),
        "interactions_frame": answer.interactions(),
        "settings_frame": study.recommend().table(),
    }
    parameters = {"placebo", *study.trials().filter(regex=r"\.").columns}
    parameters |= {*study._study.stamp.space.varied}
    for name, table in tables.items():
        documentation = getattr(frames, name).__doc__
        for column in set(table.columns) - parameters:
            plain = column.removesuffix("_low").removesuffix("_high")
            assert f"{plain}:" in documentation or f"{plain}," in documentation, (name, column)
    assert answer.table().index[-1] == "placebo"
    assert answer.table().share[:-1].is_monotonic_decreasing
    assert list(answer.leaders) == [name for name in answer.table().index if name in answer.leaders]
    assert answer.verdict in str(answer) and answer.verdict in answer._repr_html_()
    assert "<img" in study._repr_html_()
    assert tf.load().importance().answer == answer.answer


def test_a_chart_is_a_figure_and_the_report_a_page(tmp_path: Path) -> None:
    study = simulated()
    assert isinstance(study.plot(), matplotlib.figure.Figure)
    for name in study.charts():
        assert isinstance(study.plot(name), matplotlib.figure.Figure)
    assert study.report() == Path("runs/simulated/report.html")
    written = study.report(tmp_path / "mine.html")
    page = written.read_text(encoding="utf-8")
    assert study.importance().verdict in page
    assert "training-factors confirm --study simulated" in page  # and not pytest's own name


def test_exported_tables_read_back(tmp_path: Path) -> None:
    study = simulated()
    csv = study.export_tables(tmp_path / "csv")
    parquet = study.export_tables(tmp_path / "parquet", "parquet")
    assert [path.stem for path in csv] == [path.stem for path in parquet]
    trials = study.trials()
    for path, read in ((csv[0], pd.read_csv), (parquet[0], pd.read_parquet)):
        back = read(path)
        back = back.set_index("number") if "number" in back else back
        assert list(back.columns) == list(trials.columns)
        assert np.array_equal(back.value, trials.value, equal_nan=True)
    with pytest.raises(ValueError, match="csv or parquet, not as 'xlsx'"):
        study.export_tables(tmp_path / "xlsx", "xlsx")
    with pytest.raises(ValueError, match="create it first"):
        study.export_tables(tmp_path / "no" / "where")
    assert execute(["export", str(tmp_path / "again"), "--parquet", "--csv"]) == 0
    assert len(list((tmp_path / "again").iterdir())) == 2 * len(csv)


def test_studies_compare() -> None:
    one = simulated()
    url = "sqlite:///runs/studies.db"
    create_simulated_study(url, 32, name="other", space="small").database.close()
    compared = tf.compare(one, tf.load("other"))
    assert set(compared.table().study) == {"simulated", "other"}
    assert "share" in str(compared) and "<pre" in compared._repr_html_()
    with pytest.raises(ValueError, match="compare needs two studies, got simulated"):
        tf.compare(one)


def confirming_trials() -> list[Trial]:
    confirmation = load_study(open_database("sqlite:///runs/studies.db"), "mine.confirm")
    return list(read_trials(confirmation))


@pytest.mark.slow
def test_a_study_of_objects_is_confirmed() -> None:
    frame = load_iris(as_frame=True).frame
    study = tf.run(
        frame, target="target", model=Net, study="mine", workers=0, preset="smoke", rows=16,
        epochs=1, space="small",
    )  # fmt: skip
    confirmed = study.confirm(["optimizer"], seeds=3, top=2, path=True, workers=0)
    table = confirmed.table()
    path = confirmed.path()
    assert path.index[0] == "baseline" and len(path) > 1
    assert path.value.iloc[-1] == confirmed.value
    ran = confirming_trials()
    assert len({(trial.row, trial.repeat) for trial in ran}) == len(ran)
    tested = [trial for trial in ran if trial.test_value is not None]
    assert len({(trial.repeat, trial.seed) for trial in tested}) == 3, "all arms share 3 seeds"
    again = study.confirm(["optimizer"], seeds=3, top=2, workers=0)
    assert (again.path().equals(path), confirming_trials()) == (True, ran)
    refusal = "--top 4: mine is confirmed from a ranking of 2, .*: delete --study mine.confirm$"
    with pytest.raises(ValueError, match=refusal):
        study.confirm(["optimizer"], top=4, workers=0)
    assert list(table.factor)[-1] == "placebo"
    assert table.difference.iloc[-1] == 0
    assert confirmed.parameters["optimizer"]
    assert 0 <= confirmed.value <= 1
    assert study.recommend().source.endswith("mean of 3 seeds")
    assert "drop if" in str(confirmed)
    with pytest.raises(ValueError, match="factor 'optimiser' is not varied"):
        study.confirm(["optimiser"], workers=0)


def test_import_is_quick_and_every_public_name_is_documented() -> None:
    for name in tf.__all__:
        made = getattr(tf, name)
        assert (made.__doc__ or "").strip(), name
        assert name in dir(tf)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        tf.nothing  # noqa: B018 - reading it is the test


SCRIPT = """
import sys

import training_factors as tf
from sklearn.datasets import load_iris

lines = []
sys.settrace(lambda frame, event, argument: lines.append(event))
frame = load_iris(as_frame=True).frame
study = tf.run(
    frame, target="target", model="net.py:Net", preset="smoke", rows=16, epochs=1, space="small",
    workers=0,
)
sys.settrace(None)
assert len(lines) > 10_000, "it was not traced"
study.importance().table().to_csv("importance.csv")
"""


@pytest.mark.slow
def test_a_program_is_debugged_with_its_own_frame_and_the_model_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        f"import torch\nfrom torch import nn\n\n{inspect.getsource(Net)}", encoding="utf-8"
    )
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    table = pd.read_csv(tmp_path / "importance.csv", index_col="factor")
    assert table.index[-1] == "placebo" and "share" in table
