"""The dashboard behind its gate, with a note on every run: over HTTP, as browsers see it."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import optuna
import pytest
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna_dashboard import get_note, save_note

from tests.support.dashboards import (
    ENDS,
    FACTOR,
    HOSTILE,
    OPTION,
    STAMP,
    DashboardClient,
    end_next_run,
    hostile_study,
    serve_dashboard,
)
from tests.support.reports import simulated_report
from training_factors.storage.database import Database, folder_of, open_database
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study, create_study
from training_factors.study.reporting import dashboard_middleware as details_module
from training_factors.study.reporting.dashboard import AccessRules, with_access_control
from training_factors.study.reporting.dashboard_middleware import curve_path, finite_curve
from training_factors.study.reporting.dashboard_notes import escaped_markdown


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """No test changes it."""
    folder = tmp_path_factory.mktemp("dashboard")
    return hostile_study(open_database(f"sqlite:///{folder}/studies.db", create=True))


@pytest.fixture(scope="module")
def served(study: Study) -> Iterator[DashboardClient]:
    with serve_dashboard(study.database) as found:
        yield found


@pytest.fixture(scope="module")
def writable(study: Study) -> Iterator[DashboardClient]:
    with serve_dashboard(study.database, writing=True) as found:
        yield found


def details(served: DashboardClient, study: Study, after: int = 0) -> dict[str, Any]:
    status, _, body = served.ask("GET", f"/api/studies/{study.study_id}?after={after}")
    assert status == 200
    found: dict[str, Any] = json.loads(body)
    return found


def notes(served: DashboardClient, study: Study) -> list[str]:
    return [trial["note"]["body"] for trial in details(served, study)["trials"]]


CHANGES = (("POST", "/api/studies"), ("PUT", "/api/studies/1/note"), ("DELETE", "/api/studies/1"))


@pytest.mark.parametrize(("method", "path"), [*CHANGES, ("OPTIONS", "/"), ("PATCH", "/dashboard")])
def test_nothing_is_changed_without_write(
    served: DashboardClient, study: Study, method: str, path: str
) -> None:
    status, headers, body = served.ask(method, path, '{"version": 1, "body": "x"}')
    assert status == 403 and headers["Content-Type"] == "application/json"
    assert "--write" in json.loads(body)["reason"]
    assert get_note(study.optuna_study) == ""


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost:1"]
)
def test_a_foreign_host_is_refused(served: DashboardClient, host: str) -> None:
    status, _, body = served.ask("GET", "/api/studies", Host=host.format(port=served.port))
    assert status == 403 and b"digits" not in body
    assert len(body.splitlines()) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_our_own_names_are_hosts(served: DashboardClient, host: str) -> None:
    assert served.ask("GET", "/api/studies", Host=f"{host}:{served.port}")[0] == 200


def test_browsers_leave_out_port_80() -> None:
    read = {"REQUEST_METHOD": "GET", "HTTP_HOST": "localhost"}
    assert AccessRules(80, False).refusal(read) is None
    assert AccessRules(8080, False).refusal(read) is not None
    assert AccessRules(80, False).refusal({"REQUEST_METHOD": "GET"}) is not None


def test_with_write_a_user_s_note_is_kept(database: Database) -> None:
    study = hostile_study(database)
    path = f"/api/studies/{study.study_id}/{study.optuna_study.trials[0]._trial_id}/note"
    with serve_dashboard(database, writing=True) as served:
        before = notes(served, study)
        own = {"Origin": served.address, "Content-Type": "application/json"}
        status, _, body = served.ask("PUT", path, '{"version": 1, "body": "mine"}', **own)
        assert (status, body) == (200, b"{}")  # the page reads JSON from every answer
        assert notes(served, study) == ["mine", *before[1:]]
        assert served.ask("PUT", path, '{"version": 2, "body": ""}', **own)[0] == 200
        assert notes(served, study)[0] == ""


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_with_write_another_origin_changes_nothing(
    writable: DashboardClient, study: Study, method: str, path: str, origin: str
) -> None:
    status, _, body = writable.ask(method, path, '{"version": 1, "body": "x"}', Origin=origin)
    assert status == 403 and "origin" in json.loads(body)["reason"]
    assert get_note(study.optuna_study) == ""


def test_every_answer_carries_the_headers_that_browsers_heed(served: DashboardClient) -> None:
    for path in ("/dashboard", "/api/studies", "/static/bundle.js", "/nowhere"):
        _, headers, _ = served.ask("GET", path)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_every_run_that_has_ended_has_a_note(served: DashboardClient, study: Study) -> None:
    complete, diverged, failed, pruned, running = notes(served, study)
    assert "**measure, row 0**: counts for importance" in complete
    assert "**complete** after 1.5 s: validation accuracy 0.9000" in complete
    assert f"/curves/{study.study_id}/0.svg" in complete
    assert "**diverged** after 0.5 s" in diverged and "/curves/" not in diverged
    assert "**search, row 0**" in pruned and "does not count for importance" in pruned
    assert "**pruned**" in pruned
    assert "**fail**" in failed and "out of memory" in failed
    assert "without a result it does not count" in failed
    assert running == ""
    found = details(served, study)
    assert found["objective_names"] == ["validation accuracy"]
    assert found["best_trials"][0]["note"]["body"] == complete


def test_names_are_data_in_notes(served: DashboardClient, study: Study) -> None:
    for note in notes(served, study)[:-1]:
        assert escaped_markdown(FACTOR) in note and escaped_markdown(OPTION) in note
        assert HOSTILE not in note and "[x](" not in note


def test_what_has_ended_is_told_the_same_and_what_is_new_is_told(
    served: DashboardClient, study: Study
) -> None:
    first = details(served, study)
    assert details(served, study) == first
    for after in range(len(ENDS) + 2):
        assert details(served, study, after)["trials"] == first["trials"][after:]


def test_a_study_that_has_ended_goes_on(database: Database) -> None:
    study = create_study(database, "mine", STAMP)
    study.queue.add([Run("measure", row) for row in range(3)])
    end_next_run(study, "complete")
    with serve_dashboard(database) as served:
        before = details(served, study)
        assert details(served, study) == before
        save_note(study.optuna_study, "news")
        assert details(served, study)["note"]["body"] == "news"
        trial_id = study.optuna_study.trials[0]._trial_id
        save_note(optuna.trial.Trial(study.optuna_study, trial_id), "mine")
        assert notes(served, study) == ["mine"]


def test_another_program_s_study_is_shown_without_our_notes(database: Database) -> None:
    other = optuna.create_study(study_name="other", storage=database.storage)
    other.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    with serve_dashboard(database) as served:
        _, _, body = served.ask("GET", f"/api/studies/{other._study_id}?after=0")
    assert [trial["note"]["body"] for trial in json.loads(body)["trials"]] == ["", ""]


@pytest.mark.parametrize("path", ["/api/studies/99?after=0", "/api/studies/1?after=-1"])
def test_what_is_not_there_is_told_as_the_dashboard_tells_it(
    served: DashboardClient, path: str
) -> None:
    status, _, body = served.ask("GET", path)
    assert status in (400, 404) and "reason" in json.loads(body)


def test_many_curves_are_left_to_their_own_pages(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(details_module, "MANY_TRIALS", 3)
    other = optuna.create_study(study_name="other", storage=database.storage)
    trial = optuna.create_trial(value=0.2, intermediate_values={0: 0.1, 1: 0.2})
    path = f"/api/studies/{other._study_id}?after=0"
    for count, shown in ((2, True), (3, False)):
        other.add_trials([trial] * (count - len(other.trials)))
        with serve_dashboard(database) as served:
            found = json.loads(served.ask("GET", path)[2])
        assert found["has_intermediate_values"] == shown
        assert all(trial["intermediate_values"] for trial in found["trials"])


def test_curves_are_pictures(served: DashboardClient, study: Study) -> None:
    status, headers, body = served.ask("GET", f"/curves/{study.study_id}/0.svg")
    assert status == 200 and headers["Content-Type"] == "image/svg+xml"
    assert b"<svg" in body
    for path in (f"/curves/{study.study_id}/99.svg", "/curves/99/0.svg", "/curves/1/x.svg"):
        assert served.ask("GET", path)[0] == 404
    assert finite_curve({0: float("nan"), 1: 0.5}) == {1: 0.5}
    assert curve_path(1, simulated_report().trials[0]) == "/curves/1/0.svg"
    assert curve_path(1, simulated_report().trials[0]._replace(curve={0: 0.5})) == ""


@pytest.mark.parametrize("name", ["page.html", "picture.svg"])
def test_artifacts_are_files_and_never_pages(database: Database, name: str) -> None:
    folder = folder_of(database)
    (folder / name).write_text("<script>alert(1)</script>")
    (folder / "artifacts").mkdir()
    store = FileSystemArtifactStore(folder / "artifacts")
    study = create_study(database, "mine", STAMP)
    artifact = upload_artifact(
        artifact_store=store, file_path=str(folder / name), study_or_trial=study.optuna_study
    )
    with serve_dashboard(database) as served:
        status, headers, body = served.ask("GET", f"/artifacts/{study.study_id}/{artifact}")
    assert status == 200 and body == b"<script>alert(1)</script>"
    assert headers["Content-Disposition"] == "attachment"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers


def test_the_folder_of_artifacts_is_made_with_the_first(database: Database) -> None:
    folder = folder_of(database) / "artifacts"
    study = create_study(database, "mine", STAMP)
    upload = json.dumps({"file": "data:text/plain;base64,aGVsbG8=", "filename": "a.txt"})
    path = f"/api/artifacts/{study.study_id}"
    with serve_dashboard(database, writing=True) as served:
        details(served, study)
        assert not folder.exists()
        status, _, body = served.ask("POST", path, upload, **{"Content-Type": "application/json"})
    assert status == 201
    (kept,) = folder.iterdir()
    assert kept.name == json.loads(body)["artifact_id"] and kept.read_bytes() == b"hello"


def test_a_refused_request_reaches_nothing_behind_the_gate() -> None:
    def unreachable(environ: Any, start_response: Any) -> list[bytes]:
        raise AssertionError("let through")

    def begin(status: str, headers: list[tuple[str, str]]) -> Any:
        begun.append(status)

    begun: list[str] = []
    body = BytesIO(b"abc")
    environ = {
        "REQUEST_METHOD": "POST", "HTTP_HOST": "localhost:80", "CONTENT_LENGTH": "3",
        "wsgi.input": body,
    }  # fmt: skip
    with_access_control(unreachable, AccessRules(80, False))(environ, begin)  # type: ignore[arg-type]
    assert begun == ["403 Forbidden"] and body.read() == b""
