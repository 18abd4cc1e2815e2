"""Test the words of the verdict, and the number of further rows that it asks for."""

from dataclasses import dataclass

import numpy as np
import pytest

from training_factors.study.analysis.shares import Evidence, SeedNoise
from training_factors.study.analysis.verdict import (
    NOT_DISTINGUISHABLE,
    PROBABLE,
    Findings,
    evidence_level,
    judge,
    unexplained_decline,
)

NAMES = ("optimizer", "loss", "split", "dropout")


LITTLE_NOISE = SeedNoise(0.05, 1000)


@dataclass(frozen=True)
class Case:
    """A study of four factors. shown: what its rows show of each; p_values: of each."""

    shown: tuple[float, ...]
    p_values: tuple[float, ...] = (0.001, 0.001, 0.2, 0.9)
    error: float = 0.02
    noise: SeedNoise = LITTLE_NOISE
    rows: int = 128
    decline: float = 0.5

    def findings(self) -> Findings:
        shown = np.array([*self.shown, 0.0])
        evidence = Evidence(
            shown, self.error**2 * np.eye(5), np.maximum(shown, 0), np.array([2, 2, 2, 2, 0]),
            self.noise, seed=0,
        )  # fmt: skip
        p_values = dict(zip(NAMES, self.p_values, strict=True))
        shares = evidence.shares()
        return Findings(NAMES, shares, evidence, p_values, self.rows, 0.04, self.decline)


@pytest.mark.parametrize(
    ("case", "kind", "words", "leaders"),
    [
        (Case((0.6, 0.2, 0.1, 0.0)), "leader", "optimizer matters most (95 % confidence)",
         ["optimizer"]),
        (Case((0.4, 0.38, 0.1, 0.0)), "set",
         "the most important factor is optimizer or loss (95 % confidence), not one of the 2 "
         "others; about ", ["optimizer", "loss"]),
        (Case((0.3, 0.3, 0.3, 0.0), decline=0.05), "set",
         "(95 % confidence), not the other one; ",
         ["optimizer", "loss", "split"]),
        (Case((0.46, 0.46, 0.0, 0.0), error=0.001), "set",
         "more configurations would hardly narrow it", ["optimizer", "loss"]),
        (Case((0.1, 0.05, 0.0, 0.0), p_values=(0.06, 0.2, 1, 1)), "nothing",
         "128 configurations are too few to see what matters: 80 % of the variance is neither", []),
        (Case((0.1, 0.0, 0.0, 0.0), p_values=(1, 1, 1, 1), noise=SeedNoise(0, 0)), "nothing",
         "are too few to see what matters. About 128 more", []),
        (Case((0.02, 0.0, 0.0, 0.0), p_values=(1, 1, 1, 1), noise=SeedNoise(0.97, 1000)), "nothing",
         "no factor moves the objective by more than ", []),
    ],
)  # fmt: skip
def test_the_sentence_follows_from_the_numbers(
    case: Case, kind: str, words: str, leaders: list[str]
) -> None:
    verdict = judge(case.findings())
    assert words in verdict.sentence
    assert verdict.kind == kind
    assert "\n" not in verdict.sentence
    assert set(verdict.leaders) == set(leaders)


def test_nothing_matters_more_than_the_upper_bounds_say() -> None:
    """97 % seed noise: √(0.03 · 0.04) = 0.035, and somewhat more for the estimate's error."""
    case = Case((0.02, 0.0, 0.0, 0.0), (1, 1, 1, 1), noise=SeedNoise(0.97, 10**6), error=0.001)
    highest = case.findings().upper_deviation
    assert 0.02 < highest < 0.036
    assert f"more than {highest:.2g} (standard" in judge(case.findings()).sentence


def test_more_rows_are_asked_for_where_they_narrow_the_set() -> None:
    """The closer two factors are, the more rows it takes to tell which one is first."""
    near, far = (
        judge(Case((0.5, other, 0.0, 0.0), error=0.05).findings()) for other in (0.43, 0.41)
    )
    assert near.more_rows is not None and far.more_rows is not None
    assert near.more_rows > far.more_rows >= 16
    assert near.more_rows % 16 == 0
    assert (
        f"about {near.more_rows:,} more configurations may narrow it to 1 factor" in near.sentence
    )


@pytest.mark.parametrize(
    ("now", "half", "decline"),
    [(0.3, 0.3 * 1.6**0.4, 0.4), (0.3, 0.3, 0.05), (0.3, 0.9, 1.0), (0.0, 0.1, 1.0)],
)
def test_the_decline_of_what_is_unexplained(now: float, half: float, decline: float) -> None:
    assert unexplained_decline(now, half, 0.8) == pytest.approx(decline)


def test_one_rule_says_how_a_factor_stands() -> None:
    assert evidence_level(0.049) == PROBABLE
    assert evidence_level(0.05) == NOT_DISTINGUISHABLE
