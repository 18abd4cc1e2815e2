import pytest

from study.analysis.answer import Factor
from study.analysis.verdict import Fitness, judge


def factor(share: float = 0.6, low: float = 0.5, p_first: float = 0.98) -> Factor:
    return Factor("optimizer", "optimizer", share, (low, 0.7), 0.5, 0.6, 9.0, p_first)


def fitness(r2: float = 0.8, ceiling: float | None = 0.95, rows: int = 128) -> Fitness:
    return Fitness(r2, ceiling, rows)


ALONE = ["optimizer"]
PAIR = ["optimizer", "loss"]
TRIO = ["optimizer", "loss", "split"]


@pytest.mark.parametrize(
    ("leader", "tied", "fit", "kind", "words"),
    [
        (factor(), ALONE, fitness(), "leader", "optimizer matters most (first in 98 % of half"),
        (factor(p_first=0.61), PAIR, fitness(), "tie", "optimizer and loss matter most, in no"),
        (factor(p_first=0.61), TRIO, fitness(), "tie", "optimizer, loss and split matter most"),
        (factor(p_first=0.96), PAIR, fitness(), "tie", "run 128 more rows to tell them apart"),
        (factor(), ALONE, fitness(r2=0.4), "inconclusive", "explain 0.40 of the variance where"),
        (factor(), ALONE, fitness(r2=0.4, ceiling=None), "inconclusive", "variance: run 128 more"),
        (factor(low=0.04), ALONE, fitness(), "inconclusive", "reaches the placebo's: run 128"),
        (factor(), ALONE, fitness(-0.1, 0.2), "nothing", "(128 rows, R² -0.10)"),
        (factor(share=0.05), ALONE, fitness(), "nothing", "nothing matters here that these runs"),
        (factor(), ALONE, fitness(-0.1, 0.9, 32), "nothing", "R² -0.10): run 32 more rows"),
    ],
)
def test_the_words_follow_the_numbers(
    leader: Factor, tied: list[str], fit: Fitness, kind: str, words: str
) -> None:
    verdict = judge(leader, tied, 0.05, fit)
    assert verdict.kind == kind
    assert words in verdict.sentence
    assert "\n" not in verdict.sentence
    assert (verdict.leaders == tuple(tied)) == (kind in ("leader", "tie"))


@pytest.mark.parametrize(("rows", "more"), [(32, 32), (100, 156), (128, 128), (129, 383)])
def test_more_rows_are_as_many_again_up_to_a_power_of_two(rows: int, more: int) -> None:
    assert fitness(rows=rows).more_rows == more
