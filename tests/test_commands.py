"""The program as people run it: real processes, real databases, a real Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from storage.database import open_database
from storage.studies import Study, load_study
from storage.tables import Trial, read_trials

ENTRY = Path(__file__).parents[1] / "run_study.py"

SHORT = ("--preset", "smoke", "--epochs", "1", "--space", "small", "--data", "wine")


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ENTRY), *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ran(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    process = start(folder, *arguments)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def study_in(folder: Path, name: str | None = None) -> Study:
    return load_study(open_database(f"sqlite:///{folder}/runs/studies.db"), name)


def measured(folder: Path) -> dict[tuple[str, int, int], Trial]:
    trials = read_trials(study_in(folder))
    return {(t.phase, t.row, t.repeat): t for t in trials if t.phase in ("baseline", "measure")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A folder with a study run to its end by one worker, and what was printed."""
    folder = tmp_path_factory.mktemp("finished")
    result = ran(folder, *SHORT, "--workers", "1")
    assert result.returncode == 0, result.stderr
    return folder, result.stdout, result.stderr


def test_a_study_ends_with_its_answer(finished: tuple[Path, str, str]) -> None:
    folder, out, err = finished
    assert "best configuration" in out
    assert "next" in out
    assert "49 of 49" in err
    files = {path.name for path in folder.glob("runs/*/importance.*")}
    assert files == {"importance.json", "importance.png", "importance.svg"}
    trials = read_trials(study_in(folder))
    assert Counter(trial.phase for trial in trials) == {"baseline": 1, "measure": 40, "search": 8}
    assert trials[0].phase == "baseline"


def test_a_finished_study_says_so(finished: tuple[Path, str, str]) -> None:
    folder, _, _ = finished
    again = ran(folder, *SHORT)
    assert again.returncode == 0
    assert "all 49 runs" in again.stderr
    assert len(read_trials(study_in(folder))) == 49


def test_two_workers_measure_what_one_would(
    finished: tuple[Path, str, str], tmp_path: Path
) -> None:
    result = ran(tmp_path, *SHORT, "--workers", "2")
    assert result.returncode == 0, result.stderr
    one, two = measured(finished[0]), measured(tmp_path)
    assert one.keys() == two.keys()
    for key in one:
        assert one[key].parameters == two[key].parameters
        assert one[key].seed == two[key].seed
        assert one[key].value == two[key].value, "accuracy differs on the CPU"


def test_ctrl_c_and_the_same_command_lose_nothing(tmp_path: Path) -> None:
    process = start(tmp_path, *SHORT, "--workers", "2", "--epochs", "40")
    deadline = time.monotonic() + 60
    while finished_trials(tmp_path) < 3:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "resume:" in err
    before = {t.number: t for t in read_trials(study_in(tmp_path)) if t.complete}
    assert 3 <= len(before) < 49
    assert not [t for t in read_trials(study_in(tmp_path)) if t.state == "RUNNING"]

    result = ran(tmp_path, *SHORT, "--workers", "2", "--epochs", "40")
    assert result.returncode == 0, result.stderr
    trials = read_trials(study_in(tmp_path))
    runs = Counter((t.phase, t.row, t.repeat) for t in trials)
    assert len(trials) == 49 and set(runs.values()) == {1}
    assert {t.state for t in trials} <= {"COMPLETE", "PRUNED"}
    after = {t.number: t for t in trials}
    assert all(after[number] == trial for number, trial in before.items())


def test_a_killed_worker_is_replaced_and_its_run_done_once(tmp_path: Path) -> None:
    process = start(tmp_path, *SHORT, "--workers", "1", "--epochs", "40")
    deadline = time.monotonic() + 60
    while finished_trials(tmp_path) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(child_of(process.pid), signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    trials = read_trials(study_in(tmp_path))
    assert len(trials) == 49
    assert {t.state for t in trials} <= {"COMPLETE", "PRUNED"}


def test_a_larger_preset_extends_the_study(finished: tuple[Path, str, str]) -> None:
    folder, _, _ = finished
    from study.running.presets import PRESETS

    study = study_in(folder)
    assert study.ledger.plan(PRESETS["quick"].runs()) == 177 - 49


def test_status_and_list_as_json(finished: tuple[Path, str, str]) -> None:
    folder, _, _ = finished
    status = document(folder, "status", "--json")
    assert status["best"]["value"] > 0
    listed = document(folder, "list", "--json")
    assert [item["study"] for item in listed["studies"]] == [status["study"]]


@pytest.mark.parametrize("verb", ["--help", "status", "list", "run --help"])
def test_quick_verbs_do_not_import_torch(finished: tuple[Path, str, str], verb: str) -> None:
    program = (
        "import sys\n"
        "from study.commands import execute\n"
        "code = execute(sys.argv[1:])\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
        "sys.exit(code)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, *verb.split()],
        cwd=finished[0],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def document(folder: Path, *arguments: str) -> dict[str, Any]:
    result = ran(folder, *arguments)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["schema"] == 1
    return found


def finished_trials(folder: Path) -> int:
    if not (folder / "runs/studies.db").exists():
        return 0
    try:
        return sum(trial.complete for trial in read_trials(study_in(folder)))
    except (LookupError, ValueError):
        return 0  # the study is being created


def child_of(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0])
