"""The command that a report shows makes the same study again: stamp, queue, own configurations."""

import shlex
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.support.program import run_verb
from training_factors.storage.database import open_database
from training_factors.storage.own_configurations import read_own_configurations
from training_factors.storage.studies import Study, load_study
from training_factors.storage.tables import RUNS
from training_factors.study.api import execution
from training_factors.study.api.command_lines import program_words
from training_factors.study.api.opening import open_or_create
from training_factors.study.api.reports import PASSED_OBJECTS, repeating_command
from training_factors.study.api.settings import Given

OWN = """
[[configuration]]
optimizer = "adam"
"optimizer.adam.lr" = 0.005
[[configuration]]
residual = "residual"
"""

NET = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self, num_classes=3):
        super().__init__(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, num_classes))
"""

FACTOR = """
from dataclasses import replace
from training_factors.search_spaces.factor import Factor

def plain(recipe):
    return recipe

def tiny(recipe):
    return replace(recipe, batch_size=8)

FACTOR = Factor("tiny_batches", topic="batch size", options=(plain, tiny))
"""

KINDS = {
    "space": [
        ["--range", "optimizer.sgd.lr=1e-3:1e-1", "--fix", "activation=gelu", "--drop",
         "augment_mix,dropout", "--choices", "residual=residual,none", "--metric", "log_loss",
         "--epochs", "3", "--seed", "7", "--preset", "smoke"]
    ],
    "own values": [["--only", "batch_size,optimizer", "--choices", "batch_size=16,48"]],
    "sizes": [["--preset", "smoke"], ["--rows", "40"], ["--search", "11"]],
    "divisions": [["--preset", "smoke", "--divisions", "3"]],
    "own configurations": [["--preset", "smoke", "--also", "mine.toml"]],
    "nothing varies": [["--preset", "smoke", "--only", "optimizer", "--choices", "optimizer=sgd",
                        "--fix", "optimizer.sgd.lr=0.1", "--fix", "optimizer.sgd.momentum=0.9",
                        "--fix", "optimizer.sgd.nesterov=True"]],
    "table": [["--data", "t.csv", "--target", "price", "--task", "regression", "--ignore",
               '"a, b",c', "--impute", "none", "--preset", "smoke"]],
    "own code": [["--data", "wine", "--model", "net.py:Net", "--factor", "mine.py", "--rows", "20",
                  "--repeats", "3", "--search", "0"]],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files that studies use, in which studies are created but not trained."""
    (tmp_path / "mine.toml").write_text(OWN, encoding="utf-8")
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")
    (tmp_path / "mine.py").write_text(FACTOR, encoding="utf-8")
    rows = "".join(f"{i % 7},{i % 5},{i % 3},{i * 37 % 11},{i}\n" for i in range(200))
    (tmp_path / "t.csv").write_text(f'"a, b",c,d,e,price\n{rows}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(execution, "run_queue", lambda *arguments: 130)
    return tmp_path


def queue_of(study: Study) -> Counter[tuple[object, ...]]:
    columns = RUNS.c.phase, RUNS.c.row, RUNS.c.repeat
    query = select(*columns).where(RUNS.c.study_key == study.key)
    with study.database.engine.connect() as connection:
        return Counter(tuple(row) for row in connection.execute(query))


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_makes_the_same_study(folder: Path, kind: str) -> None:
    for words in KINDS[kind]:
        assert run_verb(folder, "run", *words, "--study", "first").returncode == 130
    first = load_study(open_database("sqlite:///runs/studies.db"), "first")
    words = shlex.split(repeating_command(first, None))[len(program_words()) :]
    again = run_verb(folder, "run", *words, "--storage", "sqlite:///again.db")
    assert again.returncode == 130, again.stderr
    second = load_study(open_database("sqlite:///again.db"), "first")
    assert second.stamp.as_document() == first.stamp.as_document()
    assert queue_of(second) == queue_of(first)
    assert read_own_configurations(second) == read_own_configurations(first)
    assert repeating_command(first, "sqlite:///runs/studies.db").endswith("runs/studies.db")


def test_no_command_repeats_a_study_of_objects(folder: Path) -> None:
    study = open_or_create(
        {"source": "python:given", "epochs": 1}, Given(data=([[0.0, 1.0]] * 40, [0, 1] * 20)),
        name="given", storage=None, preset="smoke", rows=None, divisions=1, is_timed=False,
        also=(), allow_code=False, device="cpu", notify=lambda message: None,
    ).study  # fmt: skip
    assert repeating_command(study, None) == PASSED_OBJECTS
