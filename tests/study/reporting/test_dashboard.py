"""The dashboard over HTTP, as browsers see it: access control, notes, curves and artifacts."""

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
from training_factors.study.reporting import dashboard_middleware
from training_factors.study.reporting.dashboard import AccessRules, with_access_control
from training_factors.study.reporting.dashboard_middleware import curve_path, finite_curve
from training_factors.study.reporting.dashboard_notes import escaped_markdown


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study that no test changes."""
    folder = tmp_path_factory.mktemp("dashboard")
    return hostile_study(open_database(f"sqlite:///{folder}/studies.db", create=True))


@pytest.fixture(scope="module")
def served(study: Study) -> Iterator[DashboardClient]:
    with serve_dashboard(study.database) as client:
        yield client


@pytest.fixture(scope="module")
def writable(study: Study) -> Iterator[DashboardClient]:
    with serve_dashboard(study.database, writing=True) as client:
        yield client


def read_details(served: DashboardClient, study: Study, after: int = 0) -> dict[str, Any]:
    status, _, body = served.ask("GET", f"/api/studies/{study.study_id}?after={after}")
    assert status == 200
    document: dict[str, Any] = json.loads(body)
    return document


def notes(served: DashboardClient, study: Study) -> list[str]:
    return [trial["note"]["body"] for trial in read_details(served, study)["trials"]]


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
def test_names_of_this_machine_are_accepted_hosts(served: DashboardClient, host: str) -> None:
    assert served.ask("GET", "/api/studies", Host=f"{host}:{served.port}")[0] == 200


def test_port_80_may_be_left_out_of_the_host() -> None:
    read = {"REQUEST_METHOD": "GET", "HTTP_HOST": "localhost"}
    assert AccessRules(80, False).refusal(read) is None
    assert AccessRules(8080, False).refusal(read) is not None
    assert AccessRules(80, False).refusal({"REQUEST_METHOD": "GET"}) is not None


def test_with_write_a_user_can_save_a_note(database: Database) -> None:
    study = hostile_study(database)
    path = f"/api/studies/{study.study_id}/{study.optuna_study.trials[0]._trial_id}/note"
    with serve_dashboard(database, writing=True) as served:
        before = notes(served, study)
        own = {"Origin": served.address, "Content-Type": "application/json"}
        status, _, body = served.ask("PUT", path, '{"version": 1, "body": "mine"}', **own)
        assert (status, body) == (200, b"{}")  # the page parses every response as JSON
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


def test_every_response_has_security_headers(served: DashboardClient) -> None:
    for path in ("/dashboard", "/api/studies", "/static/bundle.js", "/nowhere"):
        _, headers, _ = served.ask("GET", path)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_every_trial_that_has_ended_has_a_note(served: DashboardClient, study: Study) -> None:
    complete, diverged, failed, pruned, running = notes(served, study)
    assert "**measure, row 0**: counts for importance" in complete
    assert "**complete** after 1.5 s: validation accuracy 0.9000" in complete
    assert f"/curves/{study.study_id}/0.svg" in complete
    assert "**diverged** after 0.5 s" in diverged and "/curves/" not in diverged
    assert "**search, row 0**" in pruned and "does not count for importance" in pruned
    assert "**pruned**" in pruned
    assert "**failed**" in failed and "out of memory" in failed
    assert "because it has no result" in failed
    assert running == ""
    found = read_details(served, study)
    assert found["objective_names"] == ["validation accuracy"]
    assert found["best_trials"][0]["note"]["body"] == complete


def test_hostile_names_are_escaped_in_notes(served: DashboardClient, study: Study) -> None:
    for note in notes(served, study)[:-1]:
        assert escaped_markdown(FACTOR) in note and escaped_markdown(OPTION) in note
        assert HOSTILE not in note and "[x](" not in note


def test_repeated_requests_get_the_same_trials(served: DashboardClient, study: Study) -> None:
    first = read_details(served, study)
    assert read_details(served, study) == first
    for after in range(len(ENDS) + 2):
        assert read_details(served, study, after)["trials"] == first["trials"][after:]


def test_a_new_note_of_a_user_is_shown_at_once(database: Database) -> None:
    study = create_study(database, "mine", STAMP)
    study.queue.add([Run("measure", row) for row in range(3)])
    end_next_run(study, "complete")
    with serve_dashboard(database) as served:
        before = read_details(served, study)
        assert read_details(served, study) == before
        save_note(study.optuna_study, "news")
        assert read_details(served, study)["note"]["body"] == "news"
        trial_id = study.optuna_study.trials[0]._trial_id
        save_note(optuna.trial.Trial(study.optuna_study, trial_id), "mine")
        assert notes(served, study) == ["mine"]


def test_studies_of_other_programs_get_no_notes(database: Database) -> None:
    other = optuna.create_study(study_name="other", storage=database.storage)
    other.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    with serve_dashboard(database) as served:
        _, _, body = served.ask("GET", f"/api/studies/{other._study_id}?after=0")
    assert [trial["note"]["body"] for trial in json.loads(body)["trials"]] == ["", ""]


@pytest.mark.parametrize("path", ["/api/studies/99?after=0", "/api/studies/1?after=-1"])
def test_a_wrong_request_gets_the_dashboard_s_own_error(served: DashboardClient, path: str) -> None:
    status, _, body = served.ask("GET", path)
    assert status in (400, 404) and "reason" in json.loads(body)


def test_with_many_trials_the_plot_of_all_curves_is_left_out(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard_middleware, "MANY_TRIALS", 3)
    other = optuna.create_study(study_name="other", storage=database.storage)
    trial = optuna.create_trial(value=0.2, intermediate_values={0: 0.1, 1: 0.2})
    path = f"/api/studies/{other._study_id}?after=0"
    for count, shown in ((2, True), (3, False)):
        other.add_trials([trial] * (count - len(other.trials)))
        with serve_dashboard(database) as served:
            found = json.loads(served.ask("GET", path)[2])
        assert found["has_intermediate_values"] == shown
        assert all(trial["intermediate_values"] for trial in found["trials"])


def test_learning_curves_are_served_as_pictures(served: DashboardClient, study: Study) -> None:
    status, headers, body = served.ask("GET", f"/curves/{study.study_id}/0.svg")
    assert status == 200 and headers["Content-Type"] == "image/svg+xml"
    assert b"<svg" in body
    for path in (f"/curves/{study.study_id}/99.svg", "/curves/99/0.svg", "/curves/1/x.svg"):
        assert served.ask("GET", path)[0] == 404
    assert finite_curve({0: float("nan"), 1: 0.5}) == {1: 0.5}
    assert curve_path(1, simulated_report().trials[0]) == "/curves/1/0.svg"
    assert curve_path(1, simulated_report().trials[0]._replace(curve={0: 0.5})) == ""


@pytest.mark.parametrize("name", ["page.html", "picture.svg"])
def test_artifacts_are_downloads_and_never_pages(database: Database, name: str) -> None:
    folder = folder_of(database)
    (folder / name).write_text("<script>alert(1)</script>", encoding="utf-8")
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


def test_the_folder_of_artifacts_is_created_on_the_first_upload(database: Database) -> None:
    folder = folder_of(database) / "artifacts"
    study = create_study(database, "mine", STAMP)
    upload = json.dumps({"file": "data:text/plain;base64,aGVsbG8=", "filename": "a.txt"})
    path = f"/api/artifacts/{study.study_id}"
    with serve_dashboard(database, writing=True) as served:
        read_details(served, study)
        assert not folder.exists()
        status, _, body = served.ask("POST", path, upload, **{"Content-Type": "application/json"})
    assert status == 201
    (kept,) = folder.iterdir()
    assert kept.name == json.loads(body)["artifact_id"] and kept.read_bytes() == b"hello"


def test_a_refused_request_does_not_reach_the_application() -> None:
    def unreachable(environ: Any, start_response: Any) -> list[bytes]:
        raise AssertionError("the request was not refused")

    def start(status: str, headers: list[tuple[str, str]]) -> Any:
        statuses.append(status)

    statuses: list[str] = []
    body = BytesIO(b"abc")
    environ = {
        "REQUEST_METHOD": "POST", "HTTP_HOST": "localhost:80", "CONTENT_LENGTH": "3",
        "wsgi.input": body,
    }  # fmt: skip
    with_access_control(unreachable, AccessRules(80, False))(environ, start)  # type: ignore[arg-type]
    assert statuses == ["403 Forbidden"] and body.read() == b""


def test_a_study_of_a_newer_version_is_shown_without_our_notes(database: Database) -> None:
    study = create_study(database, "newer", STAMP)
    study.queue.add([Run("measure", 0)])
    end_next_run(study, "complete")
    stamp = {**STAMP.as_document(), "definition": {"unknown_setting": 1}}
    study.optuna_study.set_user_attr("stamp", stamp)
    with serve_dashboard(database) as served:
        assert notes(served, study) == [""]
