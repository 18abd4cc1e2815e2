"""`delete`: what goes, what stays, who is asked, and what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

import training_factors as tf
from tests.support.program import ENTRY, run_verb
from tests.support.studies import add_simulated_confirmation, create_simulated_study
from training_factors.storage.owner import this_process
from training_factors.storage.run_queue import Run, StudyGoneError
from training_factors.storage.studies import Study, create_confirmation, study_names
from training_factors.study.api.study_files import files_of


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A confirmed study of 16 runs with files of every kind, the user's own ones among them."""
    made = create_simulated_study(f"sqlite:///{tmp_path}/runs/studies.db", 16, name="mine")
    add_simulated_confirmation(made)
    own = (
        "report.html", "importance.svg", "charts/gains.png", "tables/trials.csv", "logs/1-a.log",
        "checkpoints/measure-3-0.000002.checkpoint", "charts/.gains.png.x1.partial",
    )  # fmt: skip
    for name in (*own, "notes.txt", "charts/mine.key", "export/model.safetensors"):
        path = made.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("12345678", encoding="utf-8")
    return made


FOREIGN = ["charts/mine.key", "export/model.safetensors", "notes.txt"]


def names_in(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_the_study_its_confirmation_and_its_own_files_go(study: Study, tmp_path: Path) -> None:
    ended = run_verb(tmp_path, "delete", "--study", "mine", "--yes")
    assert (ended.returncode, ended.stderr) == (0, "")
    deleted, *kept = ended.stdout.splitlines()
    assert deleted == "deleted mine (16 runs), mine.confirm (20 runs), 7 files (56 bytes)"
    assert study_names(study.database) == []
    assert names_in(study.folder) == FOREIGN
    relative = study.folder.relative_to(tmp_path)
    assert kept == [f"kept, since it may be yours: {relative / name}" for name in FOREIGN]
    assert {path.name for path in study.folder.iterdir() if path.is_dir()} == {"charts", "export"}
    assert run_verb(tmp_path, "delete", "--study", "mine", "--yes").returncode == 3


def test_a_folder_with_nothing_else_in_it_goes_too(study: Study, tmp_path: Path) -> None:
    for name in FOREIGN:
        (study.folder / name).unlink()
    (study.folder / "export").rmdir()
    deleted = tf.load("mine", study.database.url).delete()
    assert deleted.runs == {"mine": 16, "mine.confirm": 20} and not deleted.foreign
    assert [path.name for path in (tmp_path / "runs").iterdir() if path.is_dir()] == []


def test_whatever_commands_write_is_known_as_the_study_s_own(tmp_path: Path) -> None:
    """A file of a new kind would be kept for ever: add it to `OWN_FILES`."""
    made = create_simulated_study(f"sqlite:///{tmp_path}/runs/studies.db", 20, space="small")
    for words in (["importance"], ["recommend"], ["plot", "gains"], ["export", "--csv"]):
        ended = run_verb(tmp_path, *words)
        assert ended.returncode == 0, ended.stderr
    files = files_of(made.folder)
    assert files.foreign == []
    assert {path.suffix for path in files.own} == {
        ".html",
        ".json",
        ".png",
        ".svg",
        ".toml",
        ".csv",
    }
    assert run_verb(tmp_path, "delete", "--study", "simulated", "-y").returncode == 0
    assert not made.folder.exists()


def test_a_link_to_a_folder_of_the_user_s_is_not_followed(study: Study, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "scan.png").touch()
    for path in (study.folder / "charts").iterdir():
        path.unlink()
    (study.folder / "charts").rmdir()
    (study.folder / "charts").symlink_to(theirs)
    assert study.folder / "charts" in files_of(study.folder).foreign
    tf.load("mine", study.database.url).delete()
    assert (theirs / "scan.png").exists() and (study.folder / "charts").is_symlink()


def test_a_confirmation_is_deleted_alone(study: Study, tmp_path: Path) -> None:
    ended = run_verb(tmp_path, "delete", "--study", "mine.confirm", "-y")
    assert ended.stdout == "deleted mine.confirm (20 runs)\n"
    assert study_names(study.database) == ["mine"]
    assert (study.folder / "report.html").exists()


def test_a_study_that_workers_train_is_refused(study: Study, tmp_path: Path) -> None:
    confirmation = create_confirmation(study)
    confirmation.queue.add([Run("confirm", 0, 99)])
    assert confirmation.queue.claim(str(this_process())) is not None
    ended = run_verb(tmp_path, "delete", "--study", "mine", "--yes")
    assert ended.returncode == 2 and ended.stdout == ""
    assert "1 worker still trains mine.confirm" in ended.stderr
    assert ended.stderr.rstrip().endswith("stop --study mine")
    assert study_names(study.database) == ["mine", "mine.confirm"]
    assert (study.folder / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "delete needs the name of the study: --study NAME"),
        (["--study", "mine"], "asks on a terminal only; --yes deletes mine (16 runs), mine.conf"),
    ],
)
def test_nothing_is_deleted_without_a_name_or_an_answer(
    study: Study, tmp_path: Path, arguments: list[str], words: str
) -> None:
    before = names_in(tmp_path)
    ended = run_verb(tmp_path, "delete", *arguments)
    assert ended.returncode == 2 and words in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert study_names(study.database) == ["mine", "mine.confirm"]
    assert names_in(tmp_path) == before


def test_a_study_is_not_deleted_under_its_earlier_name(study: Study, tmp_path: Path) -> None:
    optuna.copy_study(
        from_study_name="mine", from_storage=study.database.storage,
        to_storage=study.database.storage, to_study_name="precious",
    )  # fmt: skip
    optuna.delete_study(study_name="mine", storage=study.database.storage)
    ended = run_verb(tmp_path, "delete", "--study", "mine", "--yes")
    assert ended.returncode == 2
    assert "study 'mine' is called 'precious' by now" in ended.stderr


def test_python_does_not_delete_another_study_of_the_same_name(
    study: Study, tmp_path: Path
) -> None:
    loaded = tf.load("mine", study.database.url)
    run_verb(tmp_path, "delete", "--study", "mine", "--yes")
    create_simulated_study(study.database.url, 1, name="mine")
    with pytest.raises(StudyGoneError, match="another one is called so"):
        loaded.delete()
    assert study_names(study.database) == ["mine"]


@pytest.mark.parametrize(
    ("typed", "left", "said"),
    [("y\n", [], "deleted mine (16 runs)"), ("maybe\nn\n", ["mine", "mine.confirm"], "")],
)
def test_a_terminal_is_asked(
    study: Study, tmp_path: Path, typed: str, left: list[str], said: str
) -> None:
    pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")
    terminal, end = pty.openpty()
    os.write(terminal, typed.encode())  # it waits there until it is read
    words = [sys.executable, str(ENTRY), "delete", "--study", "mine"]
    process = subprocess.Popen(words, cwd=tmp_path, stdin=end, stdout=subprocess.PIPE, stderr=end)
    out, _ = process.communicate(timeout=120)
    shown = os.read(terminal, 10_000).decode()
    os.close(terminal)
    os.close(end)
    assert process.returncode == 0
    assert f"folder: {study.folder.relative_to(tmp_path)}" in shown
    assert "delete mine (16 runs), mine.confirm (20 runs), 7 files (56 bytes) for good?" in shown
    assert ("nothing is deleted" in shown) == bool(left)
    assert out.decode().startswith(said)
    assert study_names(study.database) == left
