"""The chapter "Your model" says what the program does, and its examples run as they stand there."""

import io
import json
import re
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

import training_factors as tf
from tests.support.workers import children_of, kill, start_pool, wait_until
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe
from training_factors.search_spaces.space import named_space
from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import create_study, load_study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.commands import execute
from training_factors.study.data.division import Division, training_division
from training_factors.study.data.options import DataOptions
from training_factors.study.data.sources import load_dataset
from training_factors.study.running.preparation import prepare_study
from training_factors.study.running.probe import NO_EFFECT
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.training.loop import EpochCallback, Outcome, train
from training_factors.study.training.model import open_model
from training_factors.study.training.own_model import KEYWORDS
from training_factors.study.training.training_state import SavedState

CHAPTER = (Path(__file__).parents[1] / "docs" / "your-model.md").read_text(encoding="utf-8")

EXAMPLES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", CHAPTER, flags=re.DOTALL))
"""The files of the chapter: name -> source."""

REACHED = {"initialization", "activation", "dropout", "batch_norm", "residual"}
"""Factors of the space `documented` that act through the network."""

RESNET18 = "torchvision:resnet18"


class Expected(NamedTuple):
    """A row of the chapter's table. act: factor -> words for how it is reached."""

    act: dict[str, str]
    left_out: set[str]


def table() -> Iterator[tuple[str, Expected]]:
    """The rows of "What `plan` says of them", by the name of the model."""
    rows = CHAPTER.partition("### What `plan` says")[2].partition("\n\n#")[0]
    for model, act, left_out in re.findall(
        r"^\| `(.+?)` \|(.*)\|(.*)\|$", rows, flags=re.MULTILINE
    ):
        acting = dict(re.findall(r"(\w+) \((.+?)\)", act))
        yield model, Expected(acting, set(left_out.replace(",", " ").split()))


MODELS = dict(table())
"""The examples of the chapter: name of the model -> what `plan` says of it."""

DRAWING_NET = "drawing.py:Net"
"""A model that is not in the chapter; see `DRAWING`."""


def each(*names: str) -> pytest.MarkDecorator:
    slow = {RESNET18: [pytest.mark.slow]}
    return pytest.mark.parametrize(
        "model", [pytest.param(name, marks=slow.get(name, ())) for name in names]
    )


SHORT = ("--data", "digits", "--limit", "200", "--epochs", "2", "--workers", "1")
"""Arguments of runs that take some 50 ms with a small network."""

FEW_OPTIONS = (
    "initialization=unchanged,he_normal",
    "activation=unchanged,gelu",
    "batch_norm=unchanged,group",
)
"""The only options of a large network, of which each is built several times."""

FEW_ARGUMENTS = ("--limit", "100", *(word for text in FEW_OPTIONS for word in ("--choices", text)))


@pytest.fixture(autouse=True)
def examples(tmp_path: Path) -> None:
    """The files of the chapter in the current folder."""
    for name, source in EXAMPLES.items():
        (tmp_path / name).write_text(source, encoding="utf-8")


def test_the_chapter_has_an_example_for_each_row_of_its_table() -> None:
    assert [name.partition(":")[0] for name in MODELS] == [*EXAMPLES, "torchvision"]
    for name in MODELS:
        assert f"python run_study.py --data digits --model {name}\n" in CHAPTER


def test_the_table_of_arguments_is_the_code_s() -> None:
    _, _, rest = CHAPTER.partition("| argument | value |\n")
    cells = [row.split("|")[1] for row in rest.partition("\n\n")[0].splitlines()[1:]]
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(KEYWORDS)


@each(*MODELS)
def test_plan_says_what_the_chapter_says(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    expected = MODELS[model]
    few = FEW_ARGUMENTS if model == RESNET18 else ()
    assert execute(["plan", *SHORT, *few, "--model", model, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["reach"] == expected.act
    left_out = {name for name, reason in plan["left_out"] if reason == NO_EFFECT}
    assert left_out & REACHED == expected.left_out
    assert set(plan["factors"]) & REACHED == REACHED - expected.left_out
    assert {"split", "normalization", "augment_mix", "optimizer"} <= set(plan["factors"])


def plan_study(model: str, rows: int, choices: tuple[str, ...] = ()) -> None:
    """Create a study of the baseline, measured rows and a searched run for each two of these."""
    definition = Definition(
        source="digits", limit=100, epochs=1, space="small", model=model, choices=choices
    )
    database = open_database("sqlite:///runs/studies.db", create=True)
    study = create_study(database, "mine", prepare_study(definition).stamp())
    study.queue.add([Run("baseline", 0), *(Run("measure", row) for row in range(rows))])
    study.queue.add([Run("search", row) for row in range(rows // 2)])
    database.close()


def finished_runs(folder: Path) -> list[Trial]:
    """The runs of the study, none of which failed; the first one has the baseline."""
    trials = read_trials(load_study(open_database(f"sqlite:///{folder}/runs/studies.db"), "mine"))
    assert {trial.state for trial in trials} <= {"COMPLETE", "PRUNED"}
    return trials


@pytest.mark.slow
@each(*(name for name in MODELS if name != RESNET18))
def test_a_study_of_each_example_runs_to_its_end(model: str, tmp_path: Path) -> None:
    plan_study(model, rows=8)
    tf.run(study="mine", workers=0, allow_code=True)
    baseline, *others = finished_runs(tmp_path)
    assert len(others) == 8 + 4
    reads_recipe = model == "from_recipe.py:build"
    chosen = baseline.parameters["initialization"]
    assert chosen == ("framework_default" if reads_recipe else "unchanged")


@pytest.mark.slow
def test_a_library_s_model_is_trained_by_workers(tmp_path: Path) -> None:
    plan_study(RESNET18, rows=1, choices=FEW_OPTIONS)
    tf.run(study="mine", workers=1)
    assert len(finished_runs(tmp_path)) == 2


DRAWING = '''
import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    """Draws from every global generator, when it is built and in each call."""

    def __init__(self, num_classes=10):
        super().__init__()
        width = 16 + random.randrange(2) + np.random.randint(2)
        self.first, self.drop = nn.Linear(64, width), nn.Dropout(0.3)
        self.head = nn.Linear(width, num_classes)

    def forward(self, x):
        x = F.dropout(self.drop(F.relu(self.first(x.flatten(1)))), 0.2, self.training)
        if self.training:
            x = x * (0.5 + random.random()) + 0.1 * np.random.standard_normal()
            x = x + 0.01 * torch.randn_like(x)
        return self.head(x)
'''


@pytest.fixture(scope="module")
def digits() -> Division:
    return training_division(load_dataset("digits", DataOptions(limit=100)), 0, torch.device("cpu"))


def drawing_recipe(problem: Problem, model: str) -> Recipe:
    """A recipe in which training draws random numbers wherever it can."""
    is_own = model != "from_recipe.py:build"
    space, _ = named_space("full").for_problem(problem._replace(own_model=is_own))
    config = {
        "optimizer": "adam", "initialization": "he_normal", "dropout": "dropout",
        "batch_norm": "batch", "activation": "gelu", "augment_mix": "mixup",
        "weight_average": "ema",
    }  # fmt: skip
    return space.build({**space.baseline(), **config}, problem)


def trained(data: Division, model: str, report: EpochCallback, **named: Any) -> Outcome:
    builder = open_model(model, data.problem)
    recipe = drawing_recipe(data.problem, model)
    return train(recipe, data, builder, 3, report=report, **{"seed": 5, **named})


def never(epoch: int, value: float | None, save: Callable[[], SavedState]) -> bool:
    return False


@each(*MODELS, DRAWING_NET)
def test_one_seed_gives_the_same_numbers_stopped_and_resumed_or_not(
    model: str, digits: Division, tmp_path: Path
) -> None:
    (tmp_path / "drawing.py").write_text(DRAWING, encoding="utf-8")
    saved: dict[int, bytes] = {}
    values: list[float | None] = []

    def save_first(epoch: int, value: float | None, save: Callable[[], SavedState]) -> bool:
        values.append(value)
        content = io.BytesIO()
        torch.save(save(), content)
        saved[epoch] = content.getvalue()
        return False

    whole = trained(digits, model, save_first)
    assert whole == trained(digits, model, never)
    assert not whole.diverged and len(set(whole.metrics.values())) > 1

    stopped = trained(digits, model, lambda epoch, value, save: epoch == 0)
    assert stopped.stopped and (stopped.epochs, stopped.value) == (1, values[0])
    torch.rand(7)  # as another run would have drawn in between
    for epoch in (0, 1):
        state = torch.load(io.BytesIO(saved[epoch]), weights_only=True)
        assert trained(digits, model, never, start=state) == whole

    assert trained(digits, model, never, seed=6).metrics != whole.metrics


def values_of(folder: Path) -> dict[tuple[str, int], float | None]:
    """The value of each run of the study of a folder."""
    study = load_study(open_database(f"sqlite:///{folder}/studies.db"), "mine")
    finished = [trial for trial in read_trials(study) if trial.state in ("COMPLETE", "PRUNED")]
    return {(trial.phase, trial.row): trial.value for trial in finished}


@pytest.mark.slow
def test_killed_workers_change_no_value(tmp_path: Path) -> None:
    """The worker is killed in the middle of runs and started again, until all runs have ended."""
    (tmp_path / "drawing.py").write_text(DRAWING, encoding="utf-8")
    definition = Definition(
        source="digits", limit=400, epochs=40, space="small", model=f"{tmp_path}/{DRAWING_NET}"
    )
    prepared = prepare_study(definition)
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        database = open_database(f"sqlite:///{tmp_path}/{name}/studies.db", create=True)
        study = create_study(database, "mine", prepared.stamp())
        study.queue.add([Run("baseline", 0), *(Run("measure", row) for row in range(15))])
        database.close()
    timing = WorkerTiming(heartbeat_s=0.25, grace_s=0.75, checkpoint_s=0)

    def work_on(folder: Path) -> ForkProcess:
        url = f"sqlite:///{folder}/studies.db"
        return start_pool(url, prepared, folder / "mine", 1, timing, name="mine")

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    ended = work_on(whole)
    ended.join()
    assert ended.exitcode == 0
    for finished in (0, 3):
        process = work_on(killed)

        def is_training(least: int = finished) -> bool:
            saved = any(path.is_file() for path in killed.glob("**/checkpoints/**/*"))
            return saved and len(values_of(killed)) >= least

        wait_until(is_training)
        for pid in (*children_of(process), int(process.pid or 0)):
            kill(pid)
        process.join()
        assert len(values_of(killed)) < 16
    ended = work_on(killed)
    ended.join()
    assert ended.exitcode == 0
    assert values_of(killed) == values_of(whole)
