"""No study inherits from another one: deleted, renamed, copied, imported and extended studies.

What the dashboard does is done through its own HTTP interface.
"""

import json
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import optuna
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from optuna.distributions import FloatDistribution
from optuna.storages._rdb import models
from optuna.trial import create_trial
from sqlalchemy import func, insert, select

from tests.support.dashboards import DashboardClient, serve_dashboard
from tests.support.program import SMOKE_STUDY
from tests.support.studies import smoke_study
from training_factors.storage.answer_cache import CachedAnswer
from training_factors.storage.arms import RANK, Arm, add_arms, read_arms
from training_factors.storage.database import Database, open_database
from training_factors.storage.live_trial import LiveTrial, release_claim, start_trial
from training_factors.storage.run_queue import LostClaimError, PhaseProgress, Run, StudyGoneError
from training_factors.storage.stamp import Stamp
from training_factors.storage.stop_requests import count_stop_requests, request_stop
from training_factors.storage.studies import (
    Study,
    create_confirmation,
    create_study,
    find_confirmation,
    find_study,
    load_study,
    main_study_names,
)
from training_factors.storage.tables import METADATA, STUDY_KEY
from training_factors.storage.trials import read_trials, uncounted_trials
from training_factors.study.commands import execute

STAMP = Stamp("accuracy")


def start_next(study: Study) -> LiveTrial:
    claim = study.queue.claim("test")
    assert claim is not None
    parameters = {"x": (claim.run.row + 1) / 100}
    attributes = {**claim.run._asdict(), "seed": claim.run.row}
    return start_trial(study, claim, parameters, {"x": FloatDistribution(0, 1)}, attributes)


def run_some(study: Study, runs: int, value: float = 0.5) -> None:
    for _ in range(runs):
        start_next(study).complete(value, {"time_s": 1.0}, {0: value})


def filled_study(database: Database, name: str) -> Study:
    """Create a study of 9 runs, 6 of them done, with a row in every table of ours."""
    study = create_study(database, name, STAMP)
    study.queue.add([Run("baseline", 0), *(Run("measure", row) for row in range(8))])
    run_some(study, 6)
    CachedAnswer(study, "importance", "digest").write("its answer")
    request_stop(study)
    confirmation = create_confirmation(study)
    add_arms(confirmation, [], [Arm(RANK, "trial 0", None, {"x": 0.5})])
    return study


def send(client: DashboardClient, method: str, path: str, document: Mapping[str, object]) -> int:
    body = json.dumps(document)
    status, _, _ = client.ask(method, path, body, **{"Content-Type": "application/json"})
    return status


def delete(study: Study) -> None:
    with serve_dashboard(study.database, writing=True) as client:
        assert send(client, "DELETE", f"/api/studies/{study.study_id}", {}) < 300


def rename(study: Study, name: str) -> None:
    with serve_dashboard(study.database, writing=True) as client:
        path = f"/api/studies/{study.study_id}/rename"
        assert send(client, "POST", path, {"study_name": name}) == 201


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name of its own: a database is shared by the tests of this module."""
    return str(request.node.name).partition("[")[0][-40:]


def assert_nothing_of_another(study: Study) -> None:
    assert study.queue.progress() == {}
    assert study.queue.claim("test") is None
    assert study.queue.active_claims() == []
    assert read_trials(study) == []
    assert CachedAnswer(study, "importance", "digest").read() is None
    assert count_stop_requests(study) == 0
    assert find_confirmation(study) is None
    confirmation = create_confirmation(study)
    assert read_arms(confirmation) == [] and confirmation.queue.progress() == {}


@pytest.mark.parametrize("by", ["dashboard", "optuna"])
def test_a_deleted_study_leaves_nothing_to_the_next(
    any_database: Database, name: str, by: str
) -> None:
    name = f"{name}-{by}"
    old = filled_study(any_database, name)
    if by == "dashboard":
        delete(old)
    else:
        optuna.delete_study(study_name=name, storage=any_database.storage)
    new = create_study(any_database, name, STAMP)
    assert new.key != old.key
    assert_nothing_of_another(new)
    for table in METADATA.sorted_tables:
        query = select(func.count()).select_from(table).where(table.c[STUDY_KEY] == old.key)
        with any_database.engine.connect() as connection:
            assert connection.execute(query).scalar() == 0, table.name


def test_sqlite_hands_out_the_id_of_a_deleted_study_again(database: Database) -> None:
    old = create_study(database, "old", STAMP)
    optuna.delete_study(study_name="old", storage=database.storage)
    assert create_study(database, "new", STAMP).study_id == old.study_id


def test_a_worker_of_a_deleted_study_writes_nothing(any_database: Database, name: str) -> None:
    old = filled_study(any_database, name)
    running = start_next(old)
    delete(old)
    new = create_study(any_database, name, STAMP)
    new.queue.add([Run("measure", 6)])
    for write in (
        lambda: running.report({3: 0.5}),
        lambda: running.complete(0.9, {}, {}),
        lambda: running.fail("?"),
        lambda: release_claim(old, running.claim),
        lambda: start_trial(old, running.claim, {}, {}, {}),
    ):
        with pytest.raises(LostClaimError):
            write()
    assert old.queue.claim("test") is None
    assert old.queue.progress() == {}
    with pytest.raises(StudyGoneError):
        old.queue.add([Run("measure", 9)])
    assert new.queue.progress() == {"measure": PhaseProgress(1, 0, 0)}
    assert read_trials(new) == [] and uncounted_trials(new) == []
    run_some(new, 1)
    assert [trial.curve for trial in read_trials(new)] == [{0: 0.5}]


def test_reading_a_deleted_study_says_so(database: Database) -> None:
    old = filled_study(database, "old")
    delete(old)
    with pytest.raises(StudyGoneError, match="'old' was deleted or renamed"):
        read_trials(old)


def test_a_renamed_study_keeps_everything(any_database: Database, name: str) -> None:
    old = filled_study(any_database, name)
    before = read_trials(old)
    rename(old, f"{name}-2")
    renamed = find_study(any_database, f"{name}-2")
    assert renamed is not None and renamed.study_id != old.study_id
    for found in (find_study(any_database, name), load_study(any_database, name)):
        assert found is not None and (found.name, found.key) == (renamed.name, old.key)
    assert read_trials(renamed) == before
    assert renamed.queue.progress() == {
        "baseline": PhaseProgress(0, 0, 1), "measure": PhaseProgress(3, 0, 5)
    }  # fmt: skip
    assert CachedAnswer(renamed, "importance", "digest").read() == "its answer"
    assert count_stop_requests(renamed) == 1
    confirmation = find_confirmation(renamed)
    assert confirmation is not None and len(read_arms(confirmation)) == 1
    assert renamed.queue.add([Run("measure", row) for row in range(10)]) == 2
    run_some(renamed, 5)
    assert sorted(t.row for t in read_trials(renamed) if t.phase == "measure") == list(range(10))
    # Someone may take the name that is free now.
    assert_nothing_of_another(create_study(any_database, name, STAMP))


def test_runs_that_end_while_a_study_is_renamed_wait_again(
    any_database: Database, name: str
) -> None:
    """The dashboard copies the trials one by one, and then deletes the study."""
    old = filled_study(any_database, name)
    under_way, interrupted = start_next(old), start_next(old)
    optuna.copy_study(
        from_study_name=name, from_storage=any_database.storage,
        to_storage=any_database.storage, to_study_name=f"{name}-2",
    )  # fmt: skip
    under_way.complete(0.7, {}, {})
    run_some(old, 1)
    assert old.queue.progress()["measure"] == PhaseProgress(0, 1, 7)
    optuna.delete_study(study_name=name, storage=any_database.storage)
    with pytest.raises(LostClaimError):
        interrupted.complete(0.7, {}, {})
    renamed = load_study(any_database, name)
    assert renamed.key == old.key
    assert renamed.queue.progress()["measure"] == PhaseProgress(3, 0, 5)
    claims = [renamed.queue.claim("test") for _ in range(3)]
    found = sorted((claim.run.row, claim.trial) for claim in claims if claim)
    assert found == [(5, 6), (6, 7), (7, None)]
    # This is done once: what is claimed from now on stays claimed.
    assert load_study(any_database, name).queue.progress()["measure"] == PhaseProgress(0, 3, 5)


def test_what_workers_wrote_while_their_study_was_deleted_is_not_adopted(
    database: Database,
) -> None:
    """Optuna lets SQLite check no references, and reads what it deletes before it deletes it."""
    other = create_study(database, "other", STAMP)
    other.queue.add([Run("measure", row) for row in range(2)])
    new_study_id, new_trial_id = other.study_id + 1, 1
    with database.engine.begin() as connection:
        orphan = {"study_id": new_study_id, "number": 0, "state": "COMPLETE"}
        connection.execute(insert(models.TrialModel.__table__).values(trial_id=7, **orphan))
        attributes = {"phase": "measure", "row": 3, "repeat": 0}
        for trial_id in (7, new_trial_id, 8, 9):
            write = insert(models.TrialUserAttributeModel.__table__)
            rows = [
                {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
                for key, value in attributes.items()
            ]
            connection.execute(write, rows)
    study = create_study(database, "new", STAMP)
    assert study.study_id == new_study_id
    assert_nothing_of_another(study)
    study.queue.add([Run("measure", row) for row in range(3)])
    run_some(study, 3)
    run_some(other, 2)
    assert [trial.row for trial in read_trials(study)] == [0, 1, 2]
    assert [trial.row for trial in read_trials(other)] == [0, 1]


def test_a_study_copied_in_its_database_is_on_its_own(any_database: Database, name: str) -> None:
    original = filled_study(any_database, name)
    failed, interrupted = start_next(original), start_next(original)
    failed.fail("once")
    assert original.queue.requeue([failed.claim.run]) == 1
    before = read_trials(original)
    optuna.copy_study(
        from_study_name=name, from_storage=any_database.storage,
        to_storage=any_database.storage, to_study_name=f"{name}-2",
    )  # fmt: skip
    copied = find_study(any_database, f"{name}-2")
    assert copied is not None and copied.key != original.key
    assert [t._replace(state="") for t in read_trials(copied)] == [
        t._replace(state="") for t in before
    ]
    assert load_study(any_database, f"{name}-2").key == copied.key
    assert copied.queue.progress()["measure"] == PhaseProgress(3, 0, 5)
    assert original.queue.progress()["measure"] == PhaseProgress(2, 1, 5)
    assert CachedAnswer(copied, "importance", "digest").read() == "its answer"
    run_some(original, 2, 0.1)
    interrupted.complete(0.1, {}, {})
    again = copied.queue.claim("test")
    assert again is not None
    release_claim(copied, again)
    assert read_trials(copied)[:6] == before[:6]
    assert {trial.state for trial in read_trials(copied)} == {"COMPLETE", "WAITING"}
    assert find_confirmation(copied) is None


def test_a_study_copied_to_another_database_has_the_runs_of_its_trials(
    database: Database, tmp_path: Path
) -> None:
    original = filled_study(database, "mine")
    start_next(original)
    other = open_database(f"sqlite:///{tmp_path}/other.db", create=True)
    optuna.copy_study(
        from_study_name="mine", from_storage=database.storage, to_storage=other.storage
    )
    copied = load_study(other, "mine")
    assert copied.queue.progress() == {
        "baseline": PhaseProgress(0, 0, 1), "measure": PhaseProgress(1, 0, 5)
    }  # fmt: skip
    assert [trial.row for trial in read_trials(copied)] == [0, 0, 1, 2, 3, 4, 5]
    claim = copied.queue.claim("test")
    assert claim is not None and (claim.run, claim.trial) == (Run("measure", 5), 6)


def test_trials_that_others_add_count_nowhere(any_database: Database, name: str) -> None:
    study = filled_study(any_database, name)
    before = read_trials(study)
    study.optuna_study.add_trial(
        create_trial(value=0.99, params={"x": 0.5}, distributions={"x": FloatDistribution(0, 1)})
    )
    study.optuna_study.add_trials(study.optuna_study.get_trials()[:2])  # runs of ours, twice
    assert read_trials(study) == before
    assert uncounted_trials(study) == [6, 7, 8]
    start_next(study).fail("once")
    study.queue.requeue([Run("measure", 5)])
    assert uncounted_trials(study) == [6, 7, 8]


def earlier_study(database: Database, name: str) -> int:
    """Create a study as earlier versions did, without a key; return Optuna's id."""
    study = optuna.create_study(study_name=name, storage=database.storage, direction="maximize")
    study.set_user_attr("stamp", STAMP.as_document())
    return study._study_id


def test_a_study_that_inherited_runs_in_an_earlier_version_runs_them_itself(
    database: Database,
) -> None:
    study_id = earlier_study(database, "new")
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE training_factor_runs (study_id INTEGER, phase VARCHAR(16), row INTEGER, "
            "repeat INTEGER, state VARCHAR(16), attempt INTEGER, owner VARCHAR(255), "
            "heartbeat DOUBLE, trial INTEGER, PRIMARY KEY (study_id, phase, row, repeat))"
        )
        for row in range(4):
            connection.exec_driver_sql(
                "INSERT INTO training_factor_runs "
                "VALUES (?, 'measure', ?, 0, 'done', 1, NULL, 0, ?)",
                (study_id, row, row),
            )
    storage = database.storage
    trial = create_trial(value=0.5, user_attrs={"phase": "measure", "row": 2, "repeat": 0})
    storage.create_new_trial(study_id, template_trial=trial)
    storage.create_new_trial(study_id, template_trial=trial)
    storage.create_new_trial(study_id, template_trial=trial)
    study = load_study(database, "new")
    assert study.queue.progress() == {"measure": PhaseProgress(3, 0, 1)}
    assert [trial.number for trial in read_trials(study)] == [2]


@pytest.fixture
def finished(tmp_path: Path) -> Study:
    """A finished study of the program, in the current folder."""
    shutil.copytree(smoke_study()[0], tmp_path, dirs_exist_ok=True)
    return load_study(open_database("sqlite:///runs/studies.db"), None)


def values(study: Study) -> dict[Run, float | None]:
    return {Run(t.phase, t.row, t.repeat): t.value for t in read_trials(study)}


def test_the_same_command_goes_on_with_a_renamed_study(
    finished: Study, capfd: pytest.CaptureFixture[str]
) -> None:
    rename(finished, "mine")
    assert execute([*SMOKE_STUDY]) == 0
    said = capfd.readouterr().err
    assert f"study {finished.name!r} is called 'mine' by now" in said
    assert "all 49 runs of mine are done" in said
    assert execute(["worker", "mine"]) == 0
    assert "all 49 runs of mine are done" in capfd.readouterr().err
    assert execute(["list", "--json"]) == 0
    (only,) = json.loads(capfd.readouterr().out)["studies"]
    assert (only["study"], only["runs"]["total"]) == ("mine", 49)


def test_the_same_command_runs_a_deleted_study_anew(
    finished: Study, capfd: pytest.CaptureFixture[str]
) -> None:
    before = values(finished)
    delete(finished)
    assert execute(["status"]) == 3
    assert execute([*SMOKE_STUDY]) == 0, capfd.readouterr().err
    assert "49 of 49 runs done" in capfd.readouterr().err
    again = load_study(finished.database, None)
    assert again.key != finished.key
    designed = {run for run in before if run.phase != "search"}
    assert {run: values(again)[run] for run in designed} == {run: before[run] for run in designed}
    assert len(values(again)) == 49


def test_a_trial_that_others_added_is_in_no_answer(
    finished: Study, capfd: pytest.CaptureFixture[str]
) -> None:
    verbs = ("status", "recommend", "importance", "effects")
    before = {}
    for verb in verbs:
        assert execute([verb, "--json"]) == 0
        before[verb] = capfd.readouterr().out
    best = max(finished.optuna_study.get_trials(), key=lambda trial: trial.value or 0)
    finished.optuna_study.add_trial(
        create_trial(value=0.9999, params=best.params, distributions=best.distributions)
    )
    for verb in verbs:
        assert execute([verb, "--json"]) == 0
        out, err = capfd.readouterr()
        assert json.loads(out) == json.loads(before[verb])
        said = "trial 49 was not made by this tool and counts nowhere"
        assert err.count(said) == 1


class Expected(NamedTuple):
    """What a study should hold. values: run -> value of its last complete trial."""

    answer: str
    planned: set[Run]
    values: dict[Run, float]
    running: dict[Run, LiveTrial]
    confirmed: dict[Run, float]


class SequencesOfActions(RuleBasedStateMachine):
    """Random sequences of actions on the studies of one database, with up to two main names."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = ExitStack()
        self.folder = Path(self.closing.enter_context(TemporaryDirectory()))
        self.database = open_database(f"sqlite:///{self.folder}/0.db", create=True)
        self.client = self.closing.enter_context(serve_dashboard(self.database, writing=True))
        self.studies: dict[str, Expected] = {}
        self.count = 0

    def teardown(self) -> None:
        self.closing.close()

    def next_value(self) -> float:
        """Return a value that no other run has."""
        self.count += 1
        return self.count / 1000

    def some_study(self, data: st.DataObject) -> tuple[Study, Expected]:
        name = data.draw(st.sampled_from(sorted(self.studies)))
        return load_study(self.database, name), self.studies[name]

    def claim_next(self, study: Study, expected: Expected) -> LiveTrial | None:
        claim = study.queue.claim("test")
        if claim is None:
            assert expected.planned == expected.values.keys() | expected.running.keys()
            return None
        assert claim.run in expected.planned
        assert claim.run not in expected.values and claim.run not in expected.running
        return start_trial(
            study, claim, {}, {}, {**claim.run._asdict(), "seed": claim.run.row}
        )  # fmt: skip

    @precondition(lambda self: len(self.studies) < 2)
    @rule(name=st.sampled_from(["first", "second"]))
    def create(self, name: str) -> None:
        if name in self.studies:
            return
        study = create_study(self.database, name, STAMP)
        runs = [Run("baseline", 0), *(Run("measure", row) for row in range(3))]
        study.queue.add(runs)
        self.count += 1
        self.studies[name] = Expected(f"answer {self.count}", set(runs), {}, {}, {})
        CachedAnswer(study, "test", "digest").write(self.studies[name].answer)

    @precondition(lambda self: self.studies)
    @rule(data=st.data(), runs=st.integers(1, 3))
    def run(self, data: st.DataObject, runs: int) -> None:
        study, expected = self.some_study(data)
        for _ in range(runs):
            trial = self.claim_next(study, expected)
            if trial is not None:
                expected.values[trial.claim.run] = self.next_value()
                trial.complete(expected.values[trial.claim.run], {}, {})

    @precondition(lambda self: self.studies)
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Begin a run whose worker goes on, whatever happens to the study."""
        study, expected = self.some_study(data)
        trial = self.claim_next(study, expected)
        if trial is not None:
            expected.running[trial.claim.run] = trial

    @precondition(lambda self: any(one.running for one in self.studies.values()))
    @rule(data=st.data(), dies=st.booleans())
    def end_or_kill(self, data: st.DataObject, dies: bool) -> None:
        """End a run that is under way, or release it as the heartbeat does for a dead worker."""
        name = data.draw(st.sampled_from([n for n, one in self.studies.items() if one.running]))
        expected = self.studies[name]
        run, trial = expected.running.popitem()
        study = load_study(self.database, name)
        if dies:
            (claim,) = [a.claim for a in study.queue.active_claims() if a.claim.run == run]
            release_claim(study, claim)
        elif trial.study.study_id == study.study_id:
            expected.values[run] = self.next_value()
            trial.complete(expected.values[run], {}, {})
        else:  # the study was renamed under its worker
            with pytest.raises(LostClaimError):
                trial.complete(0.9, {}, {})
            (claim,) = [a.claim for a in study.queue.active_claims() if a.claim.run == run]
            release_claim(study, claim)

    @precondition(lambda self: self.studies)
    @rule(data=st.data(), name=st.sampled_from(["first", "second", "third"]))
    def rename(self, data: st.DataObject, name: str) -> None:
        study, expected = self.some_study(data)
        path = f"/api/studies/{study.study_id}/rename"
        status = send(self.client, "POST", path, {"study_name": name})
        assert status == (201 if name not in self.studies else 400)
        if status == 201:
            del self.studies[study.name]
            self.studies[name] = expected

    @precondition(lambda self: self.studies)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        study, expected = self.some_study(data)
        send(self.client, "DELETE", f"/api/studies/{study.study_id}", {})
        del self.studies[study.name]
        for trial in expected.running.values():
            with pytest.raises(LostClaimError):
                trial.complete(0.9, {}, {})

    @precondition(lambda self: self.studies)
    @rule(data=st.data())
    def extend(self, data: st.DataObject) -> None:
        study, expected = self.some_study(data)
        runs = {Run("measure", row) for row in range(len(expected.planned) + 1)}
        assert study.queue.add(runs) == len(runs - expected.planned)
        expected.planned.update(runs)

    @precondition(lambda self: self.studies)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        study, expected = self.some_study(data)
        confirmation = create_confirmation(study)
        run = Run("confirm", len(expected.confirmed))
        assert confirmation.queue.add([run]) == 1
        expected.confirmed[run] = self.next_value()
        run_some(confirmation, 1, expected.confirmed[run])

    @precondition(lambda self: self.studies)
    @rule(data=st.data())
    def import_trials(self, data: st.DataObject) -> None:
        study, _ = self.some_study(data)
        finished = [t for t in study.optuna_study.get_trials() if t.state.is_finished()]
        study.optuna_study.add_trials(finished[:2])

    @rule()
    def move_file(self) -> None:
        """Go on with a copy of the file, as on another machine; runs under way stay behind."""
        self.database.close()
        self.count += 1
        path = self.folder / f"{self.count}.db"
        shutil.copy(str(self.database.engine.url.database), path)
        self.database = open_database(f"sqlite:///{path}")
        self.client = self.closing.enter_context(serve_dashboard(self.database, writing=True))
        for name, expected in self.studies.items():
            study = load_study(self.database, name)
            for active in study.queue.active_claims():
                release_claim(study, active.claim)
            expected.running.clear()

    @invariant()
    def totals_and_answers_are_those_of_each_study(self) -> None:
        assert main_study_names(self.database) == sorted(self.studies)
        for name, expected in self.studies.items():
            study = load_study(self.database, name)
            progress = study.queue.progress().values()
            assert sum(phase.total for phase in progress) == len(expected.planned)
            assert sum(phase.done for phase in progress) == len(expected.values)
            assert sum(phase.running for phase in progress) == len(expected.running)
            complete = [trial for trial in read_trials(study) if trial.complete]
            values = [(Run(t.phase, t.row, t.repeat), t.value) for t in complete]
            assert sorted(values) == sorted(expected.values.items())
            assert CachedAnswer(study, "test", "digest").read() == expected.answer
            confirmation = find_confirmation(study)
            found = read_trials(confirmation) if confirmation else []
            assert [trial.value for trial in found] == list(expected.confirmed.values())


SequencesOfActions.TestCase.settings = settings(
    max_examples=8, stateful_step_count=20, suppress_health_check=list(HealthCheck)
)
TestSequencesOfActions = pytest.mark.slow(SequencesOfActions.TestCase)
