"""Count the runs that a confirmation takes, before it starts and as it goes.

A number of runs is a range: what the first runs show decides how many seeds are needed, and which
candidate is the best one decides how long the path is. Nothing here needs torch, so that screens
that only read a study can tell the cost of its confirmation.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from training_factors.search_spaces.description import (
    PLACEBO,
    SpaceDescription,
    parse_parameter,
)
from training_factors.storage.arms import CONTRAST, PATH, RANK, TUNE, Arm, row_of_runs
from training_factors.storage.own_configurations import OWN, name_run
from training_factors.storage.trials import Trial
from training_factors.study.running.confirmation_path import baseline_of, path_arms
from training_factors.study.running.seed_power import (
    MAX_SEEDS,
    MIN_SEEDS,
    seeds_so_far,
    seeds_to_detect,
)

CANDIDATES = 5
"""Number of configurations that are ranked again: the best of hundreds of runs is partly luck."""

RANKING_SEEDS = 3
"""Number of runs of each candidate, with fresh seeds."""

LEARNING_RATES = 8
"""Number of learning rates to try when re-tuning an arm whose factor was changed."""

LEAST_SEEDS = 3
"""Minimum number of paired runs of each contrast that a user may name."""

LEADING_FACTORS = 5
"""Number of factors to compare where none is named: those with the largest shares."""


class Range(NamedTuple):
    """The least and the largest number of something."""

    low: int
    high: int

    def plus(self, other: "Range") -> "Range":
        """Return the range of the sum."""
        return Range(self.low + other.low, self.high + other.high)

    def times(self, other: "Range") -> "Range":
        """Return the range of the product."""
        return Range(self.low * other.low, self.high * other.high)

    def less(self, done: int) -> "Range":
        """Return what is left, not less than 0."""
        return Range(max(0, self.low - done), max(0, self.high - done))


NONE = Range(0, 0)
"""The range of what is not there."""


class ConfirmationRequest(NamedTuple):
    """The comparisons that a user asks for.

    alternatives: factor -> the option to try where the best configuration has the factor at its
    baseline already; the placebo is always added. difference: the smallest difference that matters,
    in the unit of the objective; seeds are added until it would be detected. candidates: number of
    configurations to rank. seeds: of each contrast; None for as many as the difference needs. path:
    the factors that vary, by share, to also run the path from the baseline; None for no path.
    """

    alternatives: Mapping[str, str]
    difference: float
    candidates: int = CANDIDATES
    seeds: int | None = None
    path: tuple[str, ...] | None = None


class StageSize(NamedTuple):
    """The runs of one stage. purpose: of its arms. left: those that have not ended yet."""

    purpose: str
    runs: Range
    left: Range


class ConfirmationSize(NamedTuple):
    """The runs of a confirmation, stage by stage, without the stages that it does not need."""

    stages: tuple[StageSize, ...]

    @property
    def runs(self) -> Range:
        """The number of all runs."""
        return _sum(stage.runs for stage in self.stages)

    @property
    def left(self) -> Range:
        """The number of runs that have not ended yet."""
        return _sum(stage.left for stage in self.stages)


def best_candidates(trials: Sequence[Trial], number: int) -> list[Arm]:
    """Return the best complete trials of a study as arms to rank, without equal configurations.

    The user's own configurations are always among them.
    """
    complete = [t for t in trials if t.complete and t.value is not None and t.is_comparable]
    ranked = sorted(complete, key=lambda trial: (-(trial.value or 0.0), trial.number))
    candidates: dict[str, Arm] = {}
    own: set[str] = set()
    for trial in ranked:
        config = {name: value for name, value in trial.parameters.items() if name != PLACEBO}
        values = repr(sorted(config.items()))
        candidates.setdefault(values, Arm(RANK, name_run("trial ", trial), None, trial.parameters))
        if trial.phase == OWN:
            own.add(values)
    return [
        arm
        for place, (values, arm) in enumerate(candidates.items())
        if place < number or values in own
    ]


def confirmation_size(
    request: ConfirmationRequest,
    space: SpaceDescription,
    candidates: Sequence[Trial],
    arms: Sequence[Arm] = (),
    trials: Sequence[Trial] = (),
) -> ConfirmationSize:
    """Return the runs of a confirmation, as far as they are known by now.

    candidates: trials of the study that is confirmed. arms, trials: of the confirmation so far.
    """
    seeds = _seeds(request, arms, trials)
    runs = {
        RANK: _ranking_runs(request, candidates, arms),
        TUNE: _tuning_runs(request, space, arms),
        CONTRAST: _compared(request, space, arms).times(seeds),
        PATH: _steps(request, space, candidates, arms).times(seeds),
    }
    ended = Counter(arms[row].purpose for row, _ in _ended(trials))
    return ConfirmationSize(
        tuple(
            StageSize(purpose, number, number.less(ended[purpose]))
            for purpose, number in runs.items()
            if number.high
        )
    )


def planned_size(space: SpaceDescription) -> ConfirmationSize:
    """Return the runs of the confirmation of a study that has not run yet.

    Which factors it will compare is not known; its path is not counted.
    """
    ranges = [_retuned(space, [name]) for name in space.varied]
    compared = min(LEADING_FACTORS, len(ranges))
    retuned = Range(
        sum(sorted(low for low, _ in ranges)[:compared]),
        sum(sorted(high for _, high in ranges)[len(ranges) - compared :]),
    )
    contrasts = retuned.plus(Range(compared + 2, compared + 2))
    stages = {
        RANK: Range(CANDIDATES, CANDIDATES).times(Range(RANKING_SEEDS, RANKING_SEEDS)),
        TUNE: retuned.times(Range(LEARNING_RATES, LEARNING_RATES)),
        CONTRAST: contrasts.times(Range(MIN_SEEDS, MAX_SEEDS)),
    }
    return ConfirmationSize(tuple(StageSize(name, runs, runs) for name, runs in stages.items()))


def largest_that_fits(
    request: ConfirmationRequest,
    runs: float,
    size_of: Callable[[ConfirmationRequest], ConfirmationSize],
) -> ConfirmationRequest | None:
    """Return the request with the most seeds for which this number of runs is enough.

    Candidates are only given up where their number leaves no room for the fewest seeds. None where
    not even a single candidate with the fewest seeds fits.
    """
    return next(
        (fitting for fitting in _smaller(request) if size_of(fitting).left.high <= runs), None
    )


def least_request(request: ConfirmationRequest) -> ConfirmationRequest:
    """Return the smallest request for the same factors: one candidate, the fewest seeds."""
    return request._replace(candidates=1, seeds=LEAST_SEEDS)


def _smaller(request: ConfirmationRequest) -> list[ConfirmationRequest]:
    return [
        request._replace(candidates=candidates, seeds=seeds)
        for candidates in range(request.candidates, 0, -1)
        for seeds in range(MAX_SEEDS, LEAST_SEEDS - 1, -1)
    ]


def _ranking_runs(
    request: ConfirmationRequest, candidates: Sequence[Trial], arms: Sequence[Arm]
) -> Range:
    ranked = sum(arm.purpose == RANK for arm in arms)
    ranked = ranked or len(best_candidates(candidates, request.candidates))
    return Range(ranked * RANKING_SEEDS, ranked * RANKING_SEEDS)


def _tuning_runs(
    request: ConfirmationRequest, space: SpaceDescription, arms: Sequence[Arm]
) -> Range:
    planned = sum(arm.purpose == TUNE for arm in arms)
    known = {arm.factor for arm in arms if arm.purpose in (TUNE, CONTRAST)}
    missing = [name for name in request.alternatives if name not in known]
    new = _retuned(space, missing).times(Range(LEARNING_RATES, LEARNING_RATES))
    return new.plus(Range(planned, planned))


def _compared(request: ConfirmationRequest, space: SpaceDescription, arms: Sequence[Arm]) -> Range:
    """Return the number of contrasts: the best configuration, its changes and the placebo's."""
    planned = [arm.factor for arm in arms if arm.purpose == CONTRAST]
    tuned = {arm.factor for arm in arms if arm.purpose == TUNE}
    missing = [name for name in request.alternatives if name not in planned]
    known = len(planned) if planned else 2
    certain = known + len(missing) + sum(name in tuned for name in missing)
    open_ones = _retuned(space, [name for name in missing if name not in tuned])
    return open_ones.plus(Range(certain, certain))


def _steps(
    request: ConfirmationRequest,
    space: SpaceDescription,
    candidates: Sequence[Trial],
    arms: Sequence[Arm],
) -> Range:
    """Return the number of steps of the path that have runs of their own."""
    if request.path is None:
        return NONE
    if any(arm.purpose == PATH for arm in arms):
        own = sum(
            arm.purpose == PATH and row_of_runs(arms, row) == row for row, arm in enumerate(arms)
        )
        return Range(own, own)
    best = [arm for arm in arms if arm.purpose == CONTRAST][:1]
    ranked = [arm for arm in arms if arm.purpose == RANK]
    likely = best or ranked or best_candidates(candidates, request.candidates)
    own_steps = [_own_steps(request, space, arm) for arm in likely]
    return Range(min(own_steps, default=0), max(own_steps, default=0))


def _own_steps(request: ConfirmationRequest, space: SpaceDescription, best: Arm) -> int:
    """Return how many steps lead to a configuration and are not compared with it anyway.

    The last step is the best configuration itself; the one before is compared where the factor
    between them is.
    """
    compared = dict.fromkeys(request.alternatives, 0.0)
    steps = path_arms(baseline_of(space), best.config, request.path or (), compared)
    is_shared = len(steps) > 1 and steps[-1].factor in compared
    return len(steps) - 1 - is_shared


def _seeds(request: ConfirmationRequest, arms: Sequence[Arm], trials: Sequence[Trial]) -> Range:
    """Return the number of seeds of each contrast; the power analysis needs some runs first."""
    so_far = seeds_so_far(arms, trials)
    if request.seeds is not None:
        return Range(max(request.seeds, so_far), max(request.seeds, so_far))
    if _is_compared(request, arms, trials):
        seeds = max(so_far, seeds_to_detect(arms, trials, request.difference))
        return Range(seeds, seeds)
    return Range(max(MIN_SEEDS, so_far), max(MAX_SEEDS, so_far))


def _is_compared(
    request: ConfirmationRequest, arms: Sequence[Arm], trials: Sequence[Trial]
) -> bool:
    """Return whether every contrast has ended with the seeds that the power analysis needs."""
    rows = [row for row, arm in enumerate(arms) if arm.purpose == CONTRAST]
    ended = Counter(row for row, _ in _ended(trials))
    is_planned = set(request.alternatives) <= {arms[row].factor for row in rows}
    return bool(rows) and is_planned and all(ended[row] >= MIN_SEEDS for row in rows)


def _retuned(space: SpaceDescription, factors: Sequence[str]) -> Range:
    """Return how many of the factors need another learning rate when they are changed."""
    if not any(parse_parameter(c.name).hyperparameter == "lr" for c in space.coordinates):
        return NONE
    known = [space.factor(name).retune for name in factors]
    return Range(known.count(True), len(known) - known.count(False))


def _ended(trials: Sequence[Trial]) -> set[tuple[int, int]]:
    """Return the row and the repeat of every run that has ended; a run may have several trials."""
    is_open = ("RUNNING", "WAITING")
    return {(trial.row, trial.repeat) for trial in trials if trial.state not in is_open}


def _sum(ranges: Iterable[Range]) -> Range:
    total = NONE
    for one in ranges:
        total = total.plus(one)
    return total
