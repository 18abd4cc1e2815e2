"""The verbs `report` and `plot`: the files that they write, and their errors."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.studies import create_simulated_study
from training_factors.storage.studies import Study
from training_factors.study.commands import execute

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drawing")


@pytest.fixture(scope="module")
def study(place: Path) -> Study:
    """A study with measured and searched runs, without a confirmation."""
    return create_simulated_study(f"sqlite:///{place}/studies.db", 32, search=4, space="small")


@pytest.fixture
def url(study: Study) -> str:
    return study.database.url


def run_verb(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert execute(list(arguments)) == 0
    out, err = capsys.readouterr()
    assert err == "" or err.startswith("drawing ")
    return out


def test_report_writes_a_page_and_a_folder_of_pictures(
    study: Study, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(run_verb(capsys, "report", "--storage", url, "--json"))
    page = Path(document["page"])
    assert page == study.folder / "report.html"
    assert "<h1" in page.read_text(encoding="utf-8")
    names = {Path(file).name for file in document["charts"]}
    assert {"importance.png", "importance.svg", "effects.optimizer.png", "division.svg"} <= names
    assert "confirmation.png" not in names
    assert all(Path(file).stat().st_size > 1000 for file in document["charts"])


def test_importance_writes_the_same_page(
    study: Study, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    page = study.folder / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert f"report  {page}" in run_verb(capsys, "importance", "--storage", url)
    assert page.read_bytes() == before


def test_plot_writes_one_chart_to_the_named_file(
    study: Study, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = run_verb(capsys, "plot", "--storage", url)
    assert "importance  " in listed and "effects.optimizer" in listed
    wanted = tmp_path / "deep" / "one.svg"
    wanted.parent.mkdir()
    named = ("plot", "gains", "--storage", url, "--output", str(wanted))
    assert run_verb(capsys, *named) == f"{wanted}\n"
    assert wanted.read_text(encoding="utf-8").startswith("<?xml")
    written = run_verb(capsys, "plot", "history", "--storage", url).splitlines()
    assert [Path(line).name for line in written] == ["history.png", "history.svg"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["improtance"], "did you mean 'importance'"),
        (["confirmation"], "no chart 'confirmation'"),
        (["gains", "--output", "gains.gif"], "'gains.gif': the name must end in one of .png"),
        (["gains", "--output", "gains"], "'gains': the name must end in one of .png"),
    ],
)
def test_errors_of_plot_are_one_line(
    url: str, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["plot", *arguments, "--storage", url]) == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert out == "" and words in line


def test_window_without_a_display_is_refused(url: str) -> None:
    command = [sys.executable, "run_study.py", "plot", "gains", "--window", "--storage", url]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"},
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "--output FILE.png" in line


@pytest.mark.parametrize(("rows", "search"), [(1, 0), (0, 2)])
def test_report_of_few_runs_has_no_answer(
    tmp_path: Path, rows: int, search: int, capsys: pytest.CaptureFixture[str]
) -> None:
    study = create_simulated_study(
        f"sqlite:///{tmp_path}/studies.db", rows, search=search, space="small"
    )
    url = study.database.url
    run_verb(capsys, "report", "--storage", url)
    page = (study.folder / "report.html").read_text(encoding="utf-8")
    assert "no answer yet" in page
    assert "chart-history" in page and "chart-importance" not in page
    assert execute(["importance", "--storage", url]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "report.html" in line


def test_a_study_without_complete_runs_has_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = create_simulated_study(f"sqlite:///{tmp_path}/studies.db", 0, space="small")
    for verb in ("report", "plot"):
        assert execute([verb, "--storage", study.database.url]) == 3
        out, err = capsys.readouterr()
        (line,) = err.splitlines()
        assert out == "" and "no other run of simulated is complete" in line
    assert not study.folder.exists()
