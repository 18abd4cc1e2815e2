"""`verify` runs the study of an answer again: equal to the last digit, or what differs."""

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import training_factors as tf
from tests.support.program import ROOT, parse_command, run_verb
from tests.support.studies import smoke_study
from training_factors.storage.database import open_database
from training_factors.storage.provenance import (
    REPEATABLE_PHASES,
    Provenance,
    SearchedRun,
    read_provenance,
)
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import load_study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.analysis.verification import (
    Repeated,
    Surroundings,
    Verification,
    compare_answers,
)
from training_factors.study.api.answer_file import read_answer_file
from training_factors.study.api.results import Verified
from training_factors.study.commands import execute
from training_factors.study.reporting.analyses import answer_of
from training_factors.study.reporting.verification_table import (
    describe_verification,
    verification_document,
)

Document = dict[str, Any]
Change = Callable[[Document], None]


def answer_path() -> Path:
    """The answer of a smoke study of 49 runs on wine, with small networks and one epoch."""
    (path,) = smoke_study()[0].glob("runs/*/answer.json")
    return path


def stored_trials() -> list[Trial]:
    database = open_database(f"sqlite:///{smoke_study()[0] / 'runs/studies.db'}", reading=True)
    trials = read_trials(load_study(database, None))
    database.close()
    return trials


@pytest.fixture
def document() -> Document:
    found: Document = json.loads(answer_path().read_text(encoding="utf-8"))
    return found


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder; temporary files lie in another one beside it."""
    temporary, here = tmp_path / "temporary", tmp_path / "here"
    temporary.mkdir()
    here.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.chdir(here)
    return here


def left_behind(place: Path) -> list[Path]:
    """Return the files here and our temporary ones; torch keeps some of its own."""
    temporary = place.parent / "temporary"
    return [*place.iterdir(), *temporary.glob("training-factors-*")]


# What the file says


def test_the_answer_lies_beside_the_page_and_is_what_json_prints() -> None:
    folder = smoke_study()[0]
    printed = json.loads(run_verb(folder, "importance", "--json").stdout)
    assert printed == json.loads(answer_path().read_text(encoding="utf-8"))
    assert answer_path().with_name("report.html").is_file()


def test_its_provenance_names_every_run_that_can_be_repeated(document: Document) -> None:
    provenance = read_answer_file(answer_path()).provenance
    trials = stored_trials()
    repeatable = [trial for trial in trials if trial.phase in REPEATABLE_PHASES]
    assert provenance.runs == {Run(t.phase, t.row, t.repeat): t.value for t in repeatable}
    assert provenance.searched == 8 and provenance.devices == ("cpu",)
    assert set(provenance.stamp.versions) >= {"torch", "numpy", "scipy", "training-factors"}
    assert provenance.stamp.processor
    assert json.loads(json.dumps(provenance.as_document())) == document["provenance"]
    assert read_provenance(provenance.as_document()) == provenance


# Running it again


@pytest.mark.slow
def test_the_same_study_gives_the_same_answer(
    place: Path, document: Document, capsys: pytest.CaptureFixture[str]
) -> None:
    """The best run of the search is trained again; here a measured run stands for it."""
    trial = next(trial for trial in stored_trials() if trial.phase == "measure")
    assert trial.value is not None
    best = SearchedRun(48, Run("search", 7), trial.seed, trial.parameters, trial.value)
    provenance = read_answer_file(answer_path()).provenance._replace(best=best)
    Path("mine.json").write_text(
        json.dumps(document | {"provenance": provenance.as_document()}), encoding="utf-8"
    )
    assert execute(["verify", "mine.json", "--workers", "2", "-q"]) == 0
    out, err = capsys.readouterr()
    first, second, third = out.splitlines()
    shares = len(document["factors"])
    assert first.startswith(f"the same: 41 runs, {shares} shares and ")
    assert first.endswith(" other entries of the answer are equal to the last digit")
    value = f"{trial.value:.4f}"
    assert second == (
        f"the best run of the search, trained again: stored {value}, now {value}: equal"
    )
    assert third.startswith("not repeated: 8 runs of the search; what it proposes depends on the")
    assert err == "" and left_behind(place) == [place / "mine.json"]


@pytest.mark.slow
def test_a_changed_digit_is_found(
    place: Path, document: Document, capsys: pytest.CaptureFixture[str]
) -> None:
    """Progress is shown on standard error; without a digit changed, nothing differs."""
    document["provenance"]["runs"]["measure/3/0"] += 0.01
    document["factors"][1]["share"] += 0.001
    Path("changed.json").write_text(json.dumps(document), encoding="utf-8")
    assert execute(["verify", "changed.json", "--json", "--workers", "0"]) == 1
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert not found["same"] and "41 of 41 runs" in err
    (difference,) = found["runs"]["differences"]
    assert difference["run"] == "measure 3"
    assert difference["then"] - difference["now"] == pytest.approx(0.01)
    assert found["differing"] == [f"factors.{document['factors'][1]['name']}.share"]
    assert left_behind(place) == [place / "changed.json"]


@pytest.mark.slow
def test_python_repeats_the_confirmation_too(place: Path) -> None:
    """The study has a configuration of the user's own, another division, and given data."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(160, 3)).astype(np.float32)
    classes = (inputs[:, 0] + 0.3 * random.normal(size=160) > 0).astype(int)
    Path("own.toml").write_text('[settings]\noptimizer = "adam"\n', encoding="utf-8")
    study = tf.run(
        (inputs, classes), study="mine", rows=16, preset="smoke", divisions=2, space="small",
        epochs=1, workers=1, also="own.toml",
    )  # fmt: skip
    study.confirm(["optimizer"], seeds=3, top=1, workers=1)
    study.report()
    file = study.folder / "answer.json"
    with pytest.raises(ValueError, match=r"is a Python object \(tuple\); verify it from Python: "):
        tf.verify(file)
    verified = tf.verify(file, data=(inputs, classes), confirm=True, workers=1)
    assert verified.same and verified.within_noise
    found = verified.verification
    phases = {run.phase for run in read_answer_file(file).provenance.runs}
    assert phases == {"baseline", "measure", "also", "division"}
    assert found.confirmed is not None and found.confirmed.total >= 6
    assert f"{found.confirmed.total} runs of the confirmation" in str(verified)
    with pytest.raises(ValueError, match="holds other data than those of"):
        tf.verify(file, data=(inputs + 1, classes))


# What differs, and whether that is within noise


def compared(
    document: Document,
    values: dict[Run, float | None] | None = None,
    surroundings: Surroundings | None = None,
) -> Verification:
    """Compare the stored answer with itself, after changes of the runs or of what surrounds."""
    folder = smoke_study()[0]
    database = open_database(f"sqlite:///{folder / 'runs/studies.db'}", reading=True)
    study = load_study(database, None)
    provenance: Provenance = read_provenance(document["provenance"])
    stamp = provenance.stamp
    now = Repeated(
        runs={**provenance.runs, **(values or {})}, answer=answer_of(study, 1), best=None,
        confirmed=None,
        surroundings=surroundings or Surroundings(stamp.versions, stamp.processor, ("cpu",)),
    )  # fmt: skip
    database.close()
    return compare_answers(document, provenance, now)


def test_an_answer_is_the_same_as_itself(document: Document) -> None:
    found = compared(document)
    assert found.same and found.within_noise and found.changes == {} and found.differing == ()


def test_one_run_with_another_seed_s_value_is_within_noise(document: Document) -> None:
    runs = read_provenance(document["provenance"]).runs
    swapped = {Run("measure", 0): runs[Run("measure", 0, 1)]}
    assert swapped[Run("measure", 0)] != runs[Run("measure", 0)]
    found = compared(document, swapped)
    assert not found.same and found.within_noise
    lines = describe_verification(found)
    assert lines[0].startswith("not the same, but within noise: 1 of 41 runs, 0 of ")
    assert "all together they are no larger than those between two seeds" in lines[2]
    assert lines[-1].startswith("other than then: nothing that was recorded; operations that are")


def test_runs_that_are_far_off_or_failed_are_beyond_noise(document: Document) -> None:
    runs = read_provenance(document["provenance"]).runs
    far = {run: value + 1 for run, value in runs.items() if value is not None}
    found = compared(document, dict(far))
    assert not found.within_noise
    assert "they are larger than those between two seeds" in "\n".join(describe_verification(found))
    failed = compared(document, {Run("measure", 5): None})
    assert not failed.within_noise
    (line,) = (line for line in describe_verification(failed) if line.startswith("runs: "))
    assert line.startswith("runs: measure 5 ") and line.endswith(" then, failed now")
    json.dumps(verification_document(failed), allow_nan=False)


def test_a_share_outside_its_interval_is_named(document: Document) -> None:
    factor = document["factors"][0]
    factor["share"], factor["interval"] = 0.9, [0.85, 0.95]
    document["verdict"]["sentence"] = "another one"
    found = compared(document)
    assert not found.same and not found.within_noise
    lines = describe_verification(found)
    assert lines[1] == "verdict then: another one"
    (line,) = (line for line in lines if line.startswith("shares: "))
    assert line.startswith(f"shares: 1 outside the interval of then; {factor['name']} 90.0 % then")
    assert lines[-1].endswith("all runs are equal; was the file changed by hand?")


def test_other_versions_processors_and_devices_are_named(document: Document) -> None:
    document["factors"][0]["share"] += 0.001
    versions = {**document["provenance"]["stamp"]["versions"], "torch": "9"}
    torch = document["provenance"]["stamp"]["versions"]["torch"]
    found = compared(document, surroundings=Surroundings(versions, "Abacus", ("cuda:0",)))
    line = describe_verification(found)[-1]
    assert f"torch {torch}, now 9; processor " in line
    assert line.endswith(", now Abacus; device cpu, now cuda:0")


def test_what_an_earlier_version_did_not_say_is_not_compared(document: Document) -> None:
    del document["explained"]
    for factor in document["factors"]:
        del factor["shown"]
    document["provenance"]["stamp"]["processor"] = ""
    found = compared(document)
    assert found.same and found.changes == {}


# Wrong input


def written(document: object) -> None:
    Path("answer.json").write_text(json.dumps(document), encoding="utf-8")


def no_json(document: Document) -> None:
    Path("answer.json").write_text("hello", encoding="utf-8")


def no_text(document: Document) -> None:
    Path("answer.json").write_bytes(b"\xff\xfe\x00")


def a_folder(document: Document) -> None:
    Path("answer.json").mkdir()


def something_else(document: Document) -> None:
    written({"schema": 1, "study": "x"})


def a_list(document: Document) -> None:
    written([1, 2])


def a_newer_schema(document: Document) -> None:
    written(document | {"schema": 2})


def no_provenance(document: Document) -> None:
    del document["provenance"]
    written(document)


def a_damaged_provenance(document: Document) -> None:
    del document["provenance"]["stamp"]["objective"]
    written(document)


def a_run_that_is_none(document: Document) -> None:
    document["provenance"]["runs"]["measure/x/0"] = 0.5
    written(document)


def a_newer_setting(document: Document) -> None:
    document["provenance"]["stamp"]["definition"]["quantum"] = True
    written(document)


def data_elsewhere(document: Document) -> None:
    document["provenance"]["stamp"]["definition"]["source"] = "no/such/pets"
    written(document)


def other_data(document: Document) -> None:
    document["provenance"]["stamp"]["data"]["fingerprint"] = "0" * 64
    written(document)


def code(document: Document) -> None:
    document["provenance"]["stamp"]["definition"]["model"] = "net.py:Net"
    written(document)


def another_space(document: Document) -> None:
    document["provenance"]["stamp"]["space"] = "0" * 16
    written(document)


def an_unknown_factor(document: Document) -> None:
    document["provenance"]["stamp"]["described"]["factors"][0]["name"] = "attention"
    written(document)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda document: None, "'answer.json' does not exist; name a file that importance --json"),
        (a_folder, "'answer.json' is a folder; name a file"),
        (no_json, "'answer.json' is no JSON"),
        (no_text, "'answer.json' is no JSON"),
        (something_else, "'answer.json' holds no answer of a study"),
        (a_list, "'answer.json' holds no answer of a study"),
        (a_newer_schema, "a newer version of training-factors wrote 'answer.json'; update"),
        (no_provenance, "does not say how its study was run: an earlier version wrote it"),
        (a_damaged_provenance, "its provenance is damaged (KeyError: 'objective')"),
        (a_run_that_is_none, "its provenance is damaged ('measure/x/0' is no run)"),
        (a_newer_setting, "its setting 'quantum' is unknown here"),
        (data_elsewhere, "'no/such/pets', are not here; name them with --data PATH"),
        (other_data, "'wine' holds other data than those of 'answer.json': fingerprint"),
        (code, "imports and runs 'net.py:Net'; add --allow-code if you trust whoever wrote"),
        (another_space, "cannot be run as it was: space: its definition"),
        (an_unknown_factor, "factor 'attention' of the study is unknown here"),
    ],
)
def test_a_file_that_cannot_be_verified_is_one_line(
    place: Path, document: Document, make: Change, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make(document)
    before = left_behind(place)
    assert execute(["verify", "answer.json"]) == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert out == "" and words in line
    assert left_behind(place) == before


def test_other_data_under_the_name_given_are_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["verify", str(answer_path()), "--data", "digits"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        "'digits' holds other data than those of" in line
        and "name the same data with --data" in line
    )
    assert left_behind(place) == []


# The chapter


CHAPTER = (ROOT / "docs/reproducing.md").read_text(encoding="utf-8")


def test_the_commands_of_the_chapter_are_understood(document: Document) -> None:
    """Its printed lines are those of the command, and every option that it names is one."""
    lines = [line for line in CHAPTER.splitlines() if line.startswith("training-factors ")]
    assert [parse_command(line)["verb"] for line in lines] == ["reproduce", "verify"]
    known = {*parse_command("training-factors verify x"), *parse_command("training-factors run")}
    named = re.findall(r"`--([a-z-]+)", CHAPTER)
    assert {name.replace("-", "_") for name in named} - known == {"json"}
    same, not_repeated = describe_verification(compared(document))
    for line in (same, not_repeated):
        _, _, end = line.partition(" other entries" if line is same else " runs of the search")
        assert end and end in CHAPTER
    starts = ("not the same, but within noise: ", "verdict then: ", "other than then: ")
    for words in (*starts, "shares: all inside the intervals of then; "):
        assert words in CHAPTER


def test_the_example_in_python_of_the_chapter_runs(
    document: Document, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The comparison of the smoke study with itself stands for that of a study on digits."""
    example = CHAPTER.partition("```python\n")[2].partition("```")[0]
    monkeypatch.setattr(tf, "verify", lambda path: Verified(compared(document)))
    exec(example, {"tf": tf})
    assert capsys.readouterr().out.startswith("the same: 41 runs, ")
