import pytest

from training_factors.study.analysis.verdict import Contender, Fitness, judge


def contender(
    name: str = "optimizer",
    share: float = 0.6,
    low: float = 0.5,
    p_value: float = 0.001,
    p_first: float = 0.98,
    tied: bool = True,
    error: float = 0.1,
) -> Contender:
    return Contender(name, share, (low, 0.7), p_value, p_first, tied, error)


def fitness(r2: float = 0.8, ceiling: float | None = 0.95, rows: int = 128) -> Fitness:
    return Fitness(r2, ceiling, rows)


FIRST = contender()
UNSURE = contender(p_first=0.61)
BEHIND = contender("split", 0.05, 0.01, tied=False, p_first=0.0)
CLOSE = contender("loss", 0.5, p_first=0.39)
CLOSER = contender("split", 0.59, p_first=0.3)
NO_EFFECT = contender("dropout", 0.58, 0.0, p_value=0.4)


@pytest.mark.parametrize(
    ("contenders", "fit", "kind", "words", "leaders"),
    [
        ([FIRST, BEHIND], fitness(), "leader", "optimizer matters most (first in 98 % of half",
         ["optimizer"]),
        ([UNSURE, CLOSE], fitness(), "tie", "optimizer and loss matter most, in no",
         ["optimizer", "loss"]),
        ([UNSURE, CLOSE], fitness(), "tie", "run 384 more rows", ["optimizer", "loss"]),
        ([UNSURE, CLOSE, CLOSER], fitness(), "tie", "more rows would hardly tell them apart",
         ["optimizer", "loss", "split"]),
        ([UNSURE, NO_EFFECT], fitness(), "tie", "optimizer comes first, but not for certain",
         ["optimizer"]),
        ([FIRST], fitness(r2=0.4), "inconclusive", "explain 0.40 of the variance where", []),
        ([FIRST], fitness(r2=0.4, ceiling=None), "inconclusive",
         "(optimizer did something): run 128 more rows", []),
        ([contender(low=0.04)], fitness(), "inconclusive", "told from the placebo: run 128", []),
        ([contender(p_value=0.1), CLOSE], fitness(), "inconclusive", "from the placebo", []),
        ([FIRST], fitness(-0.1, 0.2), "nothing", "(128 rows, R² -0.10)", []),
        ([NO_EFFECT], fitness(0.05, 0.2), "nothing", "nothing matters here that these runs", []),
        ([NO_EFFECT], fitness(0.05, None), "nothing", "nothing matters here that these runs", []),
        ([NO_EFFECT], fitness(), "inconclusive", "too few to see what matters", []),
        ([FIRST], fitness(-0.1, 0.9, 32), "inconclusive",
         "32 rows are too few to see what matters (R² -0.10 where at most 0.90 could be): run 32",
         []),
    ],
)  # fmt: skip
def test_the_words_follow_the_numbers(
    contenders: list[Contender], fit: Fitness, kind: str, words: str, leaders: list[str]
) -> None:
    verdict = judge(contenders, 0.05, fit)
    assert verdict.kind == kind
    assert words in verdict.sentence
    assert "\n" not in verdict.sentence
    assert verdict.leaders == tuple(leaders)


@pytest.mark.parametrize(("rows", "more"), [(32, 32), (100, 156), (128, 128), (129, 383)])
def test_more_rows_are_as_many_again_up_to_a_power_of_two(rows: int, more: int) -> None:
    assert fitness(rows=rows).doubled == more


@pytest.mark.parametrize(
    ("difference", "error", "more"),
    [(0.1, 0.1, 384), (0.1, 0.05, 128), (0.1, 0.2, 1920), (0.02, 0.1, None), (0.0, 0.1, None)],
)
def test_rows_to_settle_follow_from_the_error(
    difference: float, error: float, more: int | None
) -> None:
    """Errors shrink as 1/√rows: 1.645 · 0.1 / 0.1 asks for 2.7 times the rows, so for 4 times."""
    assert fitness().settling(difference, error) == more
