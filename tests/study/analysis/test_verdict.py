"""Test the words of the verdict, and the number of further rows that it asks for."""

import pytest

from training_factors.study.analysis.verdict import Contender, GoodnessOfFit, judge


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


def fit_of(r2: float = 0.8, ceiling: float | None = 0.95, rows: int = 128) -> GoodnessOfFit:
    return GoodnessOfFit(r2, ceiling, rows)


FIRST = contender()
UNSURE = contender(p_first=0.61)
BEHIND = contender("split", 0.05, 0.01, tied=False, p_first=0.0)
CLOSE = contender("loss", 0.5, p_first=0.39)
CLOSER = contender("split", 0.59, p_first=0.3)
NO_EFFECT = contender("dropout", 0.58, 0.0, p_value=0.4)


@pytest.mark.parametrize(
    ("contenders", "fit", "kind", "words", "leaders"),
    [
        ([FIRST, BEHIND], fit_of(), "leader",
         "optimizer matters most (ranked first in 98 % of resamples)", ["optimizer"]),
        ([UNSURE, CLOSE], fit_of(), "tie", "optimizer and loss matter most; their order is",
         ["optimizer", "loss"]),
        ([UNSURE, CLOSE], fit_of(), "tie", "about 384 more configurations are needed",
         ["optimizer", "loss"]),
        ([UNSURE, CLOSE, CLOSER], fit_of(), "tie",
         "more configurations would hardly tell them apart", ["optimizer", "loss", "split"]),
        ([UNSURE, NO_EFFECT], fit_of(), "tie", "optimizer has the largest share, but not with",
         ["optimizer"]),
        ([FIRST], fit_of(r2=0.4), "inconclusive",
         "explain 40 % of the variance; at most 95 % is", []),
        ([FIRST, CLOSE], fit_of(r2=0.4), "inconclusive",
         "(optimizer and loss have a significant effect)", []),
        ([FIRST], fit_of(r2=0.4, ceiling=None), "inconclusive",
         "(optimizer has a significant effect): about 128 more", []),
        ([contender(low=0.04)], fit_of(), "inconclusive", "told from the placebo: about 128", []),
        ([contender(p_value=0.1), CLOSE], fit_of(), "inconclusive", "from the placebo", []),
        ([FIRST], fit_of(-0.1, 0.2), "nothing",
         "(128 configurations; the surrogates' R² is -0.10)", []),
        ([NO_EFFECT], fit_of(0.05, 0.2), "nothing", "no effect detected yet; the study", []),
        ([NO_EFFECT], fit_of(0.05, None), "nothing", "no effect detected yet; the study", []),
        ([NO_EFFECT], fit_of(), "inconclusive", "too few to see what matters", []),
        ([FIRST], fit_of(-0.1, 0.9, 32), "inconclusive",
         "32 configurations are too few to see what matters (the surrogates' R² is -0.10; at most "
         "0.90 is possible): about 32", []),
    ],
)  # fmt: skip
def test_the_sentence_follows_from_the_numbers(
    contenders: list[Contender], fit: GoodnessOfFit, kind: str, words: str, leaders: list[str]
) -> None:
    verdict = judge(contenders, 0.05, fit)
    assert verdict.kind == kind
    assert words in verdict.sentence
    assert "\n" not in verdict.sentence
    assert verdict.leaders == tuple(leaders)


@pytest.mark.parametrize(("rows", "more"), [(32, 32), (100, 156), (128, 128), (129, 383)])
def test_doubling_goes_up_to_a_power_of_two(rows: int, more: int) -> None:
    assert fit_of(rows=rows).rows_to_double == more


@pytest.mark.parametrize(
    ("difference", "error", "more"),
    [(0.1, 0.1, 384), (0.1, 0.05, 128), (0.1, 0.2, 1920), (0.02, 0.1, None), (0.0, 0.1, None)],
)
def test_rows_to_separate_follow_from_the_error(
    difference: float, error: float, more: int | None
) -> None:
    """Errors shrink as 1/√rows: 1.645 · 0.1 / 0.1 asks for 2.7 times the rows, so for 4 times."""
    assert fit_of().rows_to_separate(difference, error) == more
