"""Answers of a blend to questions, and how sure they are: from half-samples and disagreement."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from joblib import delayed
from numpy.typing import NDArray

from training_factors.study.analysis.blend import Blend, Rows, run_all
from training_factors.study.analysis.sensitivity import Estimand
from training_factors.study.analysis.surrogates import Fit, Values

Interval = tuple[float, float]

HALVES = 50


def draw_halves(rows: int, seed: int) -> NDArray[np.int64]:
    """Random halves of the rows without replacement: (halves, rows // 2).

    Ordinary bootstrap samples repeat rows, which tree surrogates take for certainty: intervals
    from them covered 0.5 instead of 0.95, from halves 0.93 (256 rows, 8 simulated studies).
    """
    random = np.random.default_rng((seed, 17))
    return np.array([np.sort(random.permutation(rows)[: rows // 2]) for _ in range(HALVES)])


def first_probability(shares: Values) -> Values:
    """P(first): in which part of the halves each group has the largest share."""
    return np.bincount(shares.argmax(axis=1), minlength=shares.shape[1]) / len(shares)


def ahead_probability(shares: Values) -> Values:
    """P(g > h): in which part of the halves group g has a larger share than h: (g, h)."""
    ahead: Values = (shares[:, :, None] > shares[:, None, :]).mean(axis=0)
    return ahead


CHUNKS = 10
"""Parts into which the half-samples are divided, so that no process waits long for another."""


class Question(NamedTuple):
    """The same question twice: at many points, and at few for the many half-samples."""

    fine: Estimand
    coarse: Estimand


class Estimate(NamedTuple):
    """Answers to a question: value (n,), of every half-sample (halves, n), of members (m, n)."""

    value: Values
    halves: Values
    members: Values
    weights: Values

    @property
    def error(self) -> Values:
        """√(spread over half-samples² + disagreement of the members²): (n,).

        For samples of half the rows the spread needs no rescaling (delete-half jackknife, Shao &
        Wu, 1989). Disagreement is the members' weighted standard deviation: half their
        difference, for two of equal weight.
        """
        centre = self.weights @ self.members
        disagreement = self.weights @ (self.members - centre) ** 2
        errors: Values = np.sqrt(self.halves.var(axis=0, ddof=1) + disagreement)
        return errors

    def minus(self, subtracted: NDArray[np.int64]) -> "Estimate":
        """Every answer less another one of the same surrogate: of number subtracted[i]."""
        return Estimate(
            self.value - self.value[subtracted],
            self.halves - self.halves[:, subtracted],
            self.members - self.members[:, subtracted],
            self.weights,
        )

    def intervals(self, low: float = 0.0, high: float = 1.0) -> tuple[Interval, ...]:
        """95 % intervals, value ± 1.96 errors, within the bounds."""
        reach = 1.96 * self.error
        return tuple(
            (max(low, float(value - width)), min(high, float(value + width)))
            for value, width in zip(self.value, reach, strict=True)
        )


def estimate(blend: Blend, rows: Rows, questions: Sequence[Question], jobs: int) -> list[Estimate]:
    """Answer questions, and answer them again from a blend of every half of the rows.

    All halves are seen through the same few points: what these get wrong on the whole blend, where
    many points are affordable, is taken off every half.
    """
    coarse = [question.coarse for question in questions]
    of_halves = _answers_of_halves(blend, rows, coarse, jobs)
    estimates = []
    for question, halved in zip(questions, of_halves, strict=True):
        value, members = _answer(blend, question.fine)
        seen, _ = _answer(blend, question.coarse)
        estimates.append(Estimate(value, halved + value - seen, members, blend.weights))
    return estimates


def _answer(blend: Blend, asked: Estimand) -> tuple[Values, Values]:
    """Of the blend, and of every member."""
    outputs = blend.each(asked.features)
    return asked.of(blend.weights @ outputs), np.array([asked.of(own) for own in outputs])


def _answers_of_halves(
    blend: Blend, rows: Rows, asked: Sequence[Estimand], jobs: int
) -> list[Values]:
    parts = draw_halves(len(rows.values), rows.seed)
    counted = [(member.refit, member.weight) for member in blend.members if member.weight > 0]
    tasks = [
        delayed(_answers)(counted, rows, asked, parts[chunk], rows.seed + chunk)
        for chunk in np.array_split(np.arange(len(parts)), CHUNKS)
    ]
    done: list[list[Values]] = run_all(tasks, jobs, len(rows.values))
    return [np.concatenate(chunks) for chunks in zip(*done, strict=True)]


def _answers(
    members: Sequence[tuple[Fit, float]],
    rows: Rows,
    asked: Sequence[Estimand],
    parts: NDArray[np.int64],
    seeds: NDArray[np.int64],
) -> list[Values]:
    found: list[list[Values]] = [[] for _ in asked]
    for part, seed in zip(parts, seeds, strict=True):
        half = rows.some(part, int(seed))
        fitted = [(fit(*half), weight) for fit, weight in members]
        for answers, estimand in zip(found, asked, strict=True):
            outputs = sum(weight * predict(estimand.features) for predict, weight in fitted)
            answers.append(estimand.of(np.asarray(outputs)))
    return [np.array(answers) for answers in found]
