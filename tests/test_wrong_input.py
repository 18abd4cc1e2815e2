"""Wrong input: one line that names the value and the remedy, exit 2, and nothing is written."""

import hashlib
import json
import os
import socket
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.support.servers import fresh_database
from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.run_queue import Run
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import create_study
from training_factors.study.commands import execute
from training_factors.study.running.preparation import prepare_study

LONGEST = 300 + len("run_study.py: error: ")

SECRET = "S3cr3t{x}@/&%"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int = 2) -> str:
    """The one line that a command ends with."""
    assert execute(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert len(line) <= LONGEST and "Traceback" not in line
    return line


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("foo", "not a database URL"),
        ("", "not a database URL"),
        ("sqlite://", "in-memory database is lost"),
        ("sqlite:///:memory:", "in-memory database is lost"),
        ("nonsense://host/name", "driver 'nonsense' is unknown"),
        ("redis://host/0", "driver 'redis' is unknown"),
        ("postgresql+nonsense://host/name", "postgresql+nonsense"),
        ("postgresql://me@127.0.0.1:{port}/name", "refused"),
        ("postgresql://me@no-such-host.invalid/name", "no-such-host.invalid"),
        ("postgresql://me@127.0.0.1:abc/name", "not a database URL"),
        ("postgresql://127.0.0.1/name?password=x", "password after its question mark"),
        ("mysql://me@127.0.0.1:{port}/name", "connect to MySQL server"),
        ("sqlite:///{folder}", "is a folder"),
        ("sqlite:////proc/studies.db", "cannot be written"),
        ("sqlite:///no/such/x.db", "'no/such' does not exist; create it first: mkdir -p no/such"),
        ("sqlite:///{folder}/../a b/x.db", "mkdir -p '{folder}/../a b'"),
    ],
)
@pytest.mark.parametrize("verb", [["run", "--preset", "smoke"], ["status"]])
def test_a_storage_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str],
    empty_folder: Path,
    url: str,
    words: str,
    verb: list[str],
) -> None:
    named = url.format(port=free_port(), folder=empty_folder)
    code = 3 if "/proc/" in url and verb[0] != "run" else 2
    line = refused(capsys, [*verb, "--storage", named], code)
    assert code == 3 or words.format(folder=empty_folder) in line
    assert list(empty_folder.iterdir()) == []


def broken_files() -> Iterator[tuple[str, Callable[[Path], None], str]]:
    def hello(path: Path) -> None:
        path.write_text("hello, world", encoding="utf-8")

    def whole(path: Path) -> None:
        database = open_database(f"sqlite:///{path}", create=True)
        create_study(database, "mine", Stamp("accuracy"))
        with database.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        database.close()

    def truncated(path: Path) -> None:
        whole(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    def stub(path: Path) -> None:
        whole(path)
        path.write_bytes(path.read_bytes()[:100])

    def foreign(path: Path) -> None:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE photographs (name TEXT)")
        connection.close()

    def foreign_studies(path: Path) -> None:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE studies (title TEXT)")
            connection.execute("CREATE TABLE patients (name TEXT)")
        connection.close()

    def older(path: Path) -> None:
        whole(path)
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE alembic_version SET version_num = 'v2.6.0.a'")
        connection.close()

    def newer(path: Path) -> None:
        whole(path)
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE alembic_version SET version_num = 'v99.0.0.a'")
        connection.close()

    yield "hello", hello, "not a database"
    yield "truncated", truncated, "malformed"
    yield "stub", stub, "malformed"
    yield "foreign", foreign, "another program's database"
    yield "foreign_studies", foreign_studies, "another program's database"
    yield "older", older, "an older version of Optuna"
    yield "newer", newer, "a newer version of Optuna"


@pytest.mark.parametrize(("name", "make", "words"), list(broken_files()))
@pytest.mark.parametrize("verb", [["run", "--preset", "smoke"], ["status"]])
def test_a_file_that_is_no_database_of_ours_stays_as_it_is(
    capsys: pytest.CaptureFixture[str],
    empty_folder: Path,
    name: str,
    make: Callable[[Path], None],
    words: str,
    verb: list[str],
) -> None:
    path = empty_folder / f"{name}.db"
    make(path)
    before = hashlib.sha256(path.read_bytes()).digest()
    line = refused(capsys, [*verb, "--storage", f"sqlite:///{path}"])
    assert words in line
    assert execute(["doctor", "--storage", f"sqlite:///{path}", "--json"]) == 1
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert words in checks[0]["found"] and checks[0]["state"] == "bad" and checks[0]["remedy"]
    assert {"disk", "device", "files"} <= {check["subject"] for check in checks}
    assert hashlib.sha256(path.read_bytes()).digest() == before


def test_an_empty_file_is_no_study_yet(
    capsys: pytest.CaptureFixture[str], empty_folder: Path
) -> None:
    (empty_folder / "empty.db").touch()
    assert "no study yet" in refused(capsys, ["status", "--storage", "sqlite:///empty.db"], 3)
    assert (empty_folder / "empty.db").stat().st_size == 0


def test_a_server_without_a_study_is_left_as_it_is(
    capsys: pytest.CaptureFixture[str], postgresql: str
) -> None:
    with fresh_database(postgresql) as url:
        assert "no study yet" in refused(capsys, ["status", "--storage", url], 3)
        assert "has a password" not in refused(capsys, ["list", "--storage", url], 3)
        engine = create_engine(url)
        with engine.connect() as connection:
            tables = connection.execute(
                text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            )
            assert tables.scalar() == 0
        engine.dispose()


def test_a_wrong_password_and_a_wrong_name(
    capsys: pytest.CaptureFixture[str], postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = make_url(postgresql).set(database="no_such_database")
    line = refused(capsys, ["run", "--storage", none.render_as_string(hide_password=False)])
    assert 'database "no_such_database" does not exist' in line
    nobody = make_url(postgresql).set(username="nobody_known", password=SECRET)
    line = refused(capsys, ["run", "--storage", nobody.render_as_string(hide_password=False)])
    assert 'role "nobody_known" does not exist' in line
    assert SECRET not in line and quote(SECRET, safe="") not in line


@pytest.fixture
def stored(empty_folder: Path) -> Path:
    """A database with one study of one run."""
    prepared = prepare_study(Definition(source="wine", space="small", epochs=1))
    database = open_database("sqlite:///runs/studies.db", create=True)
    create_study(database, "mine", prepared.stamp()).queue.add([Run("baseline", 0)])
    database.close()
    for name, line in (("adamx", 'optimizer = "adamx"'), ("far", '"optimizer.sgd.lr" = 7')):
        file = empty_folder.parent / f"{name}.toml"
        file.write_text(f"[settings]\n{line}\n", encoding="utf-8")
    return empty_folder / "runs" / "studies.db"


OWN = ["run", "--study", "mine"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*OWN, "--data", "digits"], "data.name: wine in the study, digits now"),
        ([*OWN, "--model", "mlp:medium"], "model: mlp:small in the study, mlp:medium now"),
        ([*OWN, "--epochs", "2"], "epochs: 1 in the study, 2 now"),
        ([*OWN, "--seed", "9"], "seed: 0 in the study, 9 now"),
        ([*OWN, "--space", "full"], "space: "),
        ([*OWN, "--fix", "optimizer=adam"], "space: optimizer"),
        ([*OWN, "--data", "diabetes"], "objective: accuracy in the study, r2 now"),
        ([*OWN, "--metric", "log-loss"], "accuracy in the study, negative_log_loss now"),
        (["run", "--metric", "acuracy"], "--metric 'acuracy': there is no such metric; did you "
         "mean 'accuracy'? choose one of accuracy, balanced_accuracy"),
        (["run", "--data", "wine", "--metric", "rmse"], "'rmse' is for regression, but this is "
         "classification; choose one of accuracy, "),
        (["run", "--data", "diabetes", "--metric", "auc"], "choose one of r2, rmse, mae"),
        (["importance", "--study", "mine", "--of", "mse"], "'mse' is no metric of mine; choose"),
        (["run", "--study", ""], "must be 1 to 64"),
        (["run", "--study", "x" * 65], "must be 1 to 64"),
        (["run", "--study", "a\x00b"], "printable"),
        (["run", "--study", "a\nb"], "printable"),
        (["worker", "mine", "--heartbeat", "10", "--grace", "29"], "at least 3 times"),
        (["worker", "mine", "--heartbeat", "60"], "--grace 30 must be at least 3 times"),
        (["worker", "mine", "--heartbeat", "0"], "--heartbeat 0.0: must be greater than 0"),
        (["worker", "mine", "--grace", "nan"], "--grace nan: must be a finite number"),
        (["worker", "mine", "--retry-timeout", "-1"], "--retry-timeout -1.0: must be greater than"),
        (["worker", "mine", "--patience", "-1"], "--retry-timeout -1.0: must be greater than"),
        (["worker", "mine", "--checkpoint", "soon"], "--checkpoint 'soon': must be a valid number"),
        (["worker", "mine", "--workers", "-3"], "must be greater than or equal to 0"),
        (["worker", "mine", "--workers", "0", "--start", "fork"], "leave --start fork out"),
        (["worker", "mine", "--workers", "3", "--start", "none"], "leave --workers 3 out"),
        (["worker", "mine", "--start", "forks"], "did you mean 'fork'?"),
        (["worker", "mine", "--start", "threads"], "use one of fork, spawn, none"),
        (["worker", "mine", "--workers", "two"], "--workers 'two': must be a valid integer"),
        (["worker", "mine", "--per-gpu", "0"], "must be greater than or equal to 1"),
        (["worker", "mine", "--device", "cuda:9"], "'cuda:9' is not on this machine"),
        (["worker", "mine", "--device", "gpu"], "'gpu' is unknown"),
        (["worker", "mine", "--cluster", "host:8786"], "cluster 'host:8786' is unknown"),
        (["worker", "mine", "--cluster", "dask://"], "cluster 'dask://' is unknown"),
        (["worker", "mine", "--cluster", "dask://localhost:abc"], "'dask://localhost:abc' is unk"),
        (["worker", "mine", "--cluster", "dask://far:8786"], "cannot reach an SQLite file"),
        (["run", "--cluster", "dask://localhost:1"], "does not answer"),
        (["confirm", "--study", "mine", "--top", "0"], "--top 0 must be 1 or more"),
        (["confirm", "--study", "mine", "--seeds", "2"], "--seeds 2 must be 3 or more"),
        (["confirm", "--study", "mine", "--hours", "0"], "--hours 0 must be a number greater"),
        (["confirm", "--study", "mine", "--hours", "1", "--seeds", "3"], "leave --seeds 3 or"),
        (["run", "--study=-x"], "must not begin with"),
        (["run", "--study", "x.confirm"], "ends in '.confirm'"),
        (["run", "--hours", "0"], "--hours 0 must be a finite number above 0"),
        (["run", "--hours", "-1"], "--hours -1 must be a finite number above 0"),
        (["run", "--hours", "nan"], "--hours nan must be a finite number above 0"),
        (["run", "--hours", "inf"], "--hours inf must be a finite number above 0"),
        (["run", "--hours", "soon"], "--hours 'soon': must be a valid number"),
        (["run", "--hours", "1", "--preset", "quick"], "leave --preset quick out"),
        (["plan", "--hours", "1", "--rows", "32"], "leave --rows 32 out"),
        (["run", "--also", "none.toml"], "--also 'none.toml' cannot be read: No such file"),
        (["run", "--also", "../adamx.toml"], "adamx.toml: optimizer = \"adamx\": optimizer has"),
        (["run", "--study", "mine", "--also", "../far.toml"], "or begin a study with --range opt"),
        (["run", "--cluster", "slurm"], "worker NAME --cluster slurm"),
        (["stop", "--study", "mine", "--now"], "No such option: --now"),
        (["run", "--range", "optimizer.sgd.lr=1:1e-3"], "1:0.001"),
        (["run", "--range", "optimizer.sgd.lr=0:1:log"], "log"),
        (["run", "--range", "optimizer.sgd.lr=nan:1"], "nan"),
        (["run", "--range", "optimizer.sgd.lr=0.1:inf"], "inf"),
        (["run", "--choices", "activation="], "activation"),
        (["run", "--choices", "activation=relu,relu"], "relu"),
        (["run", "--choices", "activation=relu,reluu"], "did you mean 'relu'"),
        (["run", "--data", "no.such:function"], "no.such"),
        (["run", "--data", ""], "--data '' names nothing; name a set, a folder or a file"),
        (["run", "--data", "/dev/null"], "'/dev/null' is neither a file nor a folder"),
        (["plot", "gains", "--output", "no/such/x.png"], "create it first: mkdir -p no/such"),
        (["export", "no/such/folder"], "'no/such' does not exist; create it first: mkdir -p no"),
        (["run", "--model", "no.such:function"], "no.such"),
        (["run", "--image-size", "2", "--data", "digits"], "--image-size 2"),
    ],
)  # fmt: skip
def test_what_is_asked_of_a_study_that_cannot_be(
    capsys: pytest.CaptureFixture[str], stored: Path, arguments: list[str], words: str
) -> None:
    def rows() -> list[tuple[int, ...]]:
        with sqlite3.connect(stored) as connection:
            counted = [
                connection.execute(f"SELECT count(*) FROM {table}").fetchone()
                for table in ("studies", "trials", "training_factor_queue", "study_user_attributes")
            ]
        connection.close()
        return counted

    before, files = rows(), set(stored.parents[1].rglob("*"))
    assert words in refused(capsys, arguments)
    assert rows() == before
    # This process still has the database open.
    new = set(stored.parents[1].rglob("*")) - files - set(stored.parent.glob("studies.db-*"))
    assert new == set()


def test_an_unknown_study_names_the_nearest(
    capsys: pytest.CaptureFixture[str], stored: Path
) -> None:
    for arguments in (
        ["status", "--study", "mien"],
        ["worker", "mien"],
        ["stop", "--study", "mien"],
    ):
        assert "did you mean 'mine'?" in refused(capsys, arguments, 3)


def test_a_study_of_another_tool_is_left_alone(
    capsys: pytest.CaptureFixture[str], stored: Path
) -> None:
    import optuna

    optuna.create_study(study_name="theirs", storage=f"sqlite:///{stored}")
    assert "not made by this tool" in refused(capsys, ["run", "--study", "theirs"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], empty_folder: Path
) -> None:
    empty_folder.chmod(0o500)
    assert "cannot be written" in refused(capsys, ["run", "--preset", "smoke"])
    empty_folder.chmod(0o700)


def test_databases_are_their_owner_s_alone(stored: Path) -> None:
    for path in stored.parent.glob("studies.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
