"""Terminal tables, drawn from hand-written records, 80 columns wide."""

import io

import pytest
from rich.console import Console, RenderableType

from tests.support.answers import simulated_answer
from tests.support.reports import confirmed_path
from tests.support.simulations import BRANCH, simulate_trials
from training_factors.storage.run_queue import PhaseProgress
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import Answer
from training_factors.study.analysis.best_configuration import BestConfiguration
from training_factors.study.analysis.comparison import compare
from training_factors.study.analysis.contrasts import Confirmation, Contrast
from training_factors.study.analysis.lenses import compute_lenses
from training_factors.study.reporting import (
    comparison_table,
    confirmation_table,
    doctor_table,
    effects_table,
    frames,
    importance_tables,
    progress,
    status,
)
from training_factors.study.reporting.formatting import open_console
from training_factors.study.reporting.status import StageStatus, StudyStatus, WorkerStatus
from training_factors.study.running.doctor import Check


def printed(drawn: RenderableType, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(drawn, crop=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def answer() -> Answer:
    return simulated_answer("branch", 64)


def a_trial(number: int) -> Trial:
    parameters = {"optimizer": "adam", "activation": "tanh", "optimizer.adam.lr": 0.001}
    return Trial(
        number, "COMPLETE", "measure", number, 0, 1, parameters, 0.5, {}, {}, 1.25, {}
    )  # fmt: skip


BEST = BestConfiguration("run #2", a_trial(2).parameters, a_trial(2))


def an_overview() -> StudyStatus:
    return StudyStatus(
        "digits-mlp", "accuracy", "digits", "mlp:small", {"measure": PhaseProgress(1, 2, 3)},
        {"COMPLETE": 3, "INTERRUPTED": 1}, 1, BEST, 1.25,
        tuple(a_trial(number) for number in range(3)), {"optimizer": "sgd", "activation": "relu"},
        (WorkerStatus("far", 17, "cuda:1", "measure 3", 2, 41.0, "silent"),), {"out of memory": 2},
    )  # fmt: skip


def a_running_trial() -> Trial:
    return a_trial(3)._replace(
        state="RUNNING", value=None, time_s=None, curve={1: 0.3, 9: 0.625}, phase="search"
    )


def line_with(text: str, word: str) -> str:
    (line,) = (line for line in text.splitlines() if word in line)
    return line


@pytest.mark.parametrize("width", [80, 120])
def test_the_live_table_keeps_all_its_columns(width: int) -> None:
    text = printed(progress.draw_live(an_overview(), 2), width)
    heading, first = text.splitlines()[:2]
    for word in ("run", "phase", "state", "accuracy", "time", "differs"):
        assert word in heading
    for word in ("#0", "measure", "complete", "0.5000", "1.2 s", "optimizer=adam"):
        assert word in first
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("width", [80, 120])
def test_the_live_table_says_all_that_is_asked_while_a_study_runs(width: int) -> None:
    now = an_overview()._replace(
        running=(a_running_trial(),), epochs=15, states={"COMPLETE": 3, "PRUNED": 4, "FAIL": 2},
        failures={"out of memory\nat once": 2},
    )  # fmt: skip
    text = printed(progress.draw_live(now, 2), width)
    for word in ("search", "epoch 10/15", "0.6250", "optimizer=adam"):
        assert word in line_with(text, "#3")
    assert "3 of 6 runs done, about 2 s left with 2 workers  best 0.5000 (run #2)" in text
    assert "running 2  diverged 1  pruned 4  failed 2" in text
    assert "2 runs failed: out of memory at once" in text
    assert max(map(len, text.splitlines())) <= width
    line = progress.progress_line(now, 2)
    for word in (
        "3 of 6 runs done",
        "2 s left",
        "running 2",
        "diverged 1",
        "pruned 4",
        "best 0.5",
    ):
        assert word in line


def test_a_study_that_has_ended_has_nothing_running_or_left() -> None:
    over = an_overview()._replace(progress={"measure": PhaseProgress(0, 0, 6)})
    over = over._replace(running=(a_running_trial(),))  # it has ended since
    text = printed(progress.draw_live(over, 2))
    assert "6 of 6 runs done  best" in text
    assert "#3" not in text and "left" not in text


def test_many_that_run_are_counted_not_listed() -> None:
    crowd = tuple(a_running_trial()._replace(number=number) for number in range(10, 30))
    text = printed(progress.draw_live(an_overview()._replace(running=crowd), 20))
    assert sum("epoch" in line for line in text.splitlines()) == progress.MAX_RUNNING_SHOWN


def test_the_time_left_counts_workers_of_all_machines() -> None:
    now = an_overview()
    assert now.at_work == 0, "the only one is silent"
    assert now.left_s(2) == pytest.approx(1.25 * 3 / 2)
    workers = tuple(
        WorkerStatus("far", pid, "cpu", "measure 3", 1, 1.0, "working") for pid in range(6)
    )
    joined = now._replace(workers=workers)
    assert joined.left_s(2) == pytest.approx(1.25 * 3 / 6)
    assert "with 6 workers" in progress.progress_line(joined, 2)
    assert joined.left_s(8) == pytest.approx(1.25 * 3 / 8), "ours hold nothing for a moment"
    assert "about 1 s left with 6 workers" in printed(status.draw_status(joined))
    assert status.status_document(joined)["seconds_left"] == pytest.approx(1.25 * 3 / 6)
    assert now._replace(seconds=None).left_s(2) is None


def test_the_head_fits_and_its_url_is_whole() -> None:
    now = an_overview()._replace(name="n" * 64, epochs=15, varied=14)
    url = f"postgresql://someone@{'h' * 90}/studies"
    text = printed(progress.draw_head(now, 2, "cpu", url))
    *lines, last = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert last == f"storage  {url}"
    assert "n" * 64 in text
    assert "mlp:small on digits, 15 epochs per run" in text
    assert "14 varied" in line_with(text, "factors")
    assert "6, 3 done; 2 workers on cpu" in text


@pytest.mark.parametrize("name", ["[/]", "[red]x", ":cat:", "[link=x]", "a [b] c"])
def test_names_are_data(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    named = an_overview()._replace(name=name, data=name, objective=name, failures={name: 2})
    drawn = (
        status.draw_status(named), status.draw_study_list([named]), progress.draw_live(named, 2),
        progress.draw_head(named, 2, name, name),
        doctor_table.draw_checks([Check(name, "bad", name, name)]),
    )  # fmt: skip
    for one in drawn:
        open_console().print(one)
        assert name in capsys.readouterr().out


def test_long_names_are_listed_and_diagnosed_whole() -> None:
    name = 64 * "q"
    for text in (
        printed(status.draw_study_list([an_overview()._replace(name=name)])),
        printed(doctor_table.draw_checks([Check(name, "ok", "49 of 177 runs done")])),
    ):
        assert text.count("q") == 64
        assert max(map(len, text.splitlines())) <= 80


def test_status_names_what_was_interrupted_who_is_silent_and_what_failed() -> None:
    text = printed(status.draw_status(an_overview()))
    assert "interrupted 1" in text
    assert "2 runs failed: out of memory" in text
    (line,) = (line for line in text.splitlines() if "far:17" in line)
    for word in ("cuda:1", "measure 3", "41 s ago", "silent"):
        assert word in line
    document = status.status_document(an_overview())
    assert document["runs"] == {"total": 6, "done": 3}


def test_effects_and_lenses_are_drawn_whole(answer: Answer) -> None:
    seen = compute_lenses(simulate_trials(BRANCH, 32), BRANCH.space, seed=0, jobs=1)
    for text in (
        printed(effects_table.draw_effects(answer, "accuracy")),
        printed(importance_tables.draw_lenses(seen, answer)),
    ):
        assert max(map(len, text.splitlines())) <= 80
        assert "…" not in text
        assert "opt" in text and "z" in text
    text = printed(effects_table.draw_effects(answer, "accuracy"))
    assert "baseline" in text
    assert "█" in text


def test_equal_studies_do_not_differ(answer: Answer) -> None:
    found = compare({"one": answer, "other": answer})
    assert {name: one["one"].share for name, one in found.factors.items()} == {
        factor.name: factor.share for factor in answer.factors
    }
    assert all(one.p_value == 1 for one in found.differences)
    text = printed(comparison_table.draw_comparison(found))
    assert "No factor's share differs significantly between these studies." in text


@pytest.mark.parametrize("studies", [2, 3, 6])
def test_several_studies_fit_beside_each_other(answer: Answer, studies: int) -> None:
    names = [f"imagenette-resnet18-{number}abcde" for number in range(studies)]
    text = printed(comparison_table.draw_comparison(compare(dict.fromkeys(names, answer))))
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    rows = [line for line in text.splitlines() if line.startswith(answer.factors[0].name)]
    assert len(rows[0].split()) >= 1 + studies


def test_a_factor_with_a_larger_share_is_named(answer: Answer) -> None:
    first = answer.factors[0]
    lighter = answer._replace(factors=(first._replace(share=0.05, error=0.01), *answer.factors[1:]))
    text = printed(comparison_table.draw_comparison(compare({"one": answer, "other": lighter})))
    assert f"The share of {first.name} is larger in one than in other" in " ".join(text.split())


def test_no_difference_is_stated_from_an_inconclusive_study(answer: Answer) -> None:
    first = answer.factors[0]
    lighter = answer._replace(
        factors=(first._replace(share=0.05, error=0.01), *answer.factors[1:]),
        verdict=answer.verdict._replace(kind="nothing", leaders=()),
    )
    found = compare({"one": answer, "other": lighter, "third": answer})
    assert {(one.one, one.other) for one in found.differences} == {("one", "third")}
    assert found.correlations["one", "other"] is None
    text = " ".join(printed(comparison_table.draw_comparison(found)).split())
    assert "other shows no significant effect, so nothing is said about differences" in text
    alone = compare({"one": answer, "other": lighter})
    text = printed(comparison_table.draw_comparison(alone))
    assert "differs significantly between" not in text and "is larger" not in text
    assert comparison_table.comparison_document(alone)["inconclusive"] == ["other"]


def test_factors_that_one_study_alone_varies_are_named(answer: Answer) -> None:
    fewer = answer._replace(factors=answer.factors[:-1])
    found = compare({"one": answer, "other": fewer})
    name = answer.factors[-1].name
    assert found.partial == {name: ("one",)}
    assert f"Only one varies {name}." in printed(comparison_table.draw_comparison(found))


def test_studies_without_a_common_factor_are_refused(answer: Answer) -> None:
    other = answer._replace(factors=(answer.factors[0]._replace(name="else"),))
    with pytest.raises(ValueError, match="no factor in common"):
        compare({"one": answer, "other": other})


def test_a_confirmation_is_drawn_with_its_evidence() -> None:
    contrast = Contrast("loss at its baseline", "loss", 5, 3.4, (2.1, 4.7), 0.0004, 1.0)
    found = confirmation_table.ConfirmationResult(
        "digits-mlp", "accuracy", {"trial 3": 0.97, "trial 9": 0.96},
        Confirmation({}, 5, 0.954, (0.94, 0.968), (contrast,)),
    )  # fmt: skip
    words = " ".join(printed(confirmation_table.draw_contrasts(found)).split())
    assert (
        "best configuration: run #3 test accuracy 0.9540 (95 % interval 0.9400 to 0.9680)" in words
    )
    assert "loss at its baseline 5 +3.40 +2.10 to +4.70 < 0.001 confirmed" in words


def test_a_path_is_drawn_below_the_comparison() -> None:
    confirmation = Confirmation({}, 5, 0.91, (0.9, 0.92), (), confirmed_path())
    found = confirmation_table.ConfirmationResult(
        "mine", "accuracy", {"trial 3": 0.9}, confirmation
    )
    text = printed(confirmation_table.draw_contrasts(found))
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    assert "baseline 5 0.8875 optimizer adam, lr 0.02 5 0.9300 +4.25 +2.50 to +6.00" in words
    assert "activation tanh 5 0.9100 -2.50 -3.00 to -2.00 in all 5 +2.25 +1.00 to +3.50" in words
    assert "The mean difference to the row before" in words
    document = confirmation_table.confirmation_document(found)["confirmation"]["path"]
    assert [step["factor"] for step in document["steps"]] == ["optimizer", "residual", "activation"]
    frame = frames.path_frame(confirmed_path())
    assert list(frame.index) == ["baseline", "optimizer", "residual", "activation"]
    assert frame.gain.isna().tolist() == [True, False, False, False]
    alone = frames.path_frame(confirmed_path()._replace(steps=()))
    assert set(alone) == set(frame)


def test_a_confirmation_shows_its_stage_and_no_best_run() -> None:
    stage = StageStatus(2, 4, "re-tuning learning rates", 5, 11)
    now = an_overview()._replace(is_confirmation=True, stage=stage)
    text = printed(progress.draw_live(now, 2))
    assert "stage 2 of 4 (re-tuning learning rates), about 3 of 5 to 11 runs" in text
    assert "about 1 s to 5 s left with 2 workers" in text
    line = progress.progress_line(now, 2)
    assert line.startswith(
        "stage 2 of 4 (re-tuning learning rates), about 3 of 5 to 11 runs, about"
    )
    assert "about 5 to 11, 3 done" in printed(progress.draw_head(now, 2, "cpu", "sqlite://"))
    known = now._replace(stage=stage._replace(low=11))
    assert "about 3 of 11 runs" in progress.progress_line(known, 2)
    over = now._replace(stage=None)
    for shown in (
        text,
        line,
        printed(progress.draw_live(over, 2)),
        printed(status.draw_status(now)),
    ):
        assert "best" not in shown
    assert "3 of 6 runs done" in progress.progress_line(over, 2)


def test_a_placebo_and_a_better_change_are_explained() -> None:
    better = Contrast("loss at its baseline", "loss", 5, -3.4, (-4.7, -2.1), 0.0004, 0.0)
    placebo = Contrast("placebo moved", "placebo", 5, 0.0, (-0.5, 0.5), 1.0, 0.5)
    for contrasts, has_placebo in (((better,), False), ((better, placebo), True)):
        found = confirmation_table.ConfirmationResult(
            "mine", "accuracy", {"trial 3": 0.9}, Confirmation({}, 5, 0.9, (0.8, 1.0), contrasts)
        )
        drawn = confirmation_table.draw_contrasts(found)
        words = " ".join(printed(drawn).split())
        assert "Not distinguishable (dim): it is not significantly better." in words
        assert ("its p-value is not Holm-corrected" in words) == has_placebo


def test_a_suspended_worker_and_failed_runs_are_named() -> None:
    suspended = an_overview().workers[0]._replace(condition="stopped")
    now = an_overview()._replace(workers=(suspended,), states={"COMPLETE": 3, "FAIL": 2})
    text = printed(status.draw_status(now))
    assert "suspended" in line_with(text, "far:17")
    assert "complete 3 (1 diverged)  failed 2" in text
    document = status.status_document(now)
    assert document["workers"][0]["condition"] == "stopped"
    assert document["states"]["FAIL"] == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(4.4, "4 s"), (91, "1 min 31 s"), (605, "10 min 05 s"), (3725, "1 h 02 min")],
)
def test_durations_name_their_units(seconds: float, words: str) -> None:
    assert status.format_duration(seconds) == words
