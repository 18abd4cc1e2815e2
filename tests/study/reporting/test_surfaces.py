"""Test that verdict, evidence and numbers are the same on all screens, for many kinds of study."""

import io
import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from rich.console import Console, RenderableType

from tests.support.reports import COMMANDS, report_of, simulated_space
from tests.support.session import once_per_session
from tests.support.simulations import Array, Simulation, simulate_trials
from training_factors.storage.trials import Trial
from training_factors.study.analysis.contrasts import (
    Confirmation,
    ConfirmedPath,
    Contrast,
    PathStep,
)
from training_factors.study.analysis.verdict import CONFIRMED, PROBABLE, SIGNIFICANT
from training_factors.study.reporting import frames, importance_tables, page, status, summary
from training_factors.study.reporting.chart_list import charts_of
from training_factors.study.reporting.charts import importance
from training_factors.study.reporting.dashboard_notes import dashboard_figure, study_note
from training_factors.study.reporting.effects_table import draw_effects, effects_document
from training_factors.study.reporting.formatting import percent, percents
from training_factors.study.reporting.recommendation_table import draw_settings
from training_factors.study.reporting.report import Report
from training_factors.study.reporting.status import describe_best

ALONE, EQUAL, PAIR, NOTHING = (
    lambda u: 0.2 + 0.6 * (u[:, 1] > 0.4),
    lambda u: 0.2 + 0.3 * (u[:, 0] > 0.5) + 0.3 * (u[:, -2] > 0.5),
    lambda u: 0.2 + 0.6 * ((u[:, 0] > 0.5) ^ (u[:, -2] > 0.5)),
    lambda u: np.full(len(u), 0.5),
)


class Case(NamedTuple):
    """A study: accuracy over the unit cube, its rows, and the noise of its seeds."""

    function: Callable[[Array], Array]
    rows: int = 24
    noise: float = 0.05
    repeats: int = 8
    scale: float = 1.0
    left: int = 0
    confirm: Callable[[Trial], Confirmation] | None = None
    model: str = "mlp:small"


def confirmed_drops(**drops: float) -> Callable[[Trial], Confirmation]:
    """Return a function that confirms a trial: factor -> drop, 0 for one that is not confirmed."""

    def confirm(best: Trial) -> Confirmation:
        contrasts = [
            Contrast(
                f"{name} at its baseline", name, 5, drop, (drop - 1, drop + 1),
                0.001 if drop else 1.0, 1.0,
            )
            for name, drop in drops.items()
        ]  # fmt: skip
        placebo = Contrast("placebo moved", "placebo", 5, 0.0, (0.0, 0.0), 1.0, 0.5)
        return Confirmation(dict(best.parameters), 3, 0.91, (0.9, 0.92), (*contrasts, placebo))

    return confirm


CASES = {
    "one leader": Case(ALONE, rows=48),
    "few rows": Case(ALONE, rows=16),
    "without repeats": Case(ALONE, repeats=0),
    "tied": Case(EQUAL, rows=48),
    "an interaction alone": Case(PAIR, rows=40),
    "nothing, with repeats": Case(NOTHING, noise=0.01, repeats=16),
    "nothing, without repeats": Case(NOTHING, noise=0.01, repeats=0),
    "R² below 0": Case(ALONE, rows=20, noise=20.0),
    "more noise than effect": Case(EQUAL, rows=40, noise=2.0),
    "unfinished": Case(EQUAL, rows=29, left=12),
    "confirmed": Case(ALONE, rows=48, confirm=confirmed_drops(optimizer=4.0, activation=1.0)),
    "confirmed otherwise": Case(ALONE, rows=48, confirm=confirmed_drops(residual=3.0, optimizer=0)),
    "nothing confirmed": Case(EQUAL, rows=48, confirm=confirmed_drops(optimizer=0, residual=0)),
    "own model": Case(EQUAL, rows=48, model="my_net.py:Net"),
    "regression": Case(ALONE, scale=0.3),
    "unbounded": Case(EQUAL, scale=-40.0),
}


@once_per_session
def surface_report(name: str) -> Report:
    case = CASES[name]
    space = simulated_space()
    trials = simulate_trials(
        Simulation(space, case.function), case.rows, noise=case.noise, repeats=case.repeats
    )
    scaled = [trial._replace(value=case.scale * (trial.value or 0.0)) for trial in trials]
    objective = "r2" if name in ("regression", "unbounded") else "accuracy"
    found = report_of(scaled, objective, left=case.left, confirm=case.confirm)
    stamp = found.stamp._replace(model=case.model)
    return found._replace(stamp=stamp, status=found.status._replace(model=case.model))


def test_a_larger_step_of_the_path_that_is_not_significant_is_named() -> None:
    steps = (
        PathStep("optimizer", {"optimizer": "adam"}, 0.8, (0.7, 0.9), 40.0, (5.0, 75.0), 0.2),
        PathStep("residual", {"residual": "residual"}, 0.9, (0.88, 0.92), 9.0, (5.0, 13.0), 0.01),
    )

    def confirm(best: Trial) -> Confirmation:
        path = ConfirmedPath(5, 0.4, (0.3, 0.5), steps, 50.0, (45.0, 55.0))
        return confirmed_drops(optimizer=0, residual=0)(best)._replace(path=path)

    trials = simulate_trials(Simulation(simulated_space(), EQUAL), 24, noise=0.05, repeats=4)
    assert (
        "of the significant steps residual adds most to test accuracy: +9.0 points (95 % interval "
        "+5.0 to +13.0); optimizer adds +40.0 in these runs, but the interval is wide, +5.0 to "
        "+75.0, and it is not significant"
    ) in report_of(trials, "accuracy", confirm=confirm).conclusion.sentence


def printed(drawn: RenderableType) -> str:
    """Return what a terminal shows, with its colours and styles."""
    console = Console(file=io.StringIO(), width=160, force_terminal=True, color_system="standard")
    console.print(drawn)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture(params=CASES)
def found(request: pytest.FixtureRequest) -> Report:
    return surface_report(request.param)


def test_the_verdict_is_the_same_everywhere(found: Report) -> None:
    assert found.answer is not None
    verdict, conclusion = found.answer.verdict, found.conclusion
    document = summary.report_document(found)
    assert document["verdict"]["sentence"] == verdict.sentence
    assert document["conclusion"]["sentence"] == conclusion.sentence
    assert conclusion.is_confirmed == (found.confirmation is not None)
    assert verdict.sentence == (conclusion.averaged or conclusion.sentence)
    for words in screens(found).values():
        assert conclusion.sentence in words and conclusion.as_of in words
        assert verdict.sentence in words
    layout = dashboard_figure(conclusion, found.answer, found.objective)["layout"]
    assert layout["title"]["text"].replace("<br>", " ") == conclusion.dated_sentence
    assert (verdict.kind == "nothing") == (not verdict.leaders)
    assert (verdict.kind == "leader") == (len(verdict.leaders) == 1)
    any_effect = any(factor.p_value < SIGNIFICANT for factor in found.answer.factors)
    assert any_effect == (verdict.kind != "nothing")
    for name in verdict.leaders:
        assert (
            name in importance.chart(found.answer, "", "accuracy").title or len(verdict.leaders) > 4
        )


def screens(found: Report) -> dict[str, str]:
    """Return what terminal, page and dashboard say about a study, without their markup."""
    assert found.answer is not None
    terminal = re.sub(
        r"\x1b\[[0-9;]*m", "", printed(summary.draw_summary(found, Path("importance.png"), {}))
    )
    note = study_note(found.conclusion, found.answer, "s", found.objective)
    html = page.render_page(found, charts_of(found), COMMANDS)
    html = html[: html.index('<details class="section"')]
    return {
        "terminal": " ".join(terminal.split()),
        "page": " ".join(unescape(re.sub(r"<[^>]+>", "", html[html.index("<main>") :])).split()),
        "dashboard": note.replace("\\", ""),
    }


def test_the_best_configuration_is_the_same_everywhere(found: Report) -> None:
    best, interval = found.require_best(), found.conclusion.interval
    words = describe_best(best, found.objective, interval)
    for name, screen in screens(found).items():
        assert words.replace("_", "") in screen.replace("_", ""), name
    document = summary.report_document(found)
    assert best.trial is not None and found.advice is not None
    assert document["best"]["trial"] == document["conclusion"]["best"]["trial"] == best.trial.number
    assert found.advice.source == words
    assert status.status_document(found.status)["best"]["trial"] == best.trial.number
    assert best.name in printed(status.draw_status(found.status))
    chosen = {one.factor: one.option for one in found.advice.settings}
    assert all(document["best"]["parameters"][name] == chosen[name] for name in chosen)


def test_where_share_and_confirmed_effect_disagree_a_sentence_says_why() -> None:
    agreeing, other, nothing = (
        surface_report(name).conclusion
        for name in ("confirmed", "confirmed otherwise", "nothing confirmed")
    )
    assert agreeing.disagreement == ""
    assert agreeing.sentence.startswith("confirmed: optimizer has the largest effect")
    assert "then activation 1.00" in agreeing.sentence
    assert other.sentence.startswith("confirmed: residual has")
    assert other.disagreement.startswith("optimizer has a share of")
    assert "averages over all settings" in other.disagreement
    assert nothing.sentence.startswith("no effect is confirmed")
    for found in (other, nothing):
        report = "confirmed otherwise" if found is other else "nothing confirmed"
        assert all(
            found.disagreement in words for words in screens(surface_report(report)).values()
        )


def test_a_factor_stands_the_same_everywhere(found: Report) -> None:
    assert found.answer is not None and found.advice is not None
    rows = summary.report_document(found)["factors"]
    panel = importance.chart(found.answer, "", "accuracy").panels[0]
    gray = {panel.y.names[i] for i in panel.y.gray}
    advised = {one.factor: one.evidence_level for one in found.advice.settings}
    effects = printed(draw_effects(found.answer, "accuracy"))
    note = study_note(found.conclusion, found.answer, "s", "accuracy")
    for factor, row in zip(found.answer.factors, rows, strict=True):
        significant = factor.p_value < SIGNIFICANT
        assert (factor.verdict == PROBABLE) == significant
        assert row["verdict"] == found.conclusion.evidence[factor.name] == advised[factor.name]
        confirmed = found.confirmation is not None and found.confirmation.confirms(factor.name)
        assert row["verdict"] == (CONFIRMED if confirmed else factor.verdict)
        assert (factor.name in gray) == (not significant)
        assert bool(re.search(rf"\x1b\[1m{factor.name} *\x1b", effects)) == significant
        assert (f"**{factor.name}**" in note.partition("| factor |")[2]) == significant


def test_effects_are_shown_everywhere_or_nowhere(found: Report) -> None:
    assert found.answer is not None and found.advice is not None
    answer = found.answer
    has_effects = answer.surrogate.r2 > 0
    charts = charts_of(found)
    document = summary.report_document(found)
    assert all((row["gain"] is not None) == has_effects for row in document["factors"])
    assert ("gains" in charts) == has_effects
    assert any(name.startswith("effects.") for name in charts) == has_effects
    assert bool(effects_document(answer, "s")["effects"]) == has_effects
    assert any(one.gain is not None for one in found.advice.settings) == has_effects
    assert frames.factors_frame(answer)["gain"].notna().any() == has_effects
    assert frames.effects_frame(answer).empty == (not has_effects)
    for text in (
        printed(draw_effects(answer, "accuracy")),
        printed(draw_settings(found.advice)),
        printed(importance_tables.draw_importance(answer)),
        study_note(found.conclusion, answer, "s", "accuracy"),
        unescape(page.render_page(found, charts, COMMANDS)),
    ):
        assert ("predict nothing yet (R² -" in " ".join(text.split())) == (not has_effects)


def test_numbers_are_the_same_everywhere_and_add_up(found: Report) -> None:
    assert found.answer is not None
    answer = found.answer
    table = {row[0]: row for row in importance.chart(answer, "", "accuracy").table.rows}
    text = printed(importance_tables.draw_importance(answer))
    note = study_note(found.conclusion, answer, "s", "accuracy")
    for factor in answer.factors_and_placebo:
        share, interval = percent(factor.share), percents(factor.interval)
        assert table[factor.name][1:3] == (share, interval)
        assert f"{share} %" in text and interval in text
        assert f"| {share} % | {interval} |" in note
        low, high = factor.interval
        assert 0 <= low <= factor.share <= high <= 1
    shown = sum(factor.shown for factor in answer.factors_and_placebo)
    if 0 < answer.explained < 1:
        assert shown == pytest.approx(answer.explained, abs=1e-4)
    parts = answer.explained + (answer.seed_noise or 0.0) + answer.unexplained
    assert parts == pytest.approx(1, abs=1e-4)
    json.dumps(summary.report_document(found), allow_nan=False)
