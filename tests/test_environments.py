"""Odd environments: locales, homes, read-only folders, and hosts that are not ours alone."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.program import ENTRY, ROOT, SMOKE_STUDY, run_program
from tests.support.studies import create_simulated_study
from training_factors.__main__ import main
from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import create_study, load_study, study_names
from training_factors.study.api import execution
from training_factors.study.commands import execute
from training_factors.study.data import cache
from training_factors.study.data.sources import load_dataset
from training_factors.study.running import datasheet_builder, preparation

LOCALES = {
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
}
"""Environments of terminals that cannot show all signs."""


def make_pictures(folder: Path) -> None:
    """Make two classes, whose names are no ASCII and no UTF-8."""
    for value, name in enumerate(("Größe".encode(), b"caf\xe9")):
        inside = folder / os.fsdecode(name)
        inside.mkdir(parents=True)
        for i in range(12):
            Image.new("L", (8, 8), 100 * value + i).save(inside / f"{i}.png")


@pytest.mark.slow
def test_a_study_without_utf_8(tmp_path: Path) -> None:
    make_pictures(tmp_path / "pets")
    words = ("--data", "pets", "--preset", "smoke", "--rows", "16", "--epochs", "1")
    ended = run_program(tmp_path, *words, "--space", "small", environment=LOCALES["ascii"])
    assert ended.returncode == 0, ended.stderr
    (page,) = tmp_path.glob("runs/*/report.html")
    text = page.read_text(encoding="utf-8")
    assert "Größe" in text and r"caf\xe9" in text
    # The same data in another locale.
    study = load_study(open_database(f"sqlite:///{tmp_path}/runs/studies.db"), None)
    assert load_dataset(str(tmp_path / "pets")).fingerprint == study.stamp.data.fingerprint


@pytest.mark.parametrize("locale", LOCALES)
def test_screens_replace_what_they_cannot_show(tmp_path: Path, locale: str) -> None:
    ended = run_program(tmp_path, "factors", environment=LOCALES[locale])
    assert ended.returncode == 0, ended.stderr
    assert "?" in ended.stdout


@pytest.mark.parametrize("words", [["--data", "im\udce9"], ["status", "--study", "\udce9"]])
def test_words_that_are_no_text_are_refused_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert execute(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert r"\udce9' is no text in this locale; rename it, or set LC_ALL=C.UTF-8" in line
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def without_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Have no home folder, and no user with one; return the folder for temporary files."""

    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", unknown)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cache._temporary_cache_folder.cache_clear()
    return tmp_path


def test_without_a_home_folder_data_is_cached_in_the_temporary_one(
    without_home: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = cache.cache_folder()
    assert folder.parent == without_home and folder.stat().st_mode & 0o777 == 0o700
    assert cache.cache_folder() == folder
    assert [record.getMessage() for record in caplog.records] == [
        f"there is no home folder; decoded data is kept in {folder}"
    ]
    assert execute(["doctor"]) == 0
    assert str(folder) in "".join(capsys.readouterr().out.split())


def test_a_temporary_cache_that_somebody_else_made_is_not_used(
    without_home: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (without_home / f"training-factors-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    folder = cache.cache_folder()
    assert folder.parent == without_home and not folder.is_symlink()
    assert cache.cache_folder() == folder


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder with a study of 40 runs, which nobody can write to."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    is_root = os.getuid() == 0
    if is_root:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "none", folder], capture_output=True, text=True, check=False
        )
        if mounted.returncode:
            pytest.skip(f"root may write everywhere but on a mount: {mounted.stderr.strip()}")
    create_simulated_study(f"sqlite:///{folder}/studies.db", 40, space="small").database.close()
    if is_root:
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    else:
        (folder / "studies.db").chmod(0o400)
        folder.chmod(0o500)
    yield folder
    if is_root:
        subprocess.run(["umount", "--lazy", folder], check=True)
    else:
        folder.chmod(0o700)


@pytest.mark.slow
def test_results_on_a_read_only_mount_are_read(
    read_only: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = ("--storage", f"sqlite:///{read_only}/studies.db")
    for verb in ("status", "list", "importance", "effects", "recommend", "doctor"):
        assert execute([verb, *storage]) == 0, capsys.readouterr().err
    assert "read-only" in capsys.readouterr().out
    assert Path("runs/simulated/report.html").exists()
    for verb in ("run", "confirm", "stop"):
        assert execute([verb, *storage]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "cannot be written; copy it to a folder" in line


def test_results_in_the_log_of_a_read_only_database_are_not_overlooked(
    read_only: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SQLite would not read the write-ahead log, and the study would look older than it is."""
    copied = shutil.copytree(read_only, tmp_path / "copy")
    if os.getuid() == 0:
        subprocess.run(["mount", "-o", "remount,rw", read_only], check=True)
    else:
        read_only.chmod(0o700)
    (read_only / "studies.db-wal").write_bytes(b"results")
    if os.getuid() == 0:
        subprocess.run(["mount", "-o", "remount,ro", read_only], check=True)
    else:
        read_only.chmod(0o500)
    assert execute(["status", "--storage", f"sqlite:///{read_only}/studies.db"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "some of its results are in 'studies.db-wal'" in line
    copied.joinpath("studies.db").chmod(0o600)
    assert execute(["status", "--storage", f"sqlite:///{copied}/studies.db"]) == 0


@pytest.mark.parametrize("error", [ValueError("no picture"), RuntimeError("a bug")])
def test_a_start_that_fails_leaves_no_study_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail(prepared: object) -> None:
        raise error

    monkeypatch.setattr(datasheet_builder, "build_datasheet", fail)
    assert execute([*SMOKE_STUDY]) == (2 if isinstance(error, ValueError) else 1)
    assert str(error) in capsys.readouterr().err
    database = open_database("sqlite:///runs/studies.db")
    assert study_names(database) == []
    # A study that was there before stays.
    monkeypatch.undo()
    assert execute(["status"]) == 3


def test_a_study_that_was_there_outlives_a_start_that_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study = create_simulated_study("sqlite:///runs/studies.db", 3)
    monkeypatch.setattr(execution, "run_queue", None)
    assert execute(["run", "--study", "simulated"]) == 1
    assert study_names(study.database) == ["simulated"]


def test_a_study_that_another_process_has_just_created_outlives_a_start_that_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another start with other settings comes first, while this one still prepares its data."""
    prepare = preparation.prepare_study

    def overtaken(
        definition: Definition, stored: object, **given: object
    ) -> preparation.PreparedStudy:
        other = prepare(definition.model_copy(update={"epochs": 3}))
        database = open_database("sqlite:///runs/studies.db", create=True)
        create_study(database, "mine", other.stamp()).queue.add([Run("baseline", 0)])
        return prepare(definition)

    monkeypatch.setattr(preparation, "prepare_study", overtaken)
    assert execute([*SMOKE_STUDY, "--study", "mine"]) == 2
    assert "different settings" in capsys.readouterr().err
    study = load_study(open_database("sqlite:///runs/studies.db"), "mine")
    assert study.queue.progress()["baseline"].total == 1


HOSTS = {
    "runpy": f"import runpy; runpy.run_path({str(ENTRY)!r}, run_name='__main__')",
    "thread": (
        "import threading; from training_factors.__main__ import main\n"
        "thread = threading.Thread(target=main); thread.start(); thread.join()"
    ),
    "ipython": (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        f"InteractiveShell.instance().run_line_magic('run', {f'{ENTRY} --version'!r})"
    ),
}
"""Programs in which the command line is a guest."""


@pytest.mark.parametrize("host", HOSTS)
def test_the_host_of_the_command_line_goes_on(tmp_path: Path, host: str) -> None:
    code = f"import sys; sys.argv = ['run_study.py', '--version']\n{HOSTS[host]}\nprint('went on')"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "run_study.py " in ended.stdout and ended.stdout.endswith("went on\n")


def test_wrong_input_ends_a_guest_as_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["run_study.py", "nonsense"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2


def test_a_whole_study_runs_in_a_thread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codes: list[int] = []
    words = [*SMOKE_STUDY, "--rows", "16", "--workers", "1"]
    thread = threading.Thread(target=lambda: codes.append(execute(words)))
    thread.start()
    thread.join()
    assert codes == [0], capsys.readouterr().err
