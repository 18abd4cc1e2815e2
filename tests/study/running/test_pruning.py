from optuna.trial import FrozenTrial, TrialState, create_trial

from training_factors.study.running.search import is_hopeless, thresholds


def trial(phase: str, curve: list[float], state: str = "COMPLETE") -> FrozenTrial:
    return create_trial(
        state=TrialState[state],
        value=curve[-1] if state == "COMPLETE" else None,
        user_attrs={"phase": phase},
        intermediate_values=dict(enumerate(curve)),
    )


MEASURED = [trial("measure", [0.1 * i] * 8) for i in range(5)]


def test_the_limit_is_the_top_quartile_of_measured_curves() -> None:
    limits = thresholds(MEASURED, epochs=8)
    assert limits.keys() == set(range(2, 8)), "none in the first quarter of the epochs"
    assert all(abs(limit - 0.3) < 1e-12 for limit in limits.values())
    assert is_hopeless(2, 0.29, limits)
    assert not is_hopeless(2, 0.31, limits)
    assert not is_hopeless(1, 0.0, limits)


def test_only_measured_and_complete_runs_set_limits() -> None:
    others = [trial("search", [0.9] * 8), trial("measure", [0.9] * 8, state="RUNNING")]
    assert thresholds([*MEASURED, *others], 8) == thresholds(MEASURED, 8)


def test_nothing_measured_sets_no_limit() -> None:
    assert thresholds([], 8) == {}
    assert not is_hopeless(5, 0.0, {})
