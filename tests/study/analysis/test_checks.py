"""Every check of a study fires on a case that was made for it, and on a healthy study none does."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.simulations import Array, Simulation, axis, describe_space, simulate_trials
from training_factors.search_spaces.description import Coordinate
from training_factors.search_spaces.dimension import LogUniform, Uniform
from training_factors.storage.data_report import DataReport, PartCount
from training_factors.storage.definition import Definition
from training_factors.storage.stamp import Stamp
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import (
    Answer,
    FactorImportance,
    RunCounts,
    SurrogateQuality,
)
from training_factors.study.analysis.checks import Check, StudyFacts, check_study
from training_factors.study.analysis.verdict import PROBABLE, Verdict

ROWS = 64
RATE = Coordinate("optimizer.sgd.lr", "optimizer", "sgd", LogUniform(0.001, 0.5))
SPACE = describe_space(
    axis("optimizer", None, "sgd", "adam"), RATE, axis("activation", None, "relu", "tanh", "gelu"),
    axis("class_weight", None, "none"),
)._replace(
    coordinates=(
        axis("optimizer", None, "sgd", "adam"), RATE,
        axis("activation", None, "relu", "tanh", "gelu"),
    )
)  # fmt: skip
PARTS = (
    PartCount("training", "the rest", 600),
    PartCount("validation", "20% drawn", 2000),
)
STAMP = Stamp(
    "accuracy", space=SPACE, epochs=15, class_names=("cat", "dog"),
    data_report=DataReport((), PARTS),
)  # fmt: skip
DIAGONAL = ((0, 0, 1000), (1, 1, 800), (1, 0, 200))


def healthy_accuracy(units: Array) -> Array:
    """Return accuracies whose best learning rate lies in the middle of its range."""
    value: Array = 0.8 + 0.1 * (units[:, 0] < 0.5) - 0.4 * (units[:, 1] - 0.5) ** 2
    return value


def simulate(function: Callable[[Array], Array] = healthy_accuracy) -> list[Trial]:
    """The baseline and the measured runs of a study of two divisions."""
    trials = simulate_trials(Simulation(SPACE, function), ROWS, noise=0.01, repeats=0)
    measured = [
        trial._replace(
            attributes={"chance": 0.5, "perfect": 1.0},
            confusion=DIAGONAL,
        )
        for trial in trials
    ]
    first = measured[0]
    return [
        first._replace(number=999, phase="baseline", value=0.8), *measured,
        first._replace(number=1000, phase="division", repeat=1),
    ]  # fmt: skip


def healthy_answer() -> Answer:
    optimizer = FactorImportance(
        "optimizer", "optimizer", 0.5, (0.3, 0.7), 0.5, 0.5, 0.5, 5.0, 0.001, 0.99, 10.0, (8, 12),
        "sgd", 10.0, PROBABLE, 0.05, (),
    )  # fmt: skip
    return Answer(
        RunCounts(ROWS, ROWS, 0.0, 0.0), SurrogateQuality(0.8, 0.9, ()), (optimizer,), (), None, (),
        (), 0.1, 0.8, 0.1, Verdict("leader", ("optimizer",), "the optimizer matters most", None),
    )  # fmt: skip


@pytest.fixture(scope="module")
def healthy() -> StudyFacts:
    return facts_of(simulate())


def facts_of(trials: list[Trial], stamp: Stamp = STAMP) -> StudyFacts:
    best = max(trials, key=lambda trial: trial.value or 0.0)
    return StudyFacts(trials, stamp, best, healthy_answer(), ROWS)


def only(facts: StudyFacts) -> Check:
    (check,) = check_study(facts)
    return check


def with_baseline(facts: StudyFacts, **attributes: object) -> StudyFacts:
    first, *others = facts.trials
    failed = first._replace(value=0.5, attributes=first.attributes | attributes)
    return facts._replace(trials=[failed, *others])


def with_rate(stamp: Stamp, default: float) -> Stamp:
    """Return the stamp with another default of the baseline's learning rate."""
    optimizer, *factors = stamp.space.factors
    sgd, *options = optimizer.options
    (rate,) = sgd.hyperparameters
    sgd = sgd._replace(hyperparameters=(rate._replace(default=default),))
    optimizer = optimizer._replace(options=(sgd, *options))
    return stamp._replace(space=stamp.space._replace(factors=(optimizer, *factors)))


def test_a_healthy_study_has_no_weakness(healthy: StudyFacts) -> None:
    assert check_study(healthy) == ()


def test_the_checks_need_no_answer(healthy: StudyFacts) -> None:
    assert check_study(healthy._replace(answer=None)) == ()
    assert check_study(StudyFacts([], STAMP, None, None, ROWS)) == ()


def test_a_baseline_at_chance_learns_for_longer_or_at_another_rate(healthy: StudyFacts) -> None:
    slow = facts_of(list(healthy.trials), with_rate(STAMP, 0.01))
    check = only(with_baseline(slow))
    assert check.name == "baseline" and "no better than chance" in check.finding
    assert check.options == ("--epochs", "30") and check.needs_new_study

    assert "diverged" in (check := only(with_baseline(slow, diverged=True))).finding
    assert check.options == ("--range", "optimizer.sgd.lr=0.0003333:0.003333:log")

    check = only(with_baseline(healthy))  # its default is the upper end of the range, 0.5
    assert check.options == ("--range", "optimizer.sgd.lr=0.001:5:log")


Condition = Callable[[Array], NDArray[np.bool_]]


def fail_where(fails: Condition) -> Callable[[Array], Array]:
    """Return healthy accuracies, but chance where a condition holds."""

    def accuracy(units: Array) -> Array:
        return np.where(fails(units), 0.5, healthy_accuracy(units))

    return accuracy


@pytest.mark.parametrize(
    ("fails", "part", "options"),
    [
        (
            lambda u: (u[:, 2] < 1 / 3) | (u[:, 2] > 0.9),
            "the option relu of activation", ("--choices", "activation=tanh,gelu"),
        ),
        (lambda u: u[:, 0] < 0.5, "the option sgd of optimizer", ("--fix", "optimizer=adam")),
        (lambda u: u[:, 0] > 0.5, "the option adam of optimizer", ("--fix", "optimizer=sgd")),
    ],
)  # fmt: skip
def test_an_option_that_is_mostly_at_chance_is_left_out(
    fails: Condition, part: str, options: tuple[str, ...]
) -> None:
    check = only(facts_of(simulate(fail_where(fails))))
    assert (check.name, check.remedy, check.options) == ("chance", f"Leave out {part}.", options)
    assert "of these" in check.finding


def test_values_that_are_mostly_at_chance_are_left_out() -> None:
    one_option = (axis("optimizer", None, "sgd"), *SPACE.coordinates[1:])
    stamp = STAMP._replace(space=SPACE._replace(coordinates=one_option))
    trials = simulate(fail_where(lambda u: u[:, 1] > 0.55))
    trials = [t for t in trials if RATE.name in t.parameters]
    check = only(facts_of(trials, stamp))
    assert check.name == "chance" and "the values of optimizer.sgd.lr above" in check.remedy
    flag, text = check.options
    assert flag == "--range" and text.startswith("optimizer.sgd.lr=0.001:0.0")


def test_runs_at_chance_that_share_nothing_get_more_epochs() -> None:
    facts = facts_of(simulate(), with_rate(STAMP, 0.01))
    random = np.random.default_rng(0)
    trials = [
        t._replace(value=0.5) if random.random() < 0.45 and t.row else t for t in facts.trials
    ]
    check = only(facts._replace(trials=trials))
    assert "no single setting" in check.finding and check.options == ("--epochs", "30")


def test_best_values_at_an_edge_get_a_wider_range() -> None:
    check = only(facts_of(simulate(lambda u: 0.6 + 0.3 * u[:, 1] * (u[:, 0] < 0.5))))
    assert check.name == "edge" and "upper tenth of 0.001 to 0.5, log" in check.finding
    assert check.options == ("--range", "optimizer.sgd.lr=0.001:0.9:log") and check.needs_new_study


def test_a_range_that_the_user_made_linear_stays_linear() -> None:
    linear = RATE._replace(dimension=Uniform(0.1, 0.5))
    space = SPACE._replace(coordinates=(SPACE.coordinates[0], linear, SPACE.coordinates[2]))
    own = Definition(range=("optimizer.sgd.lr=0.1:0.5:linear",))
    climb = [
        t._replace(parameters=t.parameters | {RATE.name: 0.1 + 0.4 * (t.value or 0.0)})
        if RATE.name in t.parameters
        else t
        for t in simulate(lambda u: 0.6 + 0.39 * u[:, 1] * (u[:, 0] < 0.5))
    ]
    stamp = STAMP._replace(space=space, definition=own)
    assert only(facts_of(climb, stamp)).options == (
        "--range", "optimizer.sgd.lr=0.1:0.7:linear",
    )  # fmt: skip
    assert only(facts_of(climb, stamp._replace(definition=Definition()))).options == (
        "--range", "optimizer.sgd.lr=0.1:0.7",
    )  # fmt: skip


def test_a_class_that_is_never_predicted_gets_more_weight(healthy: StudyFacts) -> None:
    assert healthy.best is not None
    best = healthy.best._replace(confusion=((0, 0, 1900), (1, 0, 100)))
    check = only(healthy._replace(best=best))
    assert "never predicts dog: 100 of the 2000" in check.finding
    assert check.options == ("--choices", "class_weight=none,balanced")
    space = SPACE._replace(factors=tuple(f for f in SPACE.factors if f.name != "class_weight"))
    stamp = STAMP._replace(space=space)
    facts = healthy._replace(best=best, stamp=stamp)
    assert only(facts).options == ("--metric", "balanced_accuracy")
    check = only(facts._replace(stamp=stamp._replace(objective="balanced_accuracy")))
    assert (check.verb, check.options) == ("", ())


def test_a_validation_part_that_is_too_small_for_the_gains(healthy: StudyFacts) -> None:
    """±10.4 points: 1.96 √(0.9 · 0.1 / 32) at an accuracy of 0.9, against a gain of 10."""
    assert healthy.best is not None
    parts = DataReport((), (PartCount("validation", "20% drawn", 32),))
    stamp = STAMP._replace(data_report=parts)
    small = healthy._replace(stamp=stamp, best=healthy.best._replace(value=0.9))
    check = only(small)
    assert check.name == "validation" and "±10.4 points" in check.finding
    assert (check.verb, check.needs_new_study) == ("confirm", False)
    limited = stamp._replace(definition=Definition(limit=160))
    check = only(small._replace(stamp=limited))
    assert check.leaves_out == ("--limit",) and check.needs_new_study


@pytest.mark.parametrize(
    ("kind", "more_rows", "options"),
    [
        ("leader", None, ("--rows", "128")),
        ("nothing", 32, ("--rows", "96")),
        ("set", 48, ("--rows", "112")),
        ("set", None, None),
        ("nothing", None, None),
    ],
)
def test_a_low_fit_asks_for_the_rows_of_the_verdict(
    healthy: StudyFacts, kind: str, more_rows: int | None, options: tuple[str, ...] | None
) -> None:
    assert healthy.answer is not None
    verdict = healthy.answer.verdict._replace(kind=kind, more_rows=more_rows)  # type: ignore[arg-type]
    answer = healthy.answer._replace(surrogate=SurrogateQuality(0.3, 0.9, ()), verdict=verdict)
    found = check_study(healthy._replace(answer=answer))
    assert [(one.name, one.options, one.is_note) for one in found] == (
        [("fit", options, True)] if options else []
    )
    assert check_study(healthy._replace(answer=answer, rows=ROWS + 1)) == ()  # it still runs


def test_one_division_is_a_note_that_comes_last(healthy: StudyFacts) -> None:
    trials = [trial for trial in healthy.trials if trial.is_comparable]
    facts = with_baseline(healthy._replace(trials=trials))
    baseline, division = check_study(facts)
    assert not baseline.is_note and division.is_note
    assert division.options == ("--divisions", "3") and not division.needs_new_study
    own = DataReport((), (PARTS[1]._replace(origin="the source's own"),))
    assert len(check_study(facts._replace(stamp=STAMP._replace(data_report=own)))) == 1
