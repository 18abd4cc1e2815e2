"""Failed runs of a confirmation: where they are reported, and what `--retry-failed` runs again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.program import run_verb
from tests.support.studies import accuracy_of, create_simulated_study
from training_factors.storage.arms import CONTRAST, PATH, RANK, TUNE, Arm, read_arms, retryable_runs
from training_factors.storage.live_trial import start_trial
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study, find_confirmation, load_study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.api import confirming
from training_factors.study.running.preparation import PreparedStudy

REASON = "out of memory"


def ending_runs(fails: Callable[[Arm, Run], bool]) -> Callable[..., int]:
    """Return what stands for the workers: it ends all waiting runs, and some of them fail."""

    def run_queue(study: Study, prepared: PreparedStudy, *settings: object, is_stage: bool) -> int:
        while (claim := study.queue.claim("simulation")) is not None:
            arm = read_arms(study)[claim.run.row]
            attributes = {**claim.run._asdict(), "seed": claim.run.repeat}
            distributions = prepared.space.distributions(arm.config)
            trial = start_trial(study, claim, arm.config, distributions, attributes)
            if fails(arm, claim.run):
                trial.fail(REASON)
                continue
            value = accuracy_of(arm.config) + claim.run.repeat / 1000
            tested = {"test": {"accuracy": value}, "test_value": value}
            trial.complete(
                value, {"time_s": 0.4, **(tested if arm.purpose == CONTRAST else {})}, {}
            )
        return 0

    return run_queue


def first_seed_fails(arm: Arm, run: Run) -> bool:
    return run.repeat == 0 and (arm.purpose == RANK or arm.factor == "residual")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    url = f"sqlite:///{tmp_path}/runs/studies.db"
    made = create_simulated_study(url, 20, name="mine", space="small")
    monkeypatch.setattr(confirming, "run_queue", ending_runs(first_seed_fails))
    return made


def confirmation_of(study: Study) -> Study:
    found = find_confirmation(load_study(study.database, study.name))
    assert found is not None
    return found


def test_failures_are_told_and_can_be_retried(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("confirm", "--study", "mine", "--workers", "0")
    ended = run_verb(tmp_path, *words, "--factors", "residual", "--seeds", "4")
    assert ended.returncode == 0, ended.stderr
    told = [f"6 runs failed: {REASON}", "confirm --study mine --retry-failed"]
    assert ended.stderr.splitlines()[-2].startswith(told[0])
    assert ended.stderr.splitlines()[-1].endswith(told[1])
    before = read_trials(confirmation_of(study))

    shown = run_verb(tmp_path, "status", "--study", "mine").stdout
    assert "mine.confirm" in shown and all(each in shown for each in told)
    assert "--retry-failed" not in shown.partition("mine.confirm")[0]
    document = json.loads(run_verb(tmp_path, "status", "--json").stdout)
    assert document["failures"] == {}
    assert document["confirmation"]["failures"] == {REASON: 6}
    alone = run_verb(tmp_path, "status", "--study", "mine.confirm")
    assert told[1] in alone.stdout
    assert json.loads(run_verb(tmp_path, "list", "--json").stdout)["studies"]

    monkeypatch.setattr(confirming, "run_queue", ending_runs(lambda arm, run: False))
    again = run_verb(tmp_path, *words, "--retry-failed")
    assert again.returncode == 0, again.stderr
    assert "1 failed run is retried" in again.stderr
    assert again.stderr.splitlines()[-1].startswith(f"5 runs failed: {REASON}"), "of the ranking"
    assert "confirm takes about 1 run," in again.stderr
    after = read_trials(confirmation_of(study))
    assert [(t.row, t.repeat) for t in sorted(after, key=lambda t: (t.row, t.repeat))] == [
        (t.row, t.repeat) for t in sorted(before, key=lambda t: (t.row, t.repeat))
    ], "neither more factors nor more seeds"
    assert sum(trial.state == "FAIL" for trial in after) == 5
    assert "retry them" not in run_verb(tmp_path, "status", "--study", "mine").stdout


def test_choices_that_others_have_followed_from_are_not_made_again() -> None:
    purposes = (RANK, RANK, TUNE, CONTRAST, PATH)
    arms = [Arm(purpose, purpose, None, {}) for purpose in purposes]
    failed = [
        Trial(row, "FAIL", "confirm", row, 1, 0, {}, None, {}, {}, None, {})
        for row in range(len(arms))
    ]
    assert [run.row for run in retryable_runs(arms[:2], failed[:2])] == [0, 1]
    assert [run.row for run in retryable_runs(arms[:3], failed[:3])] == [2]
    assert retryable_runs(arms, failed) == [Run("confirm", 3, 1), Run("confirm", 4, 1)]
    assert retryable_runs(arms, [trial._replace(state="COMPLETE") for trial in failed]) == []
    assert retryable_runs([], []) == []
