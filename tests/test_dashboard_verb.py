"""The verb `dashboard`: its output, its end on a signal, and its errors."""

import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from optuna_dashboard import get_note
from pydantic import TypeAdapter
from sqlalchemy import event

from tests.support.dashboards import ANSWER, SENTENCE, STAMP, DashboardClient, end_next_run
from tests.support.program import start_program
from training_factors.storage.database import Database, open_database
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study, create_study, load_study
from training_factors.study.analysis.answer import Answer
from training_factors.study.api.publishing import publish_cached
from training_factors.study.commands import dashboard_verb, execute
from training_factors.study.reporting.analyses import load_or_compute


@pytest.fixture
def database(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("STUDY_STORAGE", f"sqlite:///{tmp_path}/studies.db")
    return database


def create_analysed_study(database: Database, name: str = "mine") -> Study:
    """Create a study with one run and a stored analysis."""
    study = create_study(database, name, STAMP)
    study.queue.add([Run("measure", 0)])
    end_next_run(study, "complete")
    load_or_compute(
        study, "importance", lambda *given, **named: ANSWER, TypeAdapter(Answer), jobs=1
    )
    return study


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_dashboard_serves_until_a_signal_ends_it(
    database: Database, tmp_path: Path, ending: signal.Signals
) -> None:
    study = create_analysed_study(database)
    process = start_program(tmp_path, "dashboard", "--port", "0")
    assert process.stdout is not None
    line = process.stdout.readline()
    address, _, rest = line.partition("  ")
    assert address.endswith(f"/dashboard/studies/{study.study_id}")
    assert rest == "(read-only; Ctrl-C ends it)\n"
    status, _, body = DashboardClient(int(address.split(":")[2].split("/")[0])).ask(
        "GET", "/api/studies"
    )
    assert status == 200 and b"mine" in body
    process.send_signal(ending)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0
    assert SENTENCE.split(" <")[0] in get_note(study.optuna_study)


def test_a_port_in_use_is_an_error(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    create_analysed_study(database)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert execute(["dashboard", "--port", str(port)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and f"port {port}" in err and "--port" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--study", "mien"], 3, "did you mean 'mine'"),
        (["--port", "65536"], 2, "65536"),
        (["--storage", "sqlite:///nowhere.db"], 3, "there is no study yet"),
    ],
)
def test_wrong_arguments_are_errors(
    database: Database,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    create_analysed_study(database)
    assert execute(["dashboard", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == "" and words in err and len(err.splitlines()) == 1


def test_studies_without_an_analysis_are_listed(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_analysed_study(database)
    new = create_study(database, "new", STAMP)
    create_study(database, "mine.confirm", STAMP)
    dashboard_verb._publish_cached_answers(dashboard_verb._studies(database))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("no importance computed yet for new; ")
    assert get_note(new.optuna_study) == ""


def test_a_read_only_database_is_reported_but_is_no_error(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_analysed_study(database)
    read_only = open_database(f"sqlite:///{tmp_path}/studies.db", reading=True)

    def forbid(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA query_only=1")

    event.listen(read_only.engine, "connect", forbid)
    assert publish_cached(load_study(read_only, "mine"))
    (line,) = capsys.readouterr().err.splitlines()
    assert "could not be updated" in line and "readonly" in line
