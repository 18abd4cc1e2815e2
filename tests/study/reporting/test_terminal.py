"""The importance table, drawn from hand-written answers."""

import io

import pytest
from rich.console import Console

from training_factors.study.analysis.answer import (
    Answer,
    DivisionNoise,
    FactorImportance,
    Interaction,
    RunCounts,
    SurrogateQuality,
    TopicImportance,
)
from training_factors.study.analysis.verdict import NOT_DISTINGUISHABLE, PROBABLE, Verdict
from training_factors.study.reporting import importance_tables
from training_factors.study.reporting.charts import importance
from training_factors.study.reporting.conclusion import Progress, conclude
from training_factors.study.reporting.dashboard_notes import study_note
from training_factors.study.reporting.frames import variance_frame

LEADS = Verdict("leader", ("optimizer",), "optimizer matters most (95 % confidence)", None)
VERDICTS = {
    "Averaged over all settings, optimizer matters most on digits": LEADS,
    "Averaged over all settings, optimizer or loss matters most on digits": Verdict(
        "set", ("optimizer", "loss"), "…", 128
    ),
    "Averaged over all settings, a, b or 3 others matters most on digits": Verdict(
        "set", ("a", "b", "c", "d", "e"), "…", 128
    ),
    "No effect detected on digits in 140 runs": Verdict("nothing", (), "…", 128),
}


def factor(name: str, share: float, low: float, high: float) -> FactorImportance:
    return FactorImportance(
        name, f"topic of {name}", share, (low, high), 0.8 * share, share, share, 100 * share,
        p_value=0.001 if low > 0 else 0.5, p_first=share, gain=4.5, gain_interval=(1.0, 8.0),
        best_option="adam", range=9.0, verdict=PROBABLE if low > 0 else NOT_DISTINGUISHABLE,
        error=0.05, hyperparameters=(),
    )  # fmt: skip


def answer(verdict: Verdict = LEADS, seed_noise: float | None = 0.05) -> Answer:
    factors = (
        factor("optimizer", 0.7, 0.6, 0.8),
        factor("loss", 0.29, 0.2, 0.38),
        factor("augment_corruption", 0.01, 0, 0.06),
    )
    topics = (
        TopicImportance("learning", ("optimizer", "loss"), 0.98, (0.9, 1.0), 0.7, 0.98, 0.98, 31.0),
    )
    placebo = factor("placebo", 0.001, 0, 0.02)
    counts, quality = (
        RunCounts(128, 140, 0.1, 0.2),
        SurrogateQuality(0.8, 0.95, (("gradient boosting", 0.8, 1.0),)),
    )
    pair = Interaction(("optimizer", "loss"), 0.04, (0.01, 0.07))
    return Answer(
        counts, quality, factors, topics, placebo, (pair,), (), seed_noise, 0.8, 0.15, verdict
    )


def test_an_answer_without_a_placebo_says_nothing_of_one() -> None:
    """An Optuna study of another program has none."""
    without = answer()._replace(placebo=None)
    assert "placebo" in printed(answer())
    assert "placebo" not in printed(without)
    assert "placebo" in noted(answer())
    assert "placebo" not in noted(without)
    drawn = importance.chart(without, "digits", "accuracy")
    assert "placebo" not in drawn.note
    assert len(drawn.panels[0].y.names) == len(answer().factors)


def test_the_noise_of_the_division_is_a_note_where_it_was_measured() -> None:
    noise = DivisionNoise(0.2, (0.0, 0.6), 6.0, (0.0, 10.4), rows=4, runs=8)
    for shown in (printed(answer()), noted(answer())):
        assert "nother division" not in shown
    measured = answer()._replace(division_noise=noise)
    words = " ".join(printed(measured).split())
    assert "division Another division of the data into training and validation part" in words
    assert "20.0 % (0.0 to 60.0 %) of the variance between configurations" in words
    assert "Another division of the data" in noted(measured)
    frame = variance_frame(measured)
    assert frame["share"].iloc[:3].sum() == pytest.approx(1)
    assert list(frame.loc["division"]) == [0.2, 0.0, 0.6, 6.0, 0.0, 10.4]


def noted(found: Answer) -> str:
    return study_note(
        conclude(found, "", None, None, "accuracy", Progress(1, 1)), found, "study", "accuracy"
    )


def printed(drawn: Answer) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(importance_tables.draw_importance(drawn, "accuracy"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_is_plain_text_of_at_most_80_columns() -> None:
    text = printed(answer())
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 80
    words = " ".join(text.split())
    assert words.startswith(LEADS.sentence)
    assert "optimizer 70.0 % 60.0 to 80.0 ━" in words
    assert "● 70.0" not in words
    assert "Not distinguishable (dim): augment_corruption." in words
    assert "where 80 % comes from, 5 % is seed noise, and 15 % is not explained yet;" in words
    assert "128 configurations were measured in 140 runs; 10 % of them diverged" in words
    assert "20 % were no better than chance: they diverged, or reached" in words
    assert "learning 98.0 %" in words
    assert "optimizer × loss 4.0 % (1.0 to 7.0)" in words


def test_topics_of_one_factor_each_are_not_repeated() -> None:
    single = TopicImportance("optimizer", ("optimizer",), 0.98, (0.9, 1.0), 0.7, 0.98, 0.98, 31.0)
    assert "topic" not in printed(answer()._replace(topics=(single,), seed_noise=None))


@pytest.mark.parametrize(
    ("share", "shown", "high", "drawn"),
    [
        (0.5, 0.3, 0.6, "━━━━───●┤"),
        (1.0, 0.9, 1.0, "━━━━━━━━━━━━━─●"),
        (0.0, -0.01, 0.0, "●"),
        (0.0, 0.0, 0.2, "●──┤"),
    ],
)
def test_a_bar_shows_what_is_shown_and_how_far_it_may_reach(
    share: float, shown: float, high: float, drawn: str
) -> None:
    assert importance_tables.interval_bar(share, shown, (0.0, high), 1.0) == drawn


def test_no_bar_is_longer_than_its_column() -> None:
    assert (
        len(importance_tables.interval_bar(0.7, 0.5, (0.6, 0.8), 0.8))
        == importance_tables.BAR_WIDTH
    )
    assert importance_tables.interval_bar(0.0, 0.0, (0.0, 0.0), 0.0) == "●"
