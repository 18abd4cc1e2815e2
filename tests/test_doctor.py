"""What doctor finds, each fault made for real."""

import json
import os
from pathlib import Path

import pytest

from training_factors.storage.checkpoints import SUFFIX
from training_factors.storage.database import Database, open_database
from training_factors.storage.files import PARTIAL
from training_factors.storage.live_trial import start_trial
from training_factors.storage.owner import this_process
from training_factors.storage.run_queue import Run
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import Study, create_study
from training_factors.study.commands import execute
from training_factors.study.running.doctor import (
    OK,
    WARNING,
    Check,
    check_database,
    check_disk,
    check_files,
    check_study,
)


@pytest.fixture
def study(database: Database) -> Study:
    stamp = Stamp("accuracy", versions={"numpy": "0.1"})
    found = create_study(database, "mine", stamp)
    found.queue.add([Run("measure", row) for row in range(3)])
    return found


def by_state(checks: list[Check], state: str) -> list[str]:
    return [check.found for check in checks if check.state == state]


def test_every_kind_of_database_is_well(any_database: Database) -> None:
    checks = list(check_database(any_database))
    assert {check.state for check in checks} == {OK}
    assert checks[-1].subject == "tables"


def test_a_study_s_versions_and_what_ended_processes_hold(study: Study) -> None:
    claim = study.queue.claim(str(this_process()._replace(started=0.0)))
    assert claim is not None
    start_trial(study, claim, {}, {}, {"phase": "measure"})
    held, versions = by_state(list(check_study(study)), WARNING)
    assert "1 belongs to a process that has ended" in held
    assert versions.startswith("numpy 0.1 in the study") and versions.endswith(" now")


def test_trials_that_others_added(study: Study) -> None:
    study.optuna_study.ask()
    found, _ = by_state(list(check_study(study)), WARNING)
    assert "trial 0 was not made by this tool and counts nowhere" in found
    study.optuna_study.ask()
    found, _ = by_state(list(check_study(study)), WARNING)
    assert "trials 0, 1 were not made by this tool and count nowhere" in found


def test_what_was_left_behind(study: Study, tmp_path: Path) -> None:
    assert [check.state for check in check_files(tmp_path / "cache", [study])] == [OK]
    claim = study.queue.claim("me")
    assert claim is not None
    attributes = {"phase": "measure", "row": 0, "repeat": 0}
    start_trial(study, claim, {}, {}, attributes).complete(0.5, {}, {})
    folder = study.folder / "checkpoints"
    folder.mkdir(parents=True)
    staged = tmp_path / "cache" / "0123.abc"
    staged.mkdir(parents=True)
    for path in (folder / f"measure-0-0.000001{SUFFIX}", folder / f".x{PARTIAL}", staged):
        path.touch()
        os.utime(path, (0, 0))
    (folder / f"measure-1-0.000001{SUFFIX}").touch()  # of a run that goes on
    (found,) = by_state(list(check_files(tmp_path / "cache", [study])), WARNING)
    assert "measure-0-0" in found and "abc" in found and PARTIAL in found
    assert "measure-1-0" not in found


def test_a_folder_that_does_not_exist_yet_is_on_some_disk(tmp_path: Path) -> None:
    (check,) = check_disk(tmp_path / "new" / "folder")
    assert check.state in (OK, WARNING) and "GiB free" in check.found


@pytest.mark.parametrize("state", ["missing", "empty file", "tables alone"])
def test_a_database_without_a_study_is_no_fault(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    state: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if state == "empty file":
        Path("mine.db").touch()
    elif state == "tables alone":
        open_database("sqlite:///mine.db", create=True).close()
    assert execute(["doctor", "--storage", "sqlite:///mine.db", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    (found,) = [check for check in checks if "no study yet" in check["found"]]
    assert found["state"] == WARNING and "start one with run" in found["remedy"]


def test_the_verb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    database = open_database("sqlite:///runs/studies.db", create=True)
    create_study(database, "mine", Stamp("accuracy"))
    assert execute(["doctor"]) == 0
    assert "mine" in capsys.readouterr().out
    assert execute(["doctor", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {check["state"] for check in document["checks"]} <= {OK, WARNING}
