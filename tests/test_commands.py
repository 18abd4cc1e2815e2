"""The program as people run it: real processes, real databases, a real Ctrl-C."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import ROOT, SMOKE_STUDY, run_program, run_verb, start_program
from tests.support.studies import create_simulated_study, smoke_study, smoke_study_twice
from training_factors.search_spaces.space import named_space
from training_factors.storage.arms import CONTRAST, read_arms
from training_factors.storage.database import NoDatabaseError, open_database
from training_factors.storage.datasheet import read_sheet
from training_factors.storage.definition import Definition
from training_factors.storage.live_trial import start_trial
from training_factors.storage.run_queue import Run
from training_factors.storage.stamp import DataStamp, Stamp
from training_factors.storage.stop_requests import request_stop
from training_factors.storage.studies import Study, create_study, load_study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.commands import execute


def study_in(folder: Path, name: str | None = None) -> Study:
    return load_study(open_database(f"sqlite:///{folder}/runs/studies.db"), name)


def measured(folder: Path, name: str) -> dict[tuple[str, int, int], Trial]:
    trials = read_trials(study_in(folder, name))
    return {(t.phase, t.row, t.repeat): t for t in trials if t.phase in ("baseline", "measure")}


@pytest.fixture
def finished(tmp_path: Path) -> tuple[Path, str, str]:
    """Copy a folder with a study run to its end by one worker; return it with what was printed."""
    folder, out, err = smoke_study()
    return shutil.copytree(folder, tmp_path / "finished"), out, err


@pytest.fixture
def finished_twice(tmp_path: Path) -> Path:
    """Copy a folder with that study and the same study run by two workers, named twin."""
    return shutil.copytree(smoke_study_twice(), tmp_path / "finished")


@pytest.mark.slow
def test_rows_are_added_to_a_stored_study_and_the_next_command_names_as_many(
    finished: tuple[Path, str, str],
) -> None:
    """`--rows 34` adds two rows to 32, and neither repeats nor searched runs."""
    folder, _, _ = finished
    before = study_in(folder).queue.progress()
    ended = run_verb(folder, "--rows", "34", "--study", study_in(folder).name)
    assert ended.returncode == 0, ended.stderr
    after = study_in(folder).queue
    assert after.rows("measure") == 34
    assert after.progress()["measure"].done == before["measure"].done + 2
    assert after.progress()["search"] == before["search"]
    importance = document(folder, "importance", "--json")
    assert importance["evidence"]["rows"] == 34
    more = importance["verdict"]["more_rows"]
    (following,) = (line for line in ended.stdout.splitlines() if line.startswith("next"))
    assert (f"--rows {34 + more}" if more else " confirm ") in following


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


def test_every_complete_run_has_its_confusion(finished: tuple[Path, str, str]) -> None:
    for trial in read_trials(study_in(finished[0])):
        counted = sum(count for *_, count in trial.confusion)
        is_measured = trial.complete and not trial.attributes.get("diverged")
        assert bool(counted) == is_measured, trial
        right = sum(count for true, predicted, count in trial.confusion if true == predicted)
        assert not counted or right / counted == trial.value
        assert trial.test_confusion == () and "confusion" not in trial.attributes


def test_a_study_has_its_data_sheet(finished: tuple[Path, str, str]) -> None:
    sheet = read_sheet(study_in(finished[0]))
    assert sheet is not None
    assert sum(sum(part) for part in sheet.parts.values()) == 178


def test_a_finished_study_says_so(finished: tuple[Path, str, str]) -> None:
    folder, _, _ = finished
    again = run_verb(folder, *SMOKE_STUDY)
    assert again.returncode == 0
    assert "all 49 runs" in again.stderr
    assert len(read_trials(study_in(folder))) == 49


@pytest.mark.slow
def test_ctrl_c_and_the_same_command_lose_nothing(tmp_path: Path) -> None:
    process = start_program(tmp_path, *SMOKE_STUDY, "--workers", "2", "--epochs", "30")
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

    result = run_verb(tmp_path, *SMOKE_STUDY, "--workers", "2", "--epochs", "30")
    assert result.returncode == 0, result.stderr
    trials = read_trials(study_in(tmp_path))
    runs = Counter((t.phase, t.row, t.repeat) for t in trials)
    assert len(trials) == 49 and set(runs.values()) == {1}
    assert {t.state for t in trials} <= {"COMPLETE", "PRUNED"}
    after = {t.number: t for t in trials}
    assert all(after[number] == trial for number, trial in before.items())


@pytest.mark.slow
def test_who_is_asked_to_stop_while_it_starts_does(tmp_path: Path) -> None:
    study = create_simulated_study(f"sqlite:///{tmp_path}/studies.db", 0, space="small")
    study.queue.add([Run("measure", row) for row in range(500)])
    request_stop(study)  # as if between the command and the first run
    ended = run_verb(tmp_path, "worker", "--storage", study.database.url, "--asked", "0")
    assert ended.returncode == 143
    assert study.queue.progress()["measure"].waiting > 400


def test_a_full_disk_leaves_the_old_report(finished: tuple[Path, str, str]) -> None:
    """A limit on the size of files stands in for the disk's end."""
    folder, _, _ = finished
    before = {path: path.read_bytes() for path in folder.glob("runs/*/importance.*")}
    program = (
        "import resource, signal, sys\n"
        "from training_factors.study.commands import execute\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "sys.exit(execute(['importance']))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ended.returncode == 3, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert "File too large" in line
    assert before == {path: path.read_bytes() for path in folder.glob("runs/*/importance.*")}


def test_a_confirmation_runs_to_its_end_and_once(finished: tuple[Path, str, str]) -> None:
    folder, _, _ = finished
    words = ("confirm", "--factors", "activation,residual", "--difference", "20")
    result = run_verb(folder, *words)
    assert result.returncode == 0, result.stderr
    assert "placebo moved" in result.stdout
    study = confirmation_in(folder)
    assert read_sheet(study) is None
    trials = read_trials(study)
    runs = Counter((t.phase, t.row, t.repeat) for t in trials)
    assert set(runs.values()) == {1} and {t.phase for t in trials} == {"confirm"}
    arms = read_arms(study)
    for trial in trials:
        tested = trial.test_value is not None
        assert tested == (arms[trial.row].purpose == CONTRAST)
        right = sum(count for true, predicted, count in trial.test_confusion if true == predicted)
        counted = sum(count for *_, count in trial.test_confusion)
        assert bool(counted) == (tested and not trial.attributes.get("diverged"))
        assert not counted or right / counted == trial.test_value
    seeds = {
        repeat: {t.seed for t in trials if t.repeat == repeat and t.test_value is not None}
        for repeat in range(5)
    }
    assert all(len(own) == 1 for own in seeds.values()), "arms do not share their seeds"

    again = run_verb(folder, *words)
    assert again.returncode == 0
    assert again.stdout == result.stdout
    assert len(read_trials(study)) == len(trials)


def test_what_follows_an_answer(finished: tuple[Path, str, str]) -> None:
    folder, _, _ = finished
    name = document(folder, "status", "--json")["study"]
    importance = document(folder, "importance", "--lenses", "--json")
    assert {lens["name"] for lens in importance["lenses"]} >= {"working", "cost", "50 %"}
    assert "placebo" in importance["ped_anova"]
    assert "placebo" not in importance["best"]["parameters"]
    assert importance["best"]["parameters"]["schedule"] == "constant"
    effects = document(folder, "effects", "--json")["effects"]
    assert {"sgd", "adam"} <= {effect["option"] for effect in effects}
    recommended = document(folder, "recommend", "--json")
    assert {one["factor"] for one in recommended["settings"]} >= {"optimizer", "schedule"}
    assert tomllib.loads(recommended_toml(folder))["factors"]["schedule"] == {"option": "constant"}
    pasted = run_verb(folder, "plan", *recommended["command"])
    assert pasted.returncode == 0, pasted.stderr
    alone = run_verb(folder, "compare", name, name)
    assert (alone.returncode, alone.stdout) == (2, "")


def without_answer(folder: Path, *values: float) -> str:
    """A study with these measured values and nothing else; the URL of its database."""
    (folder / "runs").mkdir(exist_ok=True)
    url = f"sqlite:///{folder}/runs/studies.db"
    space = named_space("small").describe()
    definition = Definition(source="wine")
    data = DataStamp("wine", 178, (13,), fingerprint="0")
    stamp = Stamp("accuracy", data, space, model="mlp:small", epochs=15, definition=definition)
    study = create_study(open_database(url, create=True), "mine", stamp)
    study.queue.add([Run("measure", row) for row in range(len(values))])
    for row, value in enumerate(values):
        attributes = {"phase": "measure", "row": row, "seed": row, "diverged": True}
        claim = study.queue.claim("me")
        assert claim is not None
        start_trial(study, claim, {}, {}, attributes).complete(value, {}, {})
    return url


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "no measured configurations"),
        ([0.1, 0.2, 0.3], "too few configurations: 3"),
        ([0.1] * 20, "all 20 configurations ended at 0.1: every run diverged"),
    ],
)
@pytest.mark.parametrize("verb", ["importance", "effects", "recommend", "confirm"])
def test_a_study_that_cannot_say_anything_yet(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    verb: str,
    values: list[float],
    words: str,
) -> None:
    url = without_answer(tmp_path, *values)
    assert execute([verb, "--storage", url]) == 3
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert out == "" and words in line


def test_the_version_is_printed(tmp_path: Path) -> None:
    result = run_program(tmp_path, "--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("run_study.py ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs", "abc"], "--epochs 'abc': must be a valid integer"),
        (["--epochs", "0"], "--epochs 0: must be greater than or equal to 1"),
        (["--preset", "smok"], "did you mean 'smoke'"),
        (["--preset", ""], "preset '' is unknown"),
        (["--data", "wne"], "did you mean 'wine'"),
        (["--model", "mlp:smal"], "did you mean 'mlp:small'"),
        (["--device", "cuda:99"], "is not on this machine"),
        (["--study", "x" * 80], "must be 1 to 64"),
        (["--fix", "optimzer=adam"], "did you mean 'optimizer'"),
        (["--fix", "optimizer=adm"], "did you mean 'adam'"),
        (["--fix", "optimizer.sgd.lrr=1"], "did you mean 'lr'"),
        (["--fix", "optimizer.sgd.lr=7"], "outside its range"),
        (["--fix", "optimizer=adam", "--fix", "optimizer=sgd"], "given twice"),
        (["--fix", "optimizer=adam", "--drop", "optimizer"], "both fixed and dropped"),
        (["--limit", "100000"], "larger than the data"),
        (["--storage", "nonsense"], "not a database URL"),
        (["frobnicate"], "--help"),
        (["confirm"], "there is no study yet"),
        (["compare", "one"], "two studies"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert execute(arguments) == (3 if arguments == ["confirm"] else 2)
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert words in line and len(line) <= 320
    assert list(tmp_path.iterdir()) == []


def test_a_larger_preset_extends_the_study(finished: tuple[Path, str, str]) -> None:
    folder, _, _ = finished
    from training_factors.study.running.settings import PRESETS

    study = study_in(folder)
    assert study.queue.add(PRESETS["quick"].runs()) == 177 - 49


def test_status_and_list_as_json(finished: tuple[Path, str, str]) -> None:
    folder, _, _ = finished
    status = document(folder, "status", "--json")
    assert status["best"]["value"] > 0
    listed = document(folder, "list", "--json")
    assert status["study"] in [item["study"] for item in listed["studies"]]


@pytest.mark.parametrize("verb", ["--help", "status", "list", "run --help"])
def test_quick_verbs_import_neither_torch_nor_scikit_learn(
    finished: tuple[Path, str, str], verb: str
) -> None:
    program = (
        "import sys\n"
        "from training_factors.study.commands import execute\n"
        "code = execute(sys.argv[1:])\n"
        "slow = {'torch', 'sklearn', 'joblib', 'scipy', 'matplotlib', 'plotly'} & {*sys.modules}\n"
        "assert not slow, f'{slow} were imported'\n"
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


def test_two_workers_measure_what_one_would(finished_twice: Path) -> None:
    one, two = (measured(finished_twice, n) for n in (first_of(finished_twice), "twin"))
    assert one.keys() == two.keys()
    for key in one:
        assert one[key].parameters == two[key].parameters
        assert one[key].seed == two[key].seed
        assert one[key].value == two[key].value, "accuracy differs on the CPU"


def test_studies_are_compared(finished_twice: Path) -> None:
    name = first_of(finished_twice)
    compared = document(finished_twice, "compare", name, "twin", "--json")
    assert {one["name"] for one in compared["factors"]} >= {"optimizer", "residual"}
    assert compared["correlations"][0]["studies"] == [name, "twin"]
    assert run_verb(finished_twice, "status").returncode == 2, "which of the two is meant?"


def document(folder: Path, *arguments: str) -> dict[str, Any]:
    ended = run_verb(folder, *arguments)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    assert found["schema"] == 1
    return found


def confirmation_in(folder: Path) -> Study:
    name = document(folder, "status", "--json")["study"]
    return study_in(folder, f"{name}.confirm")


def recommended_toml(folder: Path) -> str:
    assert run_verb(folder, "recommend").returncode == 0
    (path,) = folder.glob("runs/*/recommended.toml")
    return path.read_text(encoding="utf-8")


def first_of(folder: Path) -> str:
    """Return the name of the study that is not the twin."""
    names = [item["study"] for item in document(folder, "list", "--json")["studies"]]
    (name,) = (str(name) for name in names if name != "twin")
    return name


def finished_trials(folder: Path) -> int:
    if not (folder / "runs/studies.db").exists():
        return 0
    try:
        return sum(trial.complete for trial in read_trials(study_in(folder)))
    except (LookupError, ValueError, NoDatabaseError):
        return 0  # the study is being created
