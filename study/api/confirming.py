"""Confirm a study: check what is wanted, tell its cost, and run stage by stage.

Imports stand inside the functions: only what is needed is loaded.
"""

import math
import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from training_factors.study.api.execution import (
    WorkerSettings,
    count_workers,
    prepare_stored,
    run_queue,
)
from training_factors.study.api.opening import retry_runs
from training_factors.study.api.output import LastingDisplay, Output

if TYPE_CHECKING:
    from training_factors.search_spaces.description import SpaceDescription
    from training_factors.storage.arms import Arm
    from training_factors.storage.run_queue import Run
    from training_factors.storage.studies import Study
    from training_factors.storage.trials import Trial
    from training_factors.study.analysis.answer import Answer
    from training_factors.study.reporting.status import StageStatus
    from training_factors.study.running.confirmation_size import (
        ConfirmationRequest,
        ConfirmationSize,
    )
    from training_factors.study.running.preparation import PreparedStudy


class Wanted(NamedTuple):
    """The wishes of a user for a confirmation; None leaves the choice to the tool.

    factors: to change, by name. difference: the smallest one to detect, in points or in the unit of
    a loss. top: number of candidates to rank. seeds: of each arm. hours: that it may take. path:
    whether to run the path from the baseline to the best configuration. retries_failed: whether
    runs that failed are run again; then what is not named stays as it was.
    """

    factors: Sequence[str] | None = None
    difference: float | None = None
    top: int | None = None
    seeds: int | None = None
    hours: float | None = None
    path: bool = False
    retries_failed: bool = False


class _State(NamedTuple):
    """A study and its confirmation, as far as there is one.

    space: of the study; as the code declares it where it is loaded, since studies of an earlier
    version have not stored which factors need another learning rate.
    """

    study: "Study"
    space: "SpaceDescription"
    candidates: "Sequence[Trial]"
    arms: "Sequence[Arm]"
    trials: "Sequence[Trial]"

    def size(self, request: "ConfirmationRequest") -> "ConfirmationSize":
        """Return how many runs the request takes, with those that have ended."""
        from training_factors.study.running.confirmation_size import confirmation_size

        return confirmation_size(request, self.space, self.candidates, self.arms, self.trials)

    def without(self, runs: "Sequence[Run]") -> "_State":
        """Return the same as if these runs of the confirmation had not ended."""
        left = {(run.row, run.repeat) for run in runs}
        return self._replace(trials=[t for t in self.trials if (t.row, t.repeat) not in left])

    @property
    def compared(self) -> list[str]:
        """Names of the factors that the confirmation has compared so far, without the placebo."""
        from training_factors.search_spaces.description import PLACEBO
        from training_factors.storage.arms import CONTRAST

        names = [arm.factor for arm in self.arms if arm.purpose == CONTRAST]
        return [name for name in dict.fromkeys(names) if name not in (None, PLACEBO)]

    @property
    def run_s(self) -> float:
        """Mean seconds of a complete run: of the confirmation, or else of the study."""
        complete = [t for t in self.trials if t.complete and t.time_s is not None]
        complete = complete or [t for t in self.candidates if t.complete and t.time_s is not None]
        return sum(trial.time_s or 0.0 for trial in complete) / max(len(complete), 1)


def check_wanted(wanted: Wanted) -> None:
    """Raise ValueError for a number that no confirmation can have, or two that contradict."""
    from training_factors.study.running.confirmation_size import LEAST_SEEDS

    if wanted.top is not None and wanted.top < 1:
        raise ValueError(f"--top {wanted.top} must be 1 or more")
    if wanted.seeds is not None and wanted.seeds < LEAST_SEEDS:
        raise ValueError(f"--seeds {wanted.seeds} must be {LEAST_SEEDS} or more")
    if wanted.hours is None:
        return
    if not (wanted.hours > 0 and math.isfinite(wanted.hours)):
        raise ValueError(f"--hours {wanted.hours:g} must be a number greater than 0")
    if wanted.seeds is not None:
        raise ValueError(
            f"--hours picks the number of seeds; leave --seeds {wanted.seeds} or --hours out"
        )


def confirm_study(
    study: "Study", wanted: Wanted, settings: WorkerSettings, output: Output, jobs: int
) -> tuple[int, "Study"]:
    """Plan and run a confirmation, stage by stage; return the exit code and its study.

    jobs: number of processes that compute the answer. Raises ValueError for wrong input, and where
    not even the smallest confirmation fits into the hours, before anything is stored; NoAnswer when
    too few configurations were measured.
    """
    from training_factors.storage.arms import retryable_runs
    from training_factors.storage.studies import create_confirmation
    from training_factors.study.reporting.analyses import answer_of

    check_wanted(wanted)
    difference = smallest_difference(study, wanted.difference)
    answer = answer_of(study, jobs)
    state = _read_state(study)
    request = _requested(state, wanted, difference, answer)
    _check_ranking(state, wanted, output)
    prepared = prepare_stored(study, settings)
    retried = retryable_runs(state.arms, state.trials) if wanted.retries_failed else []
    state = state.without(retried)._replace(space=prepared.space.describe())
    workers = count_workers(settings, is_given=prepared.is_given)
    if wanted.hours is not None:
        request = _fitted(state, request, wanted.hours, workers)
    if wanted.retries_failed:
        retry_runs(create_confirmation(study), retried, output.notify)
    _tell_cost(state, request, workers, output)
    return _run_stages(state, create_confirmation(study), request, prepared, settings, output)


def describe_cost(study: "Study", answer: "Answer", trials: "Sequence[Trial]") -> str | None:
    """Return what `confirm` takes, `confirm takes about 85 to 190 runs, about 12 s to 26 s`.

    For the screen of a study whose next command it is; None where nothing is left to confirm.
    trials: all of the study. The time is that of the machine that measured them, with a worker for
    each of its GPUs or of this machine's cores. Loads no torch.
    """
    state = _read_state(study, trials)
    request = _requested(state, Wanted(), smallest_difference(study, None), answer)
    words = _cost_words(state, request, _usual_workers(trials))
    return None if words is None else f"confirm takes {words}"


def smallest_difference(study: "Study", named: float | None) -> float:
    """Return the smallest difference worth seeing, in the unit of the objective.

    named: in points, or in the unit of a loss; None for one point, or 1 % of the loss at chance.
    Raises ValueError for a difference that is too small.
    """
    from training_factors.storage.metrics import metric_of

    metric = metric_of(study.stamp.objective)
    least = 0.0 if metric.unit else 0.01
    if named is not None and not (named >= least and named > 0):
        at_least = "greater than 0" if metric.unit else "0.01 or more"
        raise ValueError(f"--difference {named:g} must be {at_least}")
    if not metric.unit:
        return (1.0 if named is None else named) / 100
    return study.stamp.chance[metric.name] / 100 if named is None else named


def _requested(
    state: _State, wanted: Wanted, difference: float, answer: "Answer"
) -> "ConfirmationRequest":
    """Return the request. A path that was run once gets as many seeds as the comparison, always."""
    from training_factors.storage.arms import PATH
    from training_factors.study.api.compared_factors import factors_to_confirm
    from training_factors.study.running.confirmation_size import CANDIDATES, ConfirmationRequest
    from training_factors.study.running.seed_power import seeds_so_far

    study, named, seeds = state.study, wanted.factors, wanted.seeds
    if wanted.retries_failed and state.compared:
        named = state.compared if named is None else named
        is_open = (wanted.difference, wanted.hours, seeds) == (None, None, None)
        seeds = seeds_so_far(state.arms, state.trials) if is_open else seeds
    by_share = tuple(factor.name for factor in answer.factors)
    has_path = any(arm.purpose == PATH for arm in state.arms)
    return ConfirmationRequest(
        factors_to_confirm(study, answer, state.candidates, named),
        difference,
        CANDIDATES if wanted.top is None else wanted.top,
        seeds,
        by_share if wanted.path or has_path else None,
    )


def _read_state(study: "Study", trials: "Sequence[Trial] | None" = None) -> _State:
    """Read the trials of a study, unless they are given, and its confirmation if there is one."""
    from training_factors.storage.arms import read_arms
    from training_factors.storage.studies import find_confirmation
    from training_factors.storage.trials import read_trials

    candidates = read_trials(study) if trials is None else trials
    confirmation = find_confirmation(study)
    if confirmation is None:
        return _State(study, study.stamp.space, candidates, (), ())
    return _State(
        study, study.stamp.space, candidates, read_arms(confirmation), read_trials(confirmation)
    )


def _check_ranking(state: _State, wanted: Wanted, output: Output) -> None:
    """Say what holds where a confirmation that goes on has more than is asked for.

    Raises ValueError where more candidates are asked for than were ranked: everything that followed
    from the ranking would have to run again.
    """
    from training_factors.storage.arms import RANK
    from training_factors.storage.studies import find_confirmation
    from training_factors.study.running.confirmation_size import best_candidates
    from training_factors.study.running.seed_power import seeds_so_far

    ranked = sum(arm.purpose == RANK for arm in state.arms)
    if ranked and wanted.top is not None and wanted.top != ranked:
        if len(best_candidates(state.candidates, wanted.top)) > ranked:
            confirmation = find_confirmation(state.study)
            assert confirmation is not None  # it holds the ranking
            raise ValueError(
                f"--top {wanted.top}: {state.study.name} is confirmed from a ranking of {ranked}, "
                "and a longer one would start it anew; leave --top out, or delete the confirmation "
                f"first: delete --study {shlex.quote(confirmation.name)}"
            )
        output.notify(f"the ranking of {ranked} candidates holds; --top {wanted.top} is not used")
    so_far = seeds_so_far(state.arms, state.trials)
    if wanted.seeds is not None and wanted.seeds < so_far:
        output.notify(f"{so_far} seeds per arm have run already; --seeds {wanted.seeds} adds none")


def _fitted(
    state: _State, request: "ConfirmationRequest", hours: float, workers: int
) -> "ConfirmationRequest":
    """Return the request with as many seeds as fit into the hours. Raises ValueError if none do."""
    from training_factors.study.reporting.status import format_duration
    from training_factors.study.running.confirmation_size import largest_that_fits, least_request

    run_s = state.run_s / workers
    fitting = largest_that_fits(request, 3600 * hours / run_s, state.size)
    if fitting is not None:
        return fitting
    least = least_request(request)
    runs = state.size(least).left.high
    needed = math.ceil(runs * run_s / 3.6) / 1000
    raise ValueError(
        f"--hours {hours:g} is too short: the least, {least.seeds} seeds per arm, takes up to "
        f"{runs} runs, about {format_duration(runs * run_s)}; use --hours {needed:g} or fewer "
        "--factors"
    )


def _tell_cost(state: _State, request: "ConfirmationRequest", workers: int, output: Output) -> None:
    from training_factors.study.running.confirmation_size import CANDIDATES

    words = _cost_words(state, request, workers)
    if words is None:
        output.notify(f"all runs of the confirmation of {state.study.name} are done")
        return
    by = "1 worker" if workers == 1 else f"{workers} workers"
    chosen = [] if request.seeds is None else [f"{request.seeds} seeds per arm"]
    if request.candidates != CANDIDATES:
        chosen.append(f"{request.candidates} ranked")
    output.notify("; ".join([f"confirm takes {words} with {by}", *chosen]))


def _cost_words(state: _State, request: "ConfirmationRequest", workers: int) -> str | None:
    """Return `about 85 to 190 runs, about 12 s to 26 s`; None where no run is left."""
    from training_factors.study.reporting.status import about_runs, about_time

    low, high = state.size(request).left
    if not high:
        return None
    run_s = state.run_s / workers
    return f"about {about_runs(low, high)}, about {about_time(low * run_s, high * run_s)}"


def _usual_workers(trials: "Sequence[Trial]") -> int:
    """Return how many workers are likely to run: one per GPU that was used, or per core here."""
    from joblib import cpu_count

    places = {(t.attributes.get("host"), t.attributes.get("device")) for t in trials}
    devices = [place for place in places if place[1] not in (None, "cpu")]
    return len(devices) or int(cpu_count())


def _run_stages(
    state: _State,
    confirmation: "Study",
    request: "ConfirmationRequest",
    prepared: "PreparedStudy",
    settings: WorkerSettings,
    output: Output,
) -> tuple[int, "Study"]:
    """Run what waits, then plan and run one stage after the other."""
    from training_factors.storage.arms import RANK, read_arms
    from training_factors.study.running.confirmation import plan_next

    arms, study = read_arms(confirmation), state.study
    purpose: str | None = arms[-1].purpose if arms else RANK
    with ExitStack() as opened:
        display = LastingDisplay(output, settings.url, opened)
        shown = output._replace(progress=display.progress)
        while purpose is not None:
            display.stage = _stage_status(state, confirmation, request, purpose)
            code = run_queue(confirmation, prepared, settings, shown, is_stage=True)
            if code:
                return code, confirmation
            purpose = plan_next(study, confirmation, prepared.space, request)
        display.stage = None
    return 0, confirmation


def _stage_status(
    state: _State, confirmation: "Study", request: "ConfirmationRequest", purpose: str
) -> "StageStatus":
    """Return which stage of how many begins, and the range of the number of all runs."""
    from training_factors.storage.arms import STAGE_NAMES
    from training_factors.study.reporting.status import StageStatus

    size = _read_state(state.study)._replace(space=state.space).size(request)
    purposes = [stage.purpose for stage in size.stages]
    done = sum(phase.done for phase in confirmation.queue.progress().values())
    low, high = size.left
    # A path whose steps have all been compared has no runs of its own, and is no stage then.
    number = 1 + purposes.index(purpose) if purpose in purposes else len(purposes)
    return StageStatus(number, len(purposes), STAGE_NAMES[purpose], done + low, done + high)
