"""Screens drawn from records written by hand, 80 columns wide."""

import io

import pytest
from rich.console import Console, RenderableType

from benchmarks.simulations import BRANCH, measure
from storage.ledger import Progress
from storage.tables import Trial
from study.analysis.answer import Answer
from study.analysis.comparison import compare
from study.analysis.contrasts import Confirmation, Contrast
from study.analysis.headline import analyse
from study.analysis.lenses import look
from study.reporting import comparison, contrasts, effects, lenses, overview
from study.reporting.overview import Overview
from study.reporting.workers import Worker


def printed(drawn: RenderableType, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(drawn)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def answer() -> Answer:
    return analyse(measure(BRANCH, 64), BRANCH.space, seed=0, jobs=1)


def a_trial(number: int) -> Trial:
    parameters = {"optimizer": "adam", "activation": "tanh", "optimizer.adam.lr": 0.001}
    return Trial(
        number, "COMPLETE", "measure", number, 0, 1, parameters, 0.5, {}, {}, 1.25, {}
    )  # fmt: skip


def an_overview() -> Overview:
    return Overview(
        "digits-mlp", "accuracy", "digits", "mlp:small", {"measure": Progress(1, 2, 3)},
        {"COMPLETE": 3, "INTERRUPTED": 1}, 1, a_trial(2), 1.25,
        tuple(a_trial(number) for number in range(3)), {"optimizer": "sgd", "activation": "relu"},
        (Worker("far", 17, "cuda:1", "measure 3", 2, 41.0, "silent"),), {"out of memory": 2},
    )  # fmt: skip


@pytest.mark.parametrize("width", [80, 120])
def test_the_live_table_keeps_all_its_columns(width: int) -> None:
    text = printed(overview.draw_live(an_overview(), 2), width)
    heading, first = text.splitlines()[:2]
    for word in ("trial", "phase", "state", "accuracy", "time", "options"):
        assert word in heading
    for word in ("#0", "measure", "complete", "0.5000", "1.2 s", "optimizer=adam"):
        assert word in first
    assert max(map(len, text.splitlines())) <= width


def test_status_names_what_was_interrupted_who_is_silent_and_what_failed() -> None:
    text = printed(overview.draw(an_overview()))
    assert "interrupted 1" in text
    assert "failed 2: out of memory" in text
    (line,) = (line for line in text.splitlines() if "far:17" in line)
    for word in ("cuda:1", "measure 3", "41 s ago", "silent"):
        assert word in line
    document = overview.as_document(an_overview())
    assert document["runs"] == {"total": 6, "done": 3}


def test_effects_and_lenses_are_drawn_whole(answer: Answer) -> None:
    seen = look(measure(BRANCH, 64), BRANCH.space, seed=0, jobs=1)
    for text in (
        printed(effects.draw(answer, "accuracy")),
        printed(lenses.draw(seen, answer)),
    ):
        assert max(map(len, text.splitlines())) <= 80
        assert "…" not in text
        assert "opt" in text and "z" in text
    text = printed(effects.draw(answer, "accuracy"))
    assert "baseline" in text
    assert "█" in text


def test_studies_that_agree_differ_in_nothing(answer: Answer) -> None:
    found = compare({"one": answer, "other": answer})
    assert {name: one["one"].share for name, one in found.factors.items()} == {
        factor.name: factor.share for factor in answer.factors
    }
    assert all(one.p_value == 1 for one in found.differences)
    text = printed(comparison.draw(found))
    assert "no difference between these studies is more than noise" in text


def test_a_factor_that_weighs_more_is_named(answer: Answer) -> None:
    first = answer.factors[0]
    lighter = answer._replace(factors=(first._replace(share=0.05, error=0.01), *answer.factors[1:]))
    text = printed(comparison.draw(compare({"one": answer, "other": lighter})))
    assert f"{first.name} weighs more in one than in other" in " ".join(text.split())


def test_studies_without_a_common_factor_are_refused(answer: Answer) -> None:
    other = answer._replace(factors=(answer.factors[0]._replace(name="else"),))
    with pytest.raises(ValueError, match="no factor in common"):
        compare({"one": answer, "other": other})


def test_a_confirmation_is_drawn_with_its_standing() -> None:
    contrast = Contrast("loss at its baseline", "loss", 5, 3.4, (2.1, 4.7), 0.0004, 1.0)
    found = contrasts.Found(
        "digits-mlp", "accuracy", {"trial 3": 0.97, "trial 9": 0.96},
        Confirmation({}, 5, 0.954, (0.94, 0.968), (contrast,)),
    )  # fmt: skip
    words = " ".join(printed(contrasts.draw(found, "recommend")).split())
    assert "best configuration: trial 3 test accuracy 0.9540 (0.9400 to 0.9680)" in words
    assert "loss at its baseline 5 +3.40 +2.10 to +4.70 < 0.001 confirmed" in words
