"""A study that an earlier version made opens, is extended, confirmed and reported.

`fixtures/study-3d818f0` holds the database of a finished smoke study and the JSON documents that
commit 3d818f0 printed for it (`--preset smoke --epochs 2 --space small --limit 300 --study old`).
"""

import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import run_verb
from training_factors.search_spaces import registry
from training_factors.search_spaces.factor import Factor, read_option
from training_factors.search_spaces.factors import FACTORS
from training_factors.search_spaces.overrides import open_space
from training_factors.search_spaces.recipe import Recipe
from training_factors.storage.database import open_database
from training_factors.storage.datasheet import read_sheet
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import load_study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.api.answer_file import read_answer_file
from training_factors.study.api.execution import worker_settings
from training_factors.study.api.settings import check_timing
from training_factors.study.api.verifying import prepare_verification
from training_factors.study.commands import execute
from training_factors.study.running.design import designed_configuration
from training_factors.study.running.preparation import prepare_stored_study

FIXTURE = Path(__file__).parent / "fixtures/study-3d818f0"

VERBS = ("importance", "status", "recommend")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the database of the earlier version; the current one."""
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    content = lzma.decompress((FIXTURE / "studies.db.xz").read_bytes())
    Path("runs/studies.db").write_bytes(content)
    return tmp_path


def keys(document: Any, path: str = "") -> Iterator[str]:
    """Yield the path of every key of a JSON document; items of a list share one path."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield f"{path}/{key}"
            yield from keys(value, f"{path}/{key}")
    elif isinstance(document, list):
        for value in document:
            yield from keys(value, f"{path}[]")


NEW_KEYS = {
    "/left_out",
    "/reach",
    "/notes",
    "/data_report",
    "/data_report/notes",
    "/data_report/parts",
    "/objective",
    "/explained",
    "/no_effects",
    "/checks",
    "/disagreement",
    "/explanations",
    "/confirmation",
    "/best/confirmed",
    "/best/test_value",
    "/division_noise",
    "/factors[]/shown",
    "/topics[]/shown",
    "/placebo/shown",
    "/definition/factors",
    "/definition/weights",
    "/definition/task",
    "/definition/fit",
    "/definition/scale",
    "/definition/labels",
    "/definition/ignore",
    "/definition/impute",
    "/definition/group",
    "/definition/group_from",
    "/definition/split_column",
    "/definition/metric",
    "/definition/only",
    "/definition/precision",
    "/varied",
}
"""Keys that documents have in addition to those of earlier versions."""


NEW_PARTS = (
    "/left_out/", "/conclusion", "/checks[]", "/explanations/", "/factors[]/gain_in_best",
    "/placebo/gain_in_best", "/settings[]/step", "/provenance",
)  # fmt: skip
"""Beginnings of the keys of parts that documents of earlier versions do not have."""


def is_new(key: str) -> bool:
    """Return whether a key lies in a part that documents of earlier versions do not have."""
    return key.startswith(NEW_PARTS)


@pytest.mark.parametrize("verb", VERBS)
def test_documents_have_the_same_keys(
    folder: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    expected = json.loads((FIXTURE / f"{verb}.json").read_text(encoding="utf-8"))
    assert execute([verb, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    new = {key for key in set(keys(document)) - set(keys(expected)) if not is_new(key)}
    assert new <= NEW_KEYS
    assert set(keys(expected)) <= set(keys(document))
    if verb == "status":
        best = {key: document["best"][key] for key in expected["best"]}
        assert {key: document[key] for key in expected} | {"best": best} == expected


def test_another_metric_is_shown_as_far_as_it_was_stored(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Chance levels follow from the classes of the validation part, which the data sheet has."""
    assert execute(["importance", "--of", "log-loss", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["objective"] == "negative_log_loss"
    assert document["evidence"]["at_chance"] is not None
    assert execute(["importance", "--of", "balanced-accuracy"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "have no usable balanced_accuracy, as those of an earlier version" in line
    assert line.endswith("choose one of accuracy, macro_f1, kappa, auc, log_loss")


def test_the_data_sheet_is_found(folder: Path) -> None:
    sheet = read_sheet(load_study(open_database("sqlite:///runs/studies.db"), "old"))
    assert sheet is not None
    assert sheet.classes == tuple("0123456789")
    assert set(sheet.parts) == {"pool", "validation", "test"}
    assert sheet.originals


def test_its_answer_can_be_verified(folder: Path) -> None:
    """Data, space and settings are those of then, though its stamp says less; nothing is trained.

    The document that the earlier version printed does not say how the study was run.
    """
    assert execute(["importance"]) == 0
    answer = read_answer_file(Path("runs/old/answer.json"))
    settings = worker_settings(
        storage=None, workers=0, per_gpu=1, device="cpu", start=None, cluster=None,
        allow_code=False, timing=check_timing(),
    )  # fmt: skip
    prepared = prepare_verification(answer, {}, settings)
    assert prepared.space.fingerprint() == answer.provenance.stamp.space.fingerprint
    assert len(answer.provenance.runs) == 41 and answer.provenance.searched == 8
    with pytest.raises(ValueError, match="does not say how its study was run: an earlier version"):
        read_answer_file(FIXTURE / "importance.json")


def test_it_goes_on_with_its_own_factors_after_others_were_declared(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new factor of a topic that varies, and a new option, are not part of the study."""
    study = load_study(open_database("sqlite:///runs/studies.db"), "old")
    before = prepare_stored_study(study).space
    monkeypatch.setattr(registry, "FACTORS", [with_new_option(each) for each in FACTORS] + [NEW])
    after = prepare_stored_study(study).space
    assert after.describe() == before.describe()
    assert after.coordinates() == study.stamp.space.coordinates
    assert after.fingerprint() == study.stamp.space.fingerprint
    assert designed_configuration(after, 0, 100) == designed_configuration(before, 0, 100)
    new = open_space("small")
    assert "swish" in {option.name for option in new.factor("activation").options}
    assert new.factor("attention").held


def swish(recipe: Recipe) -> Recipe:
    """Apply a new activation."""
    return recipe


NEW = Factor("attention", topic="dropout", options=(swish,))


def with_new_option(factor: Factor) -> Factor:
    if factor.name != "activation":
        return factor
    return factor.replace_options([*factor.options, read_option(swish)])


@pytest.mark.slow
def test_it_is_extended_and_confirmed(folder: Path) -> None:
    """Eight more rows stand for those of a larger preset; `run` writes the report as well."""
    before = read_runs(49)
    opened = load_study(open_database("sqlite:///runs/studies.db"), "old")
    opened.queue.add([Run("measure", row) for row in range(40)])
    opened.database.close()
    ended = run_verb(folder, "run", "--study", "old")
    assert ended.returncode == 0, ended.stderr
    assert read_runs(57)[:49] == before
    assert Path("runs/old/report.html").stat().st_size > 10**6
    words = ("confirm", "--study", "old", "--factors", "optimizer", "--difference", "20")
    ended = run_verb(folder, *words)
    assert ended.returncode == 0, ended.stderr
    assert "placebo moved" in ended.stdout


def read_runs(count: int) -> list[Trial]:
    opened = load_study(open_database("sqlite:///runs/studies.db", reading=True), "old")
    trials = read_trials(opened)
    opened.database.close()
    assert len(trials) == count
    return trials
