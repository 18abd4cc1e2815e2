"""Check the study itself: what weakens its answer, and the command that mends it.

Every check is a function of `StudyFacts`; it returns None where all is well. A remedy that changes
what is measured needs a new study, since the space of a stored one is fixed; more rows, divisions
or a confirmation belong to the stored one.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from training_factors.search_spaces.dimension import Integer, LogUniform, OneOf
from training_factors.storage.definition import Definition
from training_factors.storage.stamp import Stamp
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import Answer
from training_factors.study.analysis.diagnostics import Setting, settings_of
from training_factors.study.analysis.failures import Explanation, explain
from training_factors.study.analysis.measurements import (
    has_diverged,
    is_at_chance,
    share_at_chance,
)
from training_factors.study.analysis.range_edges import LOG_STEP, AnyRange, RangeEdge, find_edges
from training_factors.study.analysis.verdict import ROUND_ROWS

MUCH_CHANCE = 0.4
"""Part of the runs at chance above which the user is advised to narrow the ranges."""

LOW_FIT = 0.5
"""Part of its ceiling below which R² counts as far from it."""

MARGIN = 1.96
"""Number of standard errors on either side of a 95 % interval."""

SMALLER_LR = 3.0
"""Factor by which a learning rate is lowered where the baseline diverges."""

MORE_DIVISIONS = "3"
"""Number of divisions of the data that are suggested."""

MAX_CLASSES = 3
"""Maximum number of classes that are named in a sentence; the others are counted."""


class Check(NamedTuple):
    """A weakness of a study, with its remedy.

    name: a short key. finding, remedy: one sentence each, with numbers. verb: `run` or `confirm`,
    the command that mends it; empty where no command does. options: its options, as the words of a
    command line. leaves_out: options of the study's own command that the remedy leaves out.
    needs_new_study: whether the command creates another study. is_note: whether it is only worth
    knowing; the others are warnings.
    """

    name: str
    finding: str
    remedy: str
    verb: str = ""
    options: tuple[str, ...] = ()
    leaves_out: tuple[str, ...] = ()
    needs_new_study: bool = False
    is_note: bool = False


class StudyFacts(NamedTuple):
    """The facts of a study that its checks are computed from.

    best: its best run; None before one is complete. answer: None where too few rows were measured.
    rows: number of rows that the study measures, those to come included.
    """

    trials: Sequence[Trial]
    stamp: Stamp
    best: Trial | None
    answer: Answer | None
    rows: int

    @property
    def measured(self) -> list[Trial]:
        """The complete runs of the measuring phase."""
        return [t for t in self._complete if t.phase == "measure"]

    @property
    def baseline(self) -> Trial | None:
        """The run of the baseline; None before it is complete."""
        return next((t for t in self._complete if t.phase == "baseline"), None)

    @property
    def _complete(self) -> list[Trial]:
        return [t for t in self.trials if t.complete and t.value is not None]


def check_study(facts: StudyFacts) -> tuple[Check, ...]:
    """Return the weaknesses of a study, the most serious first: warnings, then notes."""
    found = [check for one in CHECKS if (check := one(facts)) is not None]
    return tuple(sorted(found, key=lambda check: check.is_note))


def check_baseline(facts: StudyFacts) -> Check | None:
    """Check that the baseline, from which all gains are counted, is better than chance."""
    baseline = facts.baseline
    if baseline is None or "chance" not in baseline.attributes or not is_at_chance(baseline):
        return None
    has_learned = facts.best is not None and not is_at_chance(facts.best)
    others = "" if has_learned else ", and no other run is better than chance"
    state = "diverged" if has_diverged(baseline) else "is no better than chance"
    finding = f"The baseline {state}{others}, so gains are counted from chance."
    return _new_study("baseline", finding, *_better_training(facts))


def check_chance(facts: StudyFacts) -> Check | None:
    """Check that most of the measured runs are better than chance: the others show little."""
    measured, space = facts.measured, facts.stamp.space
    share = share_at_chance(measured) if measured else None
    if share is None or share <= MUCH_CHANCE:
        return None
    failed = [trial for trial in measured if is_at_chance(trial)]
    finding = f"{len(failed)} of {len(measured)} measured runs are no better than chance"
    remedies = {
        setting: words
        for setting in settings_of(measured, space)
        if (words := _without(setting, facts.stamp))
    }
    cause = explain("at chance", failed, measured, remedies)
    if cause is None:
        finding = f"{finding}; no single setting explains it."
        return _new_study("chance", finding, *_better_training(facts))
    return _new_study(
        "chance", f"{finding}; {cause.sentence}.", f"Leave out {_part_of(cause)}.",
        remedies[cause.setting],
    )  # fmt: skip


def check_edges(facts: StudyFacts) -> Check | None:
    """Check that no best values crowd at the end of a range; the rule is `find_edges`."""
    edges = find_edges(facts.trials, facts.stamp.space)
    if not edges:
        return None
    return _new_study(
        "edge",
        f"Best values lie at the end of a range: {'; '.join(map(_describe_edge, edges))}.",
        f"Extend the range{'s' * (len(edges) > 1)} beyond that end.",
        tuple(
            word
            for edge in edges
            for word in ("--range", _range_text(edge.name, edge.extended, facts.stamp.definition))
        ),
    )


def check_classes(facts: StudyFacts) -> Check | None:
    """Check that the best run predicts every class that the validation part has."""
    best, stamp = facts.best, facts.stamp
    if best is None or not best.confusion or not stamp.class_names:
        return None
    true, predicted = Counter[int](), Counter[int]()
    for row, column, samples in best.confusion:
        true[row] += samples
        predicted[column] += samples
    missing = [label for label in sorted(true) if true[label] and not predicted[label]]
    if not missing:
        return None
    samples = sum(true[label] for label in missing)
    names = _listed([stamp.class_names[label] for label in missing])
    finding = (
        f"The best run, #{best.number}, never predicts {names}: {samples} of the "
        f"{sum(true.values())} validation samples."
    )
    return _balance("classes", finding, facts)


def check_validation(facts: StudyFacts) -> Check | None:
    """Check that the validation part is large enough for the gains of this study.

    The standard error of an accuracy p on n samples is √(p (1 − p) / n). Where not even the largest
    gain that the runs show reaches the 95 % margin of the best accuracy, other samples could turn
    each of them around. It is a rule of thumb: configurations are compared on the same samples, so
    that the error of a difference may be smaller than this, or larger by √2 at most.
    """
    part = next((p for p in facts.stamp.data_report.parts if p.name == "validation"), None)
    best, answer = facts.best, facts.answer
    if part is None or not part.samples or answer is None or facts.stamp.objective != "accuracy":
        return None
    if best is None or best.value is None:
        return None
    gains = [factor.gain for factor in answer.factors if factor.matters and factor.gain > 0]
    margin = 100 * MARGIN * math.sqrt(best.value * (1 - best.value) / part.samples)
    if not gains or max(gains) >= margin:
        return None
    finding = (
        f"The validation part of {part.samples:,} samples is small for these differences: the best "
        f"accuracy is known to ±{margin:.1f} points, and the largest gain is {max(gains):.1f}."
    )
    if facts.stamp.definition.limit is not None:
        return _new_study(
            "validation", finding, "Use all of the data.", (), leaves_out=("--limit",)
        )
    return Check(
        "validation",
        finding,
        "No command enlarges it. With no more data, confirm compares the best configuration on "
        "other samples, those of the test part, over several seeds.",
        "confirm",
    )


def check_fit(facts: StudyFacts) -> Check | None:
    """Check that the surrogates explain much of what can be explained.

    It agrees with the verdict: rows are suggested where the verdict does, or where it names a
    single factor and the other shares are left open; not where more rows would hardly help. As the
    verdict says so already, this is a note.
    """
    answer = facts.answer
    if answer is None or answer.evidence.rows < facts.rows:  # more rows are to come
        return None
    r2, ceiling, verdict = answer.surrogate.r2, answer.surrogate.ceiling, answer.verdict
    is_settled = verdict.kind == "leader"
    if r2 >= LOW_FIT * (1.0 if ceiling is None else ceiling):
        return None
    if verdict.more_rows is None and not is_settled:
        return None
    more = verdict.more_rows or math.ceil(facts.rows / ROUND_ROWS) * ROUND_ROWS
    limit = "not known" if ceiling is None else f"{ceiling:.2f}"
    remedy = "The verdict stands; more rows would narrow the other shares."
    return Check(
        "fit",
        f"The surrogates explain little: R² is {r2:.2f}, and its ceiling is {limit}.",
        remedy if is_settled else f"Measure about {more:,} more configurations.",
        "run",
        ("--rows", str(facts.rows + more)),
        is_note=True,
    )


def check_divisions(facts: StudyFacts) -> Check | None:
    """Check that the data was divided more than once, where this tool divides it."""
    parts = facts.stamp.data_report.parts
    is_own = any(p.name == "validation" and p.origin == "the source's own" for p in parts)
    has_others = any(not trial.is_comparable for trial in facts.trials)
    if has_others or is_own or not parts or not facts.measured:
        return None
    return Check(
        "divisions",
        "All runs share one division of the data, so its part in the differences is not known.",
        "Repeat some rows under other divisions.",
        "run",
        ("--divisions", MORE_DIVISIONS),
        is_note=True,
    )


CHECKS: tuple[Callable[[StudyFacts], Check | None], ...] = (
    check_baseline,
    check_chance,
    check_edges,
    check_classes,
    check_validation,
    check_fit,
    check_divisions,
)
"""All checks, the most serious first."""


# Remedies


def _new_study(
    name: str,
    finding: str,
    remedy: str,
    options: tuple[str, ...],
    leaves_out: tuple[str, ...] = (),
) -> Check:
    return Check(name, finding, remedy, "run", options, leaves_out, needs_new_study=True)


def _better_training(facts: StudyFacts) -> tuple[str, tuple[str, ...]]:
    """Return what makes the baseline learn, in words and as options.

    That is another learning rate where it is known in which direction: lower where the baseline
    diverges, higher where it has the highest of its range. Else it is more epochs. A default above
    its range becomes the upper end of the range.
    """
    stamp = facts.stamp
    path, lr, dimension = _baseline_rate(stamp)
    if facts.baseline is not None and has_diverged(facts.baseline) and dimension is not None:
        high = lr / SMALLER_LR
        lower = LogUniform(min(dimension.low, high / LOG_STEP), high)
        words = ("--range", _range_text(path, lower, stamp.definition))
        return "Lower the learning rate of the baseline.", words
    if dimension is not None and lr >= dimension.high:
        higher = LogUniform(dimension.low, dimension.high * LOG_STEP)
        words = ("--range", _range_text(path, higher, stamp.definition))
        return "Raise the learning rate: its range ends at that of the baseline.", words
    return "Train for longer.", ("--epochs", str(2 * stamp.definition.epochs))


def _baseline_rate(stamp: Stamp) -> tuple[str, float, LogUniform | None]:
    """Return the baseline's learning rate: its name, value and range; None where it is fixed."""
    for factor in stamp.space.factors:
        for one in factor.baseline.hyperparameters:
            if one.name == "lr" and isinstance(one.dimension, LogUniform):
                path = f"{factor.name}.{factor.baseline.name}.{one.name}"
                return path, float(one.default), one.dimension
    return "", 0.0, None


def _without(setting: Setting, stamp: Stamp) -> tuple[str, ...]:
    """Return options that leave a setting out; none where no option does."""
    axis = next(axis for axis in stamp.space.coordinates if axis.name == setting.name)
    if isinstance(axis.dimension, AnyRange):
        kept = _range_without(setting, axis.dimension)
        return () if kept is None else ("--range", _range_text(axis.name, kept, stamp.definition))
    if not isinstance(axis.dimension, OneOf) or not axis.is_choice:
        return ()
    rest = [str(choice) for choice in axis.dimension.choices if choice != setting.choice]
    if len(rest) > 1:
        return "--choices", f"{axis.name}={','.join(rest)}"
    return ("--fix", f"{axis.name}={rest[0]}") if rest else ()


def _range_without(setting: Setting, dimension: AnyRange) -> AnyRange | None:
    """Return the range without one of its thirds; None where nothing is left."""
    is_lower = math.isfinite(setting.high)
    low, high = (setting.high, dimension.high) if is_lower else (dimension.low, setting.low)
    if isinstance(dimension, Integer):
        whole = math.ceil(low), math.floor(high)
        return Integer(*whole) if whole[0] < whole[1] else None
    return type(dimension)(low, high) if low < high else None


def _balance(name: str, finding: str, facts: StudyFacts) -> Check:
    """Return a check whose remedy gives rare classes more weight, as far as that is not done."""
    stamp = facts.stamp
    factors = {factor.name for factor in stamp.space.factors}
    if "class_weight" in factors and "class_weight" not in stamp.space.varied:
        words = ("--choices", "class_weight=none,balanced")
        return _new_study(name, finding, "Let the weight of classes vary.", words)
    if stamp.objective == "accuracy":
        words = ("--metric", "balanced_accuracy")
        return _new_study(name, finding, "Maximize the balanced accuracy.", words)
    return Check(name, finding, "More samples of these classes are needed; no command helps.")


# Words


def _describe_edge(edge: RangeEdge) -> str:
    end = "upper" if edge.is_high else "lower"
    return (
        f"{edge.at_edge} of the best {edge.best} of {edge.name} lie in the {end} tenth of "
        f"{edge.dimension}"
    )


def _part_of(cause: Explanation) -> str:
    """Return a setting as something that can be left out: `option`, or a part of a range."""
    setting = cause.setting
    if setting.choice is not None:
        return f"the option {setting.choice} of {setting.factor}"
    return f"the values of {setting}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_CLASSES} more" if len(names) > MAX_CLASSES else ""
    return f"{', '.join(names[:MAX_CLASSES])}{more}"


def _range_text(name: str, dimension: AnyRange, definition: Definition) -> str:
    """Return the text of a `--range` option: `optimizer.sgd.lr=0.003:3:log`.

    Without a scale a range has that of the hyperparameter as it is declared, which may be another
    one where the study has set the range itself.
    """
    is_set = any(text.partition("=")[0].strip() == name for text in definition.range)
    if isinstance(dimension, Integer):
        return f"{name}={dimension.low}:{dimension.high}"
    scale = ":log" if isinstance(dimension, LogUniform) else ":linear" if is_set else ""
    return f"{name}={dimension.low:.4g}:{dimension.high:.4g}{scale}"
