"""What a confirmation costs, which factors it compares, and its one display."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.studies import add_simulated_confirmation, create_simulated_study
from training_factors.storage.studies import Study, find_confirmation
from training_factors.storage.trials import read_trials
from training_factors.study.analysis.answer import Answer
from training_factors.study.api import confirming
from training_factors.study.api.compared_factors import factors_to_confirm
from training_factors.study.api.output import SILENT, LastingDisplay, Tick
from training_factors.study.reporting.analyses import answer_of
from training_factors.study.reporting.status import StageStatus


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of runs that took 0.4 s each."""
    return create_simulated_study(f"sqlite:///{tmp_path_factory.mktemp('study')}/studies.db", 40)


@pytest.fixture(scope="module")
def answer(study: Study) -> Answer:
    return answer_of(study, 1)


def led_by(answer: Answer, *names: str) -> Answer:
    return answer._replace(verdict=answer.verdict._replace(leaders=names))


def test_every_factor_that_may_matter_most_is_compared(study: Study, answer: Answer) -> None:
    largest = [factor.name for factor in answer.factors[:5]]
    smallest = answer.factors[-1].name
    trials = read_trials(study)

    def chosen(given: Answer, named: list[str] | None = None) -> list[str]:
        return list(factors_to_confirm(study, given, trials, named))

    assert chosen(led_by(answer, largest[0], smallest)) == [*largest, smallest]
    assert chosen(led_by(answer)) == largest
    assert chosen(answer, ["split"]) == ["split"]


def test_where_surrogates_predict_nothing_the_best_measured_option_is_tried(
    study: Study, answer: Answer
) -> None:
    measured = [
        trial._replace(value=0.9 if trial.parameters["optimizer"] == "rmsprop" else 0.1)
        for trial in read_trials(study)
    ]
    searched = [
        trial._replace(phase="search", parameters={"optimizer": "adagrad"}, value=1.0)
        for trial in measured
    ]
    effects = tuple(
        effect._replace(mean=float(effect.option == "adagrad")) for effect in answer.effects
    )
    blind = answer._replace(effects=effects, surrogate=answer.surrogate._replace(r2=-0.1))
    seeing = blind._replace(surrogate=answer.surrogate._replace(r2=0.1))
    for given, option in ((seeing, "adagrad"), (blind, "rmsprop")):
        chosen = factors_to_confirm(study, given, measured + searched, ["optimizer"])
        assert chosen == {"optimizer": option}


def test_the_cost_is_told_in_runs_and_time(
    study: Study, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    led = led_by(answer)
    varied = [study.stamp.space.factor(factor.name) for factor in led.factors[:5]]
    retuned = sum(bool(factor.retune) for factor in varied)
    low, high = (15 + 8 * retuned + (7 + retuned) * seeds for seeds in (5, 20))
    words = confirming.describe_cost(study, led, read_trials(study))
    assert words == (
        f"confirm takes about {low} to {high} runs, about {0.2 * low:.0f} s to {0.2 * high:.0f} s"
    )
    assert find_confirmation(study) is None


def test_what_ran_already_costs_nothing(tmp_path: Path, answer: Answer) -> None:
    study = create_simulated_study(f"sqlite:///{tmp_path}/studies.db", 16)
    trials = read_trials(study)
    state = confirming._read_state(study, trials)
    request = confirming._requested(state, confirming.Wanted(["residual"]), 0.5, answer)
    assert state.size(request).left == (15 + 3 * 5, 15 + 3 * 20)
    add_simulated_confirmation(study)  # two arms ranked, and two compared without the placebo
    begun = confirming._read_state(study, trials)
    assert begun.size(request).left == (0, 0)
    confirmation = find_confirmation(study)
    assert confirmation is not None
    stage = confirming._stage_status(begun, confirmation, request, "contrast")
    assert (stage.number, stage.stages, stage.low, stage.high) == (2, 2, 20, 20)
    without_runs = confirming._stage_status(begun, confirmation, request, "path")
    assert without_runs.number == without_runs.stages, "the best is the baseline"
    more = confirming._requested(begun, confirming.Wanted(["residual"], seeds=8), 0.5, answer)
    assert begun.size(more).left == (6, 6)


def test_all_stages_share_one_display(study: Study) -> None:
    opened: list[StageStatus | None] = []

    @contextmanager
    def show(
        study: Study,
        workers: int,
        place: str,
        stage: "Callable[[], StageStatus | None] | None" = None,
    ) -> Iterator[Tick]:
        assert stage is not None
        yield lambda: opened.append(stage())

    with ExitStack() as stack:
        display = LastingDisplay(SILENT._replace(progress=show), study.database.url, stack)
        for number in (1, 2):
            display.stage = StageStatus(number, 2, "ranking candidates", 5, 9)
            with display.progress(study, 2, "cpu") as tick:
                tick()
    assert [stage and stage.number for stage in opened] == [1, 2]
