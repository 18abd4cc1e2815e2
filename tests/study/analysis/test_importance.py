"""Test whole analyses of simulated studies."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.answers import simulated_answer
from tests.support.simulations import EXACT, Simulation, axis, describe_space
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import as_document
from training_factors.study.analysis.importance import analyse, evidence_digest

Measured = Callable[..., list[Trial]]
ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_branch_is_recovered(branch: Any, measured: Measured) -> None:
    """500 designed rows, noise a tenth of the variance; exact values are those of `EXACT`."""
    answer = analyse(measured(branch, 500), branch.space, seed=0, jobs=1)
    opt, z = answer.factors
    assert (opt.name, z.name) == ("opt", "z")
    ceiling = answer.surrogate.ceiling
    assert ceiling is not None
    assert opt.total / ceiling == pytest.approx(15 / 19, abs=0.03)
    assert z.total / ceiling == pytest.approx(8 / 19, abs=0.03)
    assert opt.first_order / ceiling == pytest.approx(11 / 19, abs=0.03)
    assert opt.share / ceiling == pytest.approx(13 / 19, abs=0.03)
    assert z.share / ceiling == pytest.approx(6 / 19, abs=0.03)
    assert opt.points == pytest.approx(100 * (13 / 6) ** 0.5, rel=0.06)
    assert answer.placebo is not None
    assert max(answer.placebo.share, answer.placebo.total) < 0.02
    assert answer.verdict.kind == "leader"
    assert answer.verdict.leaders == ("opt",)
    assert answer.surrogate.r2 > 0.8
    assert ceiling == pytest.approx(1 / 1.1, abs=0.06)
    _assert_shares_are_joint(answer.factors, branch.space)
    (topic,) = answer.topics
    assert topic.factors == ("opt", "z")
    assert topic.share == pytest.approx(ceiling, abs=0.02)


def _assert_shares_are_joint(factors: Any, space: Any) -> None:
    """Only factors are listed, and none has 8.5/19, the sum of its parameters' single indices."""
    assert {factor.name for factor in factors} == {factor.name for factor in space.factors}
    for factor in factors:
        for number in (factor.share, factor.first_order):
            assert abs(number - 8.5 / 19) > 0.02


@pytest.mark.slow
def test_shares_and_parts_of_the_variance_sum_to_one() -> None:
    answer = simulated_answer("branch", 64)
    everything = answer.factors_and_placebo
    assert answer.seed_noise is not None
    shares = [factor.share for factor in everything]
    assert sum(shares) + answer.seed_noise == pytest.approx(1, abs=0.01)
    assert sum(factor.shown for factor in everything) == pytest.approx(answer.explained)
    assert answer.explained + answer.seed_noise + answer.unexplained == pytest.approx(1)
    for factor in answer.factors:
        assert 0 <= factor.interval[0] <= factor.share <= factor.interval[1] <= 1
    assert sum(f.p_first for f in answer.factors_and_placebo) == pytest.approx(1)


@pytest.mark.slow
def test_the_number_of_processes_does_not_change_the_answer(
    branch: Any, measured: Measured
) -> None:
    """With 64 rows, the fewest that are spread over processes."""
    alone = simulated_answer("branch", 64)
    assert analyse(measured(branch, 64), branch.space, seed=0, jobs=3) == alone


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_in_any_order(branch: Any, measured: Measured) -> None:
    trials = measured(branch, 32)

    def written(trials: list[Trial], seed: int) -> str:
        return json.dumps(as_document(analyse(trials, branch.space, seed=seed, jobs=1), "s"))

    first = written(trials, 1)
    assert first == written(trials[::-1], 1)
    assert first != written(trials, 2)


@pytest.mark.slow
def test_scale_and_origin_of_the_objective_do_not_matter(branch: Any, measured: Measured) -> None:
    trials = measured(branch, 32)
    scaled = [trial._replace(value=0.37 * (trial.value or 0) - 2) for trial in trials]
    before, after = simulated_answer("branch", 32), analyse(scaled, branch.space, seed=0, jobs=1)
    for one, other in zip(before.factors, after.factors, strict=True):
        assert other.share == pytest.approx(one.share, abs=1e-9)
        assert other.points == pytest.approx(0.37 * one.points)
    assert after.verdict == before.verdict


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "repeats"), [(0, 0), (1, 8), (2, 0)])
def test_noise_has_no_leader(noise_only: Any, measured: Measured, seed: int, repeats: int) -> None:
    trials = measured(noise_only, 63, repeats=repeats, seed=seed)
    answer = analyse(trials, noise_only.space, seed=seed, jobs=1)
    assert answer.verdict.kind in ("nothing",)
    assert answer.verdict.leaders == ()


@pytest.mark.slow
def test_equal_factors_tie() -> None:
    answer = simulated_answer("twins", 63)
    assert answer.verdict.kind == "set"
    assert set(answer.verdict.leaders) == {"left", "right"}


def test_a_single_factor_has_the_whole_share(measured: Measured) -> None:
    alone = Simulation(describe_space(axis("only", None, "a", "b", "c")), lambda units: units[:, 0])
    answer = analyse(measured(alone, 32), alone.space, seed=0, jobs=1)
    assert answer.interactions == ()
    assert answer.factors[0].share == pytest.approx(answer.surrogate.ceiling, abs=0.05)
    assert answer.verdict.leaders == ("only",)


@pytest.mark.parametrize(
    ("name", "rows", "of_total"),
    [("ishigami", 200, 0.2), ("sobol g", 200, 0.12)],
)
@pytest.mark.slow
def test_known_functions_are_recovered(name: str, rows: int, of_total: float) -> None:
    """Tolerances of the literature's benchmarks; `benchmarks.ground_truth` has 500 and 1,000."""
    _, total, _ = EXACT[name]
    answer = simulated_answer(name, rows)
    found = {factor.name: factor for factor in answer.factors}
    for factor, exact in total.items():
        assert found[factor].total == pytest.approx(exact, abs=of_total)
    assert answer.placebo is not None
    assert answer.placebo.share < 0.03
    assert max(answer.factors, key=lambda factor: factor.total).name == max(
        total, key=lambda factor: total[factor]
    )


def test_the_digest_changes_with_the_measured_runs_only(branch: Any, measured: Measured) -> None:
    trials = measured(branch, 32)
    known = evidence_digest(trials, branch.space, 0)
    assert evidence_digest(trials[::-1], branch.space, 0) == known
    assert evidence_digest([*trials, trials[0]._replace(phase="search")], branch.space, 0) == known
    assert evidence_digest(trials[:-1], branch.space, 0) != known
    assert evidence_digest([trials[0]._replace(value=0.5), *trials[1:]], branch.space, 0) != known
    assert evidence_digest(trials, branch.space, 1) != known


@pytest.mark.slow
def test_an_analysis_leaves_no_process_behind() -> None:
    """A program that analyses in processes ends at once and prints nothing."""
    program = (
        "from tests.support.simulations import BRANCH, simulate_trials\n"
        "from training_factors.study.analysis.importance import analyse\n"
        "analyse(simulate_trials(BRANCH, 64), BRANCH.space, seed=0, jobs=2)\n"
        "from training_factors.__main__ import end\n"
        "end(0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
