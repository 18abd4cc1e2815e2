"""The next step is the same on every screen, with its purpose and its cost."""

from pathlib import Path

import pytest

from tests.support.program import run_verb
from tests.support.studies import add_simulated_confirmation, create_simulated_study
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study
from training_factors.study.api.next_step import next_step
from training_factors.study.reporting.analyses import read_study_data


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return create_simulated_study(f"sqlite:///{tmp_path}/runs/studies.db", 20, space="small")


def last_lines(folder: Path, verb: str) -> tuple[str, str]:
    """Return the next command and its purpose, as the last two lines of a verb's screen."""
    ended = run_verb(folder, verb)
    assert ended.returncode == 0, ended.stderr
    *_, command, purpose = (line.strip() for line in ended.stdout.splitlines())
    assert command.startswith("next ")
    return command.removeprefix("next").strip(), purpose


def test_recommend_ends_as_importance_does(study: Study, tmp_path: Path) -> None:
    command, purpose = last_lines(tmp_path, "recommend")
    assert (command, purpose) == last_lines(tmp_path, "importance")
    assert ": confirm takes about " in purpose and purpose[0] + purpose[-1] == "()"
    add_simulated_confirmation(study)
    command, purpose = last_lines(tmp_path, "recommend")
    assert command.endswith("export --study simulated")
    assert purpose == "(trains it and writes the model, with scripts that use it)"
    assert " recommend " in last_lines(tmp_path, "importance")[0]


def test_confirm_is_named_with_its_cost_and_an_unfinished_study_goes_on(study: Study) -> None:
    data = read_study_data(study, 1)
    answer = data.require_answer()
    enough = data._replace(answer=answer._replace(verdict=answer.verdict._replace(more_rows=None)))
    step = next_step(study, enough, None)
    assert step.command.endswith("confirm --study simulated")
    assert step.purpose.startswith("trains the best configurations again, and the best one")
    assert ": confirm takes about " in step.purpose
    study.queue.add([Run("measure", 20)])
    step = next_step(study, read_study_data(study, 1), None)
    assert step.purpose == "goes on with the study"
