"""Train a stored run again, with its configuration, data and seed; nothing is stored."""

from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.running.process_setup import configure_process
from training_factors.study.running.reporter import evaluation_interval
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.running.trial_runner import with_division_of
from training_factors.study.running.worker import open_context
from training_factors.study.training.loop import Outcome, train


def find_run(study: Study, number: int) -> Trial:
    """Return the complete run of this number.

    Raises ValueError when the study has no such run, and when it was not trained to its end.
    """
    trials = read_trials(study)
    trial = next((trial for trial in trials if trial.number == number), None)
    if trial is None:
        last = max((trial.number for trial in trials), default=None)
        known = "it has no runs yet" if last is None else f"its runs are #0 to #{last}"
        raise ValueError(f"{study.name} has no run #{number}; {known}")
    if not trial.complete or trial.value is None:
        ended = {"FAIL": f"failed ({trial.reason})", "PRUNED": "was pruned"}
        state = ended.get(trial.state, "has not ended")
        raise ValueError(
            f"run #{number} of {study.name} {state}; only a run that was trained to its end can be "
            "trained again"
        )
    return trial


def train_again(
    study: Study, prepared: PreparedStudy, trial: Trial, device_name: str
) -> tuple[Outcome, str]:
    """Train a run again as a worker trains it; return the outcome, and the device it ran on."""
    configure_process()
    context = open_context(study, prepared, device_name, 0, WorkerTiming())
    context = with_division_of(context, Run(trial.phase, trial.row, trial.repeat))
    outcome = train(
        context.space.build(trial.parameters, context.data.problem),
        context.data,
        context.model,
        context.epochs,
        trial.seed,
        lambda *_: False,
        context.test if trial.test_value is not None else None,
        every=evaluation_interval(context.epochs),
        metric=context.objective.metric,
    )
    return outcome, context.device
