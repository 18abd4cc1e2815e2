"""Put what a study has found so far into the same words for every screen.

A conclusion starts from the confirmation once there is one, and from the measured runs before.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from training_factors.study.analysis.answer import Answer, FactorImportance, as_plain
from training_factors.study.analysis.best_configuration import BestConfiguration
from training_factors.study.analysis.contrasts import Confirmation, ConfirmedPath, Contrast
from training_factors.study.analysis.intervals import Interval
from training_factors.study.analysis.recommendation import evidence_for
from training_factors.study.analysis.seed_mean import SeedMean
from training_factors.study.analysis.verdict import CONFIRMED, NOT_DISTINGUISHABLE, PROBABLE
from training_factors.study.reporting.formatting import Unit, percent, plural, unit_of

LISTED_FACTORS = 3
"""Number of further factors with a confirmed effect that the sentence names."""

LISTED_NOISE = 4
"""Maximum number of factors without evidence that are named; more are counted."""

_MEANINGS = {
    CONFIRMED: "effects confirmed by paired runs",
    PROBABLE: "probable, from the measured runs alone",
    NOT_DISTINGUISHABLE: "not distinguishable from noise",
}
"""Level of evidence -> its words with what they rest on, the strongest first."""

WHY_SHARES_DIFFER = (
    "a share averages over all settings that were tried, poor ones too; a drop is measured at the "
    "best configuration alone"
)
"""Reason why a factor's share and its confirmed effect disagree."""


class Conclusion(NamedTuple):
    """The conclusion of a study.

    sentence: what matters most, or why that cannot be said yet. second: what else the confirmation
    shows, on the path or at the best configuration; else empty. averaged: the verdict of the
    measured runs, where the sentence is about the confirmation; else empty. disagreement: why
    shares and confirmed effects differ, where they do; else empty. as_of: how much of the study it
    rests on while runs are left; else empty. best: None before any run is complete. interval: 95 %
    interval of the best configuration's mean on the test part; None without a confirmation.
    evidence: factor -> level of evidence, the largest share first; empty without an answer.
    """

    sentence: str
    second: str
    averaged: str
    disagreement: str
    as_of: str
    best: BestConfiguration | None
    interval: Interval | None
    evidence: Mapping[str, str]

    @property
    def dated_sentence(self) -> str:
        """The sentence, after the number of runs that it rests on while some are left."""
        return f"{self.as_of}: {self.sentence}" if self.as_of else self.sentence

    @property
    def is_confirmed(self) -> bool:
        """Return whether it starts from a confirmation."""
        return self.best is not None and self.best.is_confirmed


class Progress(NamedTuple):
    """Number of runs of a study that ended, and of all that it has."""

    done: int
    total: int


def conclude(
    answer: Answer | None,
    no_answer_reason: str,
    best: BestConfiguration | None,
    confirmation: Confirmation | None,
    objective: str,
    progress: Progress,
    *,
    varies: bool = True,
) -> Conclusion:
    """Return the conclusion of a study.

    answer: None where too few rows were measured, or nothing varies, and `no_answer_reason` says
    so. confirmation: None where nothing is confirmed yet. objective: the name of what the study
    maximizes. varies: whether any factor does, so that there will be an answer.
    """
    reason = f"no answer yet: {no_answer_reason}" if varies else no_answer_reason
    verdict = answer.verdict.sentence if answer else reason
    unit = unit_of(objective)
    factors = answer.factors if answer else ()
    sentence, second = verdict, ""
    if confirmation is not None:
        sentence, second = _confirmed_sentences(confirmation, objective, unit)
    is_over = progress.done >= progress.total
    return Conclusion(
        sentence=sentence,
        second=second,
        averaged=verdict if confirmation else "",
        disagreement=_disagreement(factors, confirmation, unit) if confirmation else "",
        as_of="" if is_over else f"as of run {progress.done:,} of {progress.total:,}",
        best=best,
        interval=confirmation.interval if confirmation else None,
        evidence={
            factor.name: evidence_for(
                factor, confirmation.confirms(factor.name) if confirmation else None
            )
            for factor in factors
        },
    )


def describe_seed_mean(found: SeedMean | None, objective: str) -> str:
    """Return what a study in which nothing varies has found. found: None before two runs ended."""
    if found is None:
        return "nothing varies in this study, and fewer than two of its runs are complete"
    low, high = found.interval
    return (
        f"nothing varies in this study: its configuration has a validation {objective} of "
        f"{found.mean:.4f} (95 % interval {low:.4f} to {high:.4f}), the mean of {found.seeds} seeds"
    )


def _confirmed_sentences(confirmation: Confirmation, objective: str, unit: Unit) -> tuple[str, str]:
    """Return two sentences, on the path to the best configuration and on the changes of it.

    The one with the larger confirmed effect comes first. The second is empty where no path was run.
    """
    tried = _fairest(confirmation)
    drops = _drops_sentence(tried, objective, unit)
    if confirmation.path is None:
        return drops or f"no effect is confirmed: {_no_drop(tried)}", ""
    path = _path_sentence(confirmation.path, objective, unit)
    if confirmation.path_leads:
        return f"confirmed: {path}", drops.removeprefix("confirmed: ") or _no_drop(tried)
    return drops or f"no effect is confirmed: {_no_drop(tried)}", path


def _no_drop(tried: Sequence[Contrast]) -> str:
    return (
        "the best configuration itself is not significantly worse with any one of "
        f"{plural(len(tried), 'factor')} changed"
    )


def _drops_sentence(tried: Sequence[Contrast], objective: str, unit: Unit) -> str:
    """Return the largest confirmed effects at the best configuration; empty where there is none."""
    confirmed = [contrast for contrast in tried if contrast.confirmed]
    if not confirmed:
        return ""
    first, *others = sorted(confirmed, key=lambda contrast: -contrast.difference)
    drops = [(one.factor, unit.unsigned(one.difference, 2)) for one in others]
    return (
        f"confirmed: {first.factor} has the largest effect on the best configuration; with "
        f"{first.name}, test {objective} drops by {unit.unsigned(first.difference, 2)} {unit.name} "
        f"(95 % interval {unit.interval(first.interval, 2)}){_followed_by(drops)}"
    )


def _path_sentence(path: ConfirmedPath, objective: str, unit: Unit) -> str:
    """Return what the factors add on the path, the largest significant gain first.

    A larger step that is not significant is named too, since its true gain may be the largest.
    """
    way = f"from the baseline to the best configuration ({unit.signed(path.total)} {unit.name})"
    steps = sorted((one for one in path.steps if one.confirmed), key=lambda one: -one.gain)
    if not steps:
        return f"{way}, no single factor raises test {objective} significantly"
    first, *others = steps
    gains = [(one.factor, unit.signed(one.gain)) for one in others]
    largest = max(path.steps, key=lambda one: one.gain)
    among, unsure = "", ""
    if largest.gain > first.gain:
        among = "of the significant steps "
        unsure = (
            f"; {largest.factor} adds {unit.signed(largest.gain)} in these runs, but the interval "
            f"is wide, {unit.interval(largest.gain_interval)}, and it is not significant"
        )
    return (
        f"{way}, {among}{first.factor} adds most to test {objective}: {unit.signed(first.gain)} "
        f"{unit.name} (95 % interval {unit.interval(first.gain_interval)}){_followed_by(gains)}"
        f"{unsure}"
    )


def _followed_by(others: Sequence[tuple[str, str]]) -> str:
    """Return the end of a sentence with further factors and their effects."""
    if not others:
        return ""
    listed = ", ".join(f"{factor} {effect}" for factor, effect in others[:LISTED_FACTORS])
    more = len(others) - LISTED_FACTORS
    return f"; then {listed}" + (f" and {plural(more, 'other')}" if more > 0 else "")


def _fairest(confirmation: Confirmation) -> list[Contrast]:
    """Return one contrast per factor, the fairest one; without the placebo's."""
    names = dict.fromkeys(one.factor for one in confirmation.contrasts if one.is_of_a_factor)
    contrasts = (confirmation.of(name) for name in names)
    return [contrast for contrast in contrasts if contrast is not None]


def _disagreement(
    factors: Sequence[FactorImportance], confirmation: Confirmation, unit: Unit
) -> str:
    """Return the sentence on a factor whose effects say different things.

    It names the factor that adds most on the path, or else has the largest share, although the best
    configuration is not significantly worse without its setting; or else the one that has the
    largest share although another one has the largest confirmed effect.
    """
    tried = {contrast.factor: contrast for contrast in _fairest(confirmation)}
    steps = confirmation.path.steps if confirmation.path else ()
    for step in sorted(steps, key=lambda one: -one.gain):
        contrast = tried.get(step.factor)
        if contrast is not None and step.confirmed and not contrast.confirmed:
            return (
                f"{step.factor} adds {unit.signed(step.gain)} {unit.name} on that way, but "
                f"{_change(contrast, unit)}: the other factors, set as in the best configuration, "
                "may make up for it, or these runs are too few to tell"
            )
    for factor in factors:
        contrast = tried.get(factor.name)
        if contrast is not None and factor.matters and not contrast.confirmed:
            return (
                f"{factor.name} has a share of {percent(factor.share, 0)} %, but "
                f"{_change(contrast, unit)}: {WHY_SHARES_DIFFER}"
            )
    confirmed = [contrast for contrast in tried.values() if contrast.confirmed]
    largest = max(confirmed, key=lambda contrast: contrast.difference, default=None)
    if largest is None or not factors or factors[0].name == largest.factor:
        return ""
    first = factors[0]
    return (
        f"{first.name} has the largest share ({percent(first.share, 0)} %), {largest.factor} the "
        f"largest confirmed effect: {WHY_SHARES_DIFFER}"
    )


def _change(contrast: Contrast, unit: Unit) -> str:
    """Return what a change that is not confirmed does to the best configuration."""
    return (
        f"with {contrast.name}, the best configuration drops by "
        f"{unit.signed(contrast.difference, 2)} {unit.name}, {NOT_DISTINGUISHABLE} from 0"
    )


def describe_evidence(evidence: Mapping[str, str]) -> str:
    """Return which factors are confirmed, which probable, and which not distinguishable."""
    parts = []
    for level, meaning in _MEANINGS.items():
        names = [name for name, its_level in evidence.items() if its_level == level]
        is_long = level == NOT_DISTINGUISHABLE and len(names) > LISTED_NOISE
        if names:
            parts.append(f"{meaning}: {f'{len(names)} factors' if is_long else ', '.join(names)}")
    return "; ".join(parts)


def conclusion_document(conclusion: Conclusion) -> dict[str, Any]:
    """Return the conclusion as a part of a JSON document."""
    best = conclusion.best
    document: dict[str, Any] = as_plain(
        {
            "sentence": conclusion.sentence,
            "second": conclusion.second,
            "averaged": conclusion.averaged,
            "disagreement": conclusion.disagreement,
            "as_of": conclusion.as_of,
            "confirmed": conclusion.is_confirmed,
            "evidence": dict(conclusion.evidence),
            "best": None
            if best is None
            else {
                "name": best.name,
                "trial": None if best.trial is None else best.trial.number,
                "value": best.value,
                "interval": conclusion.interval,
                "seeds": len(best.tested),
            },
        }
    )
    return document
