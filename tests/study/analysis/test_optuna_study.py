"""Test the importance of plain Optuna programs' parameters."""

import math
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.importance import (
    MeanDecreaseImpurityImportanceEvaluator,
    PedAnovaImportanceEvaluator,
    get_param_importances,
)
from optuna.samplers import TPESampler
from optuna.trial import create_trial

from tests.support.optuna_programs import (
    GROUPS,
    SHARES,
    TOTALS,
    branch,
    random_study,
    run,
    sqlite_url,
    training,
)
from tests.support.session import once_per_session
from tests.support.simulations import BRANCH, simulate_trials
from training_factors.study.analysis.answer import NoAnswer
from training_factors.study.analysis.expected_best import expected_best
from training_factors.study.analysis.importance import analyse
from training_factors.study.analysis.optuna_study import StudyImportance, analyse_optuna_study

pytestmark = pytest.mark.slow


@once_per_session
def importance_of(name: str, seed: int = 0) -> StudyImportance:
    """Return the importance of a program's parameters in 200 random trials, or 100 of a larger."""
    if name == "branch":
        return analyse_optuna_study(random_study(branch, seed=seed), groups=GROUPS)
    return analyse_optuna_study(random_study(training, 100, direction="minimize", seed=seed))


def test_a_program_with_conditions_gets_the_true_shares() -> None:
    found = importance_of("branch")
    for factor in found.answer.factors:
        assert factor.total == pytest.approx(TOTALS[factor.name], abs=0.03)
        assert factor.share == pytest.approx(SHARES[factor.name], abs=0.03)
    assert found.answer.verdict.leaders == ("opt",)
    assert (found.answer.placebo, found.answer.seed_noise) == (None, None)
    assert not found.design.adaptive
    assert found.notes == ("200 of 200 trials are complete",)
    conditions = {one.name: one.condition for one in found.parameters}
    assert conditions == {"c": "", "z": "", "x": "c is a", "y": "c is b"}
    assert sum(one.share for one in found.parameters) == pytest.approx(
        sum(factor.share for factor in found.answer.factors)
    )


def test_optuna_s_own_evaluators_name_another_winner() -> None:
    """MDI drops x and y, and PED-ANOVA sees only what the best tenth has in common."""
    study = random_study(branch)
    for evaluator in (
        MeanDecreaseImpurityImportanceEvaluator(seed=0),
        PedAnovaImportanceEvaluator(),
    ):
        assert next(iter(get_param_importances(study, evaluator=evaluator))) != "c"
    assert importance_of("branch").parameters[0].name == "c"


def test_adaptive_trials_are_said_to_be() -> None:
    study = run(branch, TPESampler(seed=0))
    assert analyse_optuna_study(study).design.sentence.startswith("trials look adaptive (")


def test_nested_conditions_and_a_number_of_layers() -> None:
    found = importance_of("training")
    assert found.direction == "minimize"
    assert {one.name: (one.group, one.condition) for one in found.parameters} == {
        "optimizer": ("optimizer", ""),
        "momentum": ("optimizer", "optimizer is sgd or rmsprop"),
        "nesterov": ("optimizer", "optimizer is sgd"),
        "damp": ("optimizer", "nesterov is True"),
        "lr": ("lr", ""),
        "n_layers": ("n_layers", ""),
        "units_0": ("units_0", ""),
        "units_1": ("n_layers", "n_layers is 2 or 3"),
        "units_2": ("n_layers", "n_layers is 3"),
        "placebo": ("placebo", ""),
    }
    assert found.answer.verdict.leaders == ("lr",)
    assert found.answer.placebo is not None and found.answer.placebo.share < 0.02
    assert "placebo" not in {factor.name for factor in found.answer.factors}


def test_gains_of_what_is_minimized_are_improvements() -> None:
    """The mean error is 0.39 at the ends of the learning rates, and least in the middle."""
    answer = importance_of("training").answer
    along = [effect for effect in answer.effects if effect.hyperparameter == "lr"]
    assert [effect.mean for effect in along] == pytest.approx(
        [0.39, 0.21, 0.11, 0.075, 0.11, 0.21, 0.39], abs=0.04
    )
    assert max(along, key=lambda effect: effect.points).value == pytest.approx(1e-3, rel=0.01)
    layers = next(factor for factor in answer.factors if factor.name == "n_layers")
    assert layers.best_option == "n_layers 3"
    assert layers.gain > 0


def test_the_best_of_what_is_minimized_is_the_least() -> None:
    answer = importance_of("training").answer
    trials = random_study(training, 100, direction="minimize").trials
    adam = -np.array([t.value for t in trials if t.params["optimizer"] == "adam"], dtype=float)
    effects = [effect for effect in answer.effects if effect.factor == "optimizer"]
    best = next(e.expected_best for e in effects if e.value == "adam")
    assert best is not None
    assert best.value == pytest.approx(-expected_best(adam))
    assert best.interval[0] < best.value < best.interval[1]
    baseline = effects[0].expected_best
    assert baseline is not None and best.points is not None
    assert best.points == pytest.approx(100 * (baseline.value - best.value))


def test_the_direction_and_the_sign_do_not_change_shares() -> None:
    """Values between 0 and 1 are modelled by their logits, those of an error rate as well."""
    study = random_study(training, 40, "minimize")

    def accuracy(trial: Any) -> float:
        return 1 - float(trial.value)

    found = analyse_optuna_study(study), analyse_optuna_study(study, target=accuracy)
    errors, accuracies = (one.answer.factors for one in found)
    for one, other in zip(errors, accuracies, strict=True):
        assert one.name == other.name
        assert one.share == pytest.approx(other.share, abs=1e-9)
        assert one.gain == pytest.approx(other.gain, abs=1e-6)


def test_it_is_the_analysis_of_our_own_studies() -> None:
    """The same rows give the same shares; only the order of the axes differs, so by little."""
    rows = simulate_trials(BRANCH, 64)
    study = optuna.create_study(direction="maximize")
    space = {one.name: one.dimension.distribution() for one in BRANCH.space.coordinates}  # type: ignore[union-attr]
    for row in rows:
        study.add_trial(
            create_trial(
                value=row.value,
                params=row.parameters,
                distributions={name: space[name] for name in row.parameters},
            )
        )
    found, ours = analyse_optuna_study(study), analyse(rows, BRANCH.space, seed=0, jobs=1)
    assert found.answer.evidence.rows == ours.evidence.rows
    assert found.answer.evidence.runs == ours.evidence.runs
    assert found.answer.seed_noise == pytest.approx(ours.seed_noise, abs=1e-9)
    for one, other in zip(found.answer.factors, ours.factors, strict=True):
        assert one.name == other.name
        assert one.share == pytest.approx(other.share, abs=0.03)


def test_the_same_study_gives_the_same_answer_from_any_storage(tmp_path: Any) -> None:
    study = random_study(training, 32)
    optuna.copy_study(
        from_study_name=study.study_name,
        from_storage=study._storage,
        to_storage=sqlite_url(tmp_path),
        to_study_name="copy",
    )
    copy = optuna.load_study(study_name="copy", storage=sqlite_url(tmp_path))
    assert repr(analyse_optuna_study(study)) == repr(analyse_optuna_study(copy))


def test_presence_that_nothing_explains_is_a_choice_of_its_own() -> None:
    def objective(trial: optuna.Trial) -> float:
        value = trial.suggest_float("rate", 0, 1)
        if trial.number % 3 == 0:
            value += 2 + trial.suggest_float("extra", 0, 1)
        return value + 0 * trial.suggest_int("layers", 1, 3)

    found = analyse_optuna_study(random_study(objective, 90))
    assert found.notes[1].startswith("extra is present in 30 of 90 trials, and no choice")
    assert found.parameters[0].name == "extra"
    assert found.parameters[0].condition == "extra (present) is present"
    assert found.answer.factors[0].name == "extra"


def test_repeats_give_the_noise_of_the_seed() -> None:
    study = optuna.create_study(direction="maximize")
    random = random_study(branch, 48)
    for i, trial in enumerate(random.trials):
        for noise in (-0.5, 0.5) if i < 16 else (0.5,):
            study.add_trial(
                create_trial(
                    value=trial.values[0] + noise,
                    params=trial.params,
                    distributions=trial.distributions,
                )
            )
    answer = analyse_optuna_study(study).answer
    assert (answer.evidence.rows, answer.evidence.runs) == (48, 64)
    assert answer.seed_noise is not None
    assert answer.seed_noise > 0.03


def test_one_objective_of_several() -> None:
    def objective(trial: optuna.Trial) -> tuple[float, float]:
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        return x, y

    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.optimize(objective, n_trials=40)
    found = analyse_optuna_study(study, target=lambda trial: trial.values[1], direction="minimize")
    assert found.answer.verdict.leaders == ("y",)
    assert found.answer.factors[0].gain > 0
    assert found.answer.factors[0].best_option.startswith("y 0")
    with pytest.raises(ValueError, match="2 objectives"):
        analyse_optuna_study(study)


@pytest.mark.parametrize(
    ("objective", "trials", "message"),
    [
        (branch, 15, "^too few trials: 15 with different parameters are complete; at least 16 are"),
        (branch, 0, "^too few trials: 0 with different"),
        (lambda t: t.suggest_float("x", 0, 1), 30, "^nothing to compare: fewer than two .*[(]x"),
        (lambda t: 0 * (t.suggest_float("x", 0, 1) + t.suggest_float("y", 0, 1)) + 0.5, 30,
         "^nothing to compare: all 30 configurations ended at 0.5$"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_too_little_is_no_answer(objective: Any, trials: int, message: str, direction: str) -> None:
    with pytest.raises(NoAnswer, match=message):
        analyse_optuna_study(random_study(objective, trials, direction))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"placebo": "plazebo"}, r"placebo 'plazebo' is none .* did you mean 'placebo'\?$"),
        ({"placebo": "damp"}, "^placebo 'damp' must be in every trial"),
        ({"groups": {"step": ["placebo", "lr"]}}, "^the placebo 'placebo' shares the group 'step'"),
        ({"groups": {"step": ["lt"]}}, r"did you mean 'lr'\?$"),
    ],
)
def test_wrong_names_are_refused(arguments: Any, message: str) -> None:
    study = random_study(training, 40)
    with pytest.raises(ValueError, match=message):
        analyse_optuna_study(study, **arguments)


def test_a_named_placebo_is_no_factor() -> None:
    study = random_study(branch, 32)
    found = analyse_optuna_study(study, groups=GROUPS, placebo="z")
    assert found.answer.placebo is not None
    assert found.answer.placebo.name == "z"
    assert [factor.name for factor in found.answer.factors] == ["opt"]


def test_pruned_and_infinite_trials_are_left_out() -> None:
    def objective(trial: optuna.Trial) -> float:
        value = branch(trial)
        if trial.number % 10 == 1:
            raise optuna.TrialPruned
        return math.inf if trial.number % 10 == 2 else value

    found = analyse_optuna_study(random_study(objective, 60))
    assert found.answer.evidence.rows == 48
    assert found.notes[0].startswith("54 of 60 trials are complete; 6 pruned; pruned trials are")
    assert found.notes[1].startswith("6 complete trials without a finite value are left out")
