"""A report reads everything that is stored about a study once, and passes it on."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import optuna
import pytest

from tests.support.studies import add_simulated_confirmation, create_simulated_study
from training_factors.storage.studies import Study, find_confirmation
from training_factors.storage.trials import read_trials
from training_factors.study.analysis.answer import NoAnswer
from training_factors.study.commands import execute
from training_factors.study.reporting.analyses import answer_of, read_study_data
from training_factors.study.reporting.status import compute_status


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study that is finished and confirmed, and whose answer is not cached yet."""
    folder = tmp_path_factory.mktemp("finished")
    study = create_simulated_study(f"sqlite:///{folder}/studies.db", 48, search=4, space="small")
    add_simulated_confirmation(study, seeds=5)
    return study


@contextmanager
def counted_reads() -> Iterator[list[str]]:
    """Yield a list that gets the name of a study whenever all of its trials are read."""
    names: list[str] = []
    read = optuna.Study.get_trials

    def noting_read(study: optuna.Study, *arguments: Any, **options: Any) -> Any:
        names.append(study.study_name)
        return read(study, *arguments, **options)

    with patch.object(optuna.Study, "get_trials", noting_read):
        yield names


def run_verb(study: Study, folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """Run a verb on a study and return the studies whose trials were read, in order."""
    monkeypatch.chdir(folder)
    with counted_reads() as names:
        assert execute([*words, "--storage", study.database.url, "--study", study.name]) == 0
    return names


VERBS = (
    ["importance"],
    ["importance", "--lenses", "--json"],
    ["report", "--json"],
    ["recommend"],
    ["effects"],
    ["status"],
)


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_a_verb_reads_all_trials_of_a_study_once(
    finished: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    names = run_verb(finished, tmp_path, monkeypatch, *words)
    names = [name for name in names if name.startswith(finished.name)]  # not those in memory
    assert len(names) == len(set(names))
    assert len(names) <= 2, "one read of the study and one of its confirmation"


def test_a_confirming_study_has_no_answer_of_its_own(finished: Study) -> None:
    confirming = find_confirmation(finished)
    assert confirming is not None
    with pytest.raises(NoAnswer, match="confirm another study, and no importance; name that study"):
        answer_of(confirming, 1)


def test_quiet_commands_show_results_and_errors_only(
    finished: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    run_verb(finished, tmp_path, monkeypatch, "run")
    shown = capsys.readouterr()
    assert "runs of simulated are done" in shown.err
    run_verb(finished, tmp_path, monkeypatch, "run", "-q")
    quiet = capsys.readouterr()
    assert quiet.err == "" and quiet.out.splitlines()[:9] == shown.out.splitlines()[:9]
    assert execute(["run", "-q", "--storage", finished.database.url, "--rows", "3"]) == 2
    assert "--rows" in capsys.readouterr().err


def test_the_status_is_the_same_from_trials_that_were_read_already(finished: Study) -> None:
    read = read_study_data(finished, jobs=1)
    assert compute_status(finished, read.trials, read.best) == compute_status(finished)


def test_all_verbs_name_the_confirmed_configuration(
    finished: Study,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The run with the highest single value is another one."""
    monkeypatch.chdir(tmp_path)

    def document_of(*words: str) -> Any:
        place = ["--storage", finished.database.url, "--study", finished.name, "--json"]
        assert execute([*words, *place]) == 0
        return json.loads(capsys.readouterr().out)

    importance, status = document_of("importance"), document_of("status")
    recommended = document_of("recommend")
    highest = max(read_trials(finished), key=lambda trial: trial.value or 0.0)
    assert importance["best"]["trial"] == status["best"]["trial"] == 0 != highest.number
    assert status["best"]["confirmed"] and importance["conclusion"]["confirmed"]
    assert recommended["source"].startswith("run #0: test accuracy")
    settings = {one["factor"]: one["option"] for one in recommended["settings"]}
    assert all(importance["best"]["parameters"][name] == settings[name] for name in settings)
