"""A database's password appears nowhere, and what others can write is data, never code."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from tests.support.program import SMOKE_STUDY
from tests.support.servers import fresh_database
from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import create_study
from training_factors.storage.urls import hide_password
from training_factors.study.api.command_lines import redacted
from training_factors.study.commands import execute
from training_factors.study.data.arrays import read_npz
from training_factors.study.running.preparation import prepare_stored_study, prepare_study

SECRET = "S3cr3t{x}@/&% ü'"

FORMS = {SECRET, quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET), "S3cr3t"}


@pytest.fixture
def guarded(postgresql: str) -> Iterator[URL]:
    """A database with a password of special characters in its URL; this server trusts everybody."""
    with fresh_database(postgresql) as url:
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        name = f"guarded_{os.getpid()}"
        with engine.connect() as connection:
            connection.execute(text(f"CREATE ROLE {name} LOGIN SUPERUSER"))
        engine.dispose()
        yield make_url(url).set(username=name, password=SECRET)
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"REASSIGN OWNED BY {name} TO CURRENT_USER"))
            connection.execute(text(f"DROP ROLE {name}"))
        engine.dispose()


def assert_hides_password(words: str) -> None:
    assert not [form for form in FORMS if form in words]


@pytest.mark.slow
def test_a_whole_study_and_its_errors_without_a_trace_of_the_password(
    guarded: URL,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    url = guarded.render_as_string(hide_password=False)
    monkeypatch.setenv("STUDY_STORAGE", url)
    monkeypatch.chdir(tmp_path)
    for arguments, code in (
        ((*SMOKE_STUDY, "--rows", "16", "--study", "mine"), 0),
        (("status",), 0),
        (("doctor",), 0),
        (("recommend",), 0),
        (("run", "--study", "mine", "--epochs", "9"), 2),
        (("status", "--study", "mien", "--debug"), 3),
        (("worker", "mine", "--device", "cuda:99", "--debug"), 2),
        (("worker", "mine", "--cluster", "slurm", "--workers", "3"), 0),
        (("status", "--storage", url.replace("guarded", "unknown"), "--debug"), 2),
        (("status", "--storage", f"{url}_none", "--debug"), 2),
        (("status", "--storage", f"{url}?password={quote(SECRET)}"), 2),
        (("status", "--storage", url.replace("postgresql+psycopg", "nonsense")), 2),
        (("status", "--storage", url.replace("://", ":/")), 2),
    ):
        monkeypatch.setattr("sys.argv", ["run_study.py", *arguments])
        assert execute(list(arguments)) == code, arguments
        out, err = capfd.readouterr()
        assert_hides_password(out + err)
        assert ("Traceback" in err) == ("--debug" in arguments)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert_hides_password(path.read_bytes().decode(errors="replace"))
    dump = create_engine(guarded)
    with dump.connect() as connection:
        for table in ("study_user_attributes", "trial_user_attributes", "training_factor_queue"):
            assert_hides_password(str(connection.execute(text(f"SELECT * FROM {table}")).all()))
    dump.dispose()


def test_every_form_of_a_password_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    url = URL.create("postgresql", "me", SECRET, "host", database="name")
    monkeypatch.setenv("STUDY_STORAGE", url.render_as_string(hide_password=False))
    for form in FORMS - {"S3cr3t"}:
        assert_hides_password(redacted(f"before {form} after"))
    assert_hides_password(hide_password(url.render_as_string(hide_password=False)))


def test_braces_in_a_password_are_no_places_to_fill_in(guarded: URL) -> None:
    database = open_database(guarded.render_as_string(hide_password=False), create=True)
    assert create_study(database, "mine", Stamp("accuracy")).name == "mine"
    database.close()


HOSTILE = """
from pathlib import Path
Path("pwned").touch()
def build(*arguments):
    raise RuntimeError
"""


@pytest.mark.parametrize(
    "definition", [{"model": "hostile:build"}, {"model": "hostile"}, {"source": "hostile:build"}]
)
@pytest.mark.parametrize("verb", [["run"], ["worker", "mine"]])
def test_code_that_only_the_database_names_is_not_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    definition: dict[str, str],
    verb: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "hostile.py").write_text(HOSTILE, encoding="utf-8")
    stamp = prepare_study(Definition(source="wine", space="small")).stamp()
    definition_given = stamp.definition.model_copy(update=definition)
    stamp = stamp._replace(definition=definition_given)
    database = open_database("sqlite:///runs/studies.db", create=True)
    study = create_study(database, "mine", stamp)
    from training_factors.storage.run_queue import Run

    study.queue.add([Run("baseline", 0)])
    words = [*verb, "--study", "mine"] if verb == ["run"] else verb
    assert execute(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--allow-code" in line and "hostile" in line
    with pytest.raises(ValueError, match="--allow-code"):
        prepare_stored_study(study)
    assert not (tmp_path / "pwned").exists()


def test_a_study_s_name_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    for name in ("../../outside", "/etc/passwd", "a/../../b", "..", "<script>alert(1)</script>"):
        database = open_database(f"sqlite:///{tmp_path}/runs/studies.db", create=True)
        folder = create_study(database, name, Stamp("accuracy")).folder.resolve()
        assert folder.parent == (tmp_path / "runs").resolve()


def test_an_archive_of_arrays_runs_no_code(tmp_path: Path) -> None:
    import numpy as np

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path}/pwned",)

    np.savez(tmp_path / "data.npz", X=np.array([Hostile()], dtype=object), y=np.zeros(1))
    with pytest.raises(ValueError, match="Python objects"):
        read_npz(str(tmp_path / "data.npz"))
    assert not (tmp_path / "pwned").exists()
