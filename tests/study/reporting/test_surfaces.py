"""Test that verdict, evidence and numbers are the same on all screens, for many kinds of study."""

import io
import json
import re
from collections.abc import Callable
from html import unescape
from typing import NamedTuple

import numpy as np
import pytest
from rich.console import Console, RenderableType

from tests.support.reports import COMMANDS, report_of, simulated_space
from tests.support.session import once_per_session
from tests.support.simulations import Array, Simulation, simulate_trials
from training_factors.storage.trials import Trial
from training_factors.study.analysis.verdict import PROBABLE, SIGNIFICANT
from training_factors.study.reporting import frames, importance_tables, page
from training_factors.study.reporting.chart_list import charts_of
from training_factors.study.reporting.charts import importance
from training_factors.study.reporting.dashboard_notes import dashboard_figure, study_note
from training_factors.study.reporting.effects_table import draw_effects, effects_document
from training_factors.study.reporting.formatting import percent, percents
from training_factors.study.reporting.recommendation_table import draw_settings
from training_factors.study.reporting.report import Report

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
    "unfinished": Case(EQUAL, rows=29),
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
    kept: list[Trial] = scaled[:-3] if name == "unfinished" else scaled
    return report_of(kept, "r2" if name in ("regression", "unbounded") else "accuracy")


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
    assert found.answer is not None and found.summary is not None
    verdict = found.answer.verdict
    document = importance_tables.summary_document(found.summary)
    assert document["verdict"]["sentence"] == verdict.sentence
    console = printed(importance_tables.draw_importance(found.answer))
    assert verdict.sentence in " ".join(re.sub(r"\x1b\[[0-9;]*m", "", console).split())
    assert verdict.sentence in study_note(found.answer, "s", "accuracy")
    text = unescape(page.render_page(found, charts_of(found), COMMANDS))
    assert verdict.sentence in text
    title = dashboard_figure(found.answer, "accuracy")["layout"]["title"]["text"].replace(
        "<br>", " "
    )
    assert title == verdict.sentence
    assert (verdict.kind == "nothing") == (not verdict.leaders)
    assert (verdict.kind == "leader") == (len(verdict.leaders) == 1)
    any_effect = any(factor.p_value < SIGNIFICANT for factor in found.answer.factors)
    assert any_effect == (verdict.kind != "nothing")
    for name in verdict.leaders:
        assert (
            name in importance.chart(found.answer, "", "accuracy").title or len(verdict.leaders) > 3
        )


def test_a_factor_stands_the_same_everywhere(found: Report) -> None:
    assert found.answer is not None and found.summary is not None and found.advice is not None
    rows = importance_tables.summary_document(found.summary)["factors"]
    panel = importance.chart(found.answer, "", "accuracy").panels[0]
    gray = {panel.y.names[i] for i in panel.y.gray}
    advised = {one.factor: one.evidence_level for one in found.advice.settings}
    effects = printed(draw_effects(found.answer, "accuracy"))
    note = study_note(found.answer, "s", "accuracy")
    for factor, row in zip(found.answer.factors, rows, strict=True):
        significant = factor.p_value < SIGNIFICANT
        assert (factor.verdict == PROBABLE) == significant
        assert row["verdict"] == factor.verdict == advised[factor.name]
        assert (factor.name in gray) == (not significant)
        assert bool(re.search(rf"\x1b\[1m{factor.name} *\x1b", effects)) == significant
        assert (f"**{factor.name}**" in note.partition("| factor |")[2]) == significant


def test_effects_are_shown_everywhere_or_nowhere(found: Report) -> None:
    assert found.answer is not None and found.summary is not None and found.advice is not None
    answer = found.answer
    has_effects = answer.surrogate.r2 > 0
    charts = charts_of(found)
    document = importance_tables.summary_document(found.summary)
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
        study_note(answer, "s", "accuracy"),
        unescape(page.render_page(found, charts, COMMANDS)),
    ):
        assert ("predict nothing yet (R² -" in " ".join(text.split())) == (not has_effects)


def test_numbers_are_the_same_everywhere_and_add_up(found: Report) -> None:
    assert found.answer is not None and found.summary is not None
    answer = found.answer
    table = {row[0]: row for row in importance.chart(answer, "", "accuracy").table.rows}
    text = printed(importance_tables.draw_importance(answer))
    note = study_note(answer, "s", "accuracy")
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
    json.dumps(importance_tables.summary_document(found.summary), allow_nan=False)
