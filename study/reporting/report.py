"""The report of a study: everything that its page and charts are drawn from, read once."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from training_factors.search_spaces.description import SpaceDescription
from training_factors.storage.arms import CONTRAST
from training_factors.storage.datasheet import DataSheet, read_sheet
from training_factors.storage.own_configurations import read_own_configurations
from training_factors.storage.provenance import REPEATABLE_PHASES, Provenance, SearchedRun
from training_factors.storage.run_queue import Run
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import Answer, NoAnswer
from training_factors.study.analysis.best_configuration import BestConfiguration, best_trial
from training_factors.study.analysis.checks import Check, StudyFacts, check_study
from training_factors.study.analysis.contrasts import Confirmation
from training_factors.study.analysis.diagnostics import (
    Breakdown,
    ConfusionMatrix,
    breakdowns,
    mean_confusion,
    overall_breakdown,
)
from training_factors.study.analysis.failures import (
    Explanation,
    PruningAudit,
    audit_pruning,
    explain_failures,
)
from training_factors.study.analysis.lenses import Lenses
from training_factors.study.reporting.analyses import (
    ConfirmationData,
    StudyData,
    read_study_data,
    stored_lenses,
)
from training_factors.study.reporting.conclusion import Conclusion
from training_factors.study.reporting.confirmation_table import (
    ConfirmationResult,
    confirmation_result,
)
from training_factors.study.reporting.recommendation_table import (
    Recommendation,
    recommendation_of,
)
from training_factors.study.reporting.status import StudyStatus, compute_status


class Report(NamedTuple):
    """The contents of a study's report.

    trials: all trials of the study. conclusion: what it has found so far. answer, advice: None
    where too few rows were measured. confirmed: None where nothing is confirmed yet. test: metric
    -> its values on the test part, one per seed, of the confirmed best configuration. confusion,
    breakdowns, overall: see `training_factors.study.analysis.diagnostics`. lenses: None unless they
    are cached. sheet: None where the study has no data sheet. provenance: what is needed to run the
    study again. checks: its weaknesses, the most serious first. explanations, pruning: see
    `training_factors.study.analysis.failures`.
    """

    name: str
    stamp: Stamp
    status: StudyStatus
    trials: tuple[Trial, ...]
    conclusion: Conclusion
    answer: Answer | None
    advice: Recommendation | None
    confirmed: ConfirmationResult | None
    test: Mapping[str, Sequence[float]]
    confusion: ConfusionMatrix | None
    breakdowns: tuple[Breakdown, ...]
    overall: Breakdown | None
    lenses: Lenses | None
    sheet: DataSheet | None
    provenance: Provenance
    checks: tuple[Check, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    pruning: PruningAudit | None = None

    def require_answer(self) -> Answer:
        """Return the answer. Raises NoAnswer with the reason where there is none."""
        if self.answer is None:
            raise NoAnswer(self.conclusion.sentence)
        return self.answer

    def require_best(self) -> BestConfiguration:
        """Return the best configuration, which every report has: some run is complete."""
        assert self.best is not None, "a report needs a complete run"
        return self.best

    @property
    def confirmation(self) -> Confirmation | None:
        """The paired differences of the confirmation; None where nothing is confirmed yet."""
        return self.confirmed.confirmation if self.confirmed else None

    @property
    def best(self) -> BestConfiguration | None:
        """The best configuration so far; None before any run is complete."""
        return self.conclusion.best

    @property
    def data(self) -> str:
        """The data's name."""
        return self.status.data

    @property
    def objective(self) -> str:
        """The name of the metric that the study maximizes."""
        return self.status.objective

    @property
    def space(self) -> SpaceDescription:
        """The described search space of the study."""
        return self.stamp.space


def read_report(study: Study, jobs: int) -> Report:
    """Read a study and collect its report; the answer is computed unless it is cached.

    jobs: number of processes that compute the answer. Raises NoAnswer when no run is complete.
    """
    data = read_study_data(study, jobs)
    trials = data.trials
    if not any(trial.complete for trial in trials):
        raise NoAnswer(
            f"no measured configurations, and no other run of {study.name} is complete: there "
            "is nothing to show yet"
        )
    conclusion = data.conclusion
    test_runs = _test_runs(data.confirmation)
    return Report(
        name=study.name,
        stamp=study.stamp,
        status=compute_status(study, trials, conclusion.best),
        trials=trials,
        conclusion=conclusion,
        answer=data.answer,
        advice=recommendation_of(data) if data.answer else None,
        confirmed=_confirmed(data),
        test=_test_metrics(test_runs),
        confusion=_confusion(study, trials, test_runs),
        breakdowns=breakdowns(trials, study.stamp.space),
        overall=overall_breakdown(trials),
        lenses=stored_lenses(study, trials),
        sheet=read_sheet(study),
        provenance=provenance_of(data),
        checks=checks_of(data),
        explanations=explain_failures(trials, study.stamp.space),
        pruning=audit_pruning(trials, study.stamp.epochs),
    )


def provenance_of(data: StudyData) -> Provenance:
    """Return what is needed to run a study again, with the results of its runs so far."""
    study, confirmation = data.study, data.confirmation
    trials = (*data.trials, *(confirmation.trials if confirmation else ()))
    ended = [trial for trial in trials if trial.complete or trial.state in ("PRUNED", "FAIL")]
    return Provenance(
        stamp=study.stamp,
        runs=values_of(data.trials),
        searched=sum(trial.phase == "search" for trial in ended),
        best=_searched_run(data.best),
        own=tuple(read_own_configurations(study)),
        devices=tuple(sorted({str(trial.attributes.get("device", "unknown")) for trial in ended})),
        arms=confirmation.arms if confirmation else (),
        confirmed=confirmed_values(confirmation.trials) if confirmation else {},
    )


def values_of(trials: Sequence[Trial]) -> dict[Run, float | None]:
    """Return the objective of the runs of a study that ended and can be repeated."""
    values = {
        Run(trial.phase, trial.row, trial.repeat): trial.value if trial.complete else None
        for trial in trials
        if trial.phase in REPEATABLE_PHASES and (trial.complete or trial.state == "FAIL")
    }
    return dict(sorted(values.items()))


def confirmed_values(trials: Sequence[Trial]) -> dict[Run, float | None]:
    """Return the objective of the runs of a confirmation: on the test part where they use it."""
    return {
        Run(trial.phase, trial.row, trial.repeat): (
            trial.value if trial.test_value is None else trial.test_value
        )
        for trial in sorted(trials, key=lambda trial: (trial.row, trial.repeat))
        if trial.complete or trial.state == "FAIL"
    }


def _searched_run(best: BestConfiguration | None) -> SearchedRun | None:
    """Return the run of the best configuration where the search found it, else None."""
    trial = None if best is None else best.trial
    if trial is None or trial.phase != "search" or trial.value is None:
        return None
    run = Run(trial.phase, trial.row, trial.repeat)
    return SearchedRun(trial.number, run, trial.seed, trial.parameters, trial.value)


def checks_of(data: StudyData) -> tuple[Check, ...]:
    """Return the weaknesses of a study, the most serious first."""
    study, best = data.study, data.best
    rows = study.queue.rows("measure")
    trial = None if best is None else best.trial
    return check_study(StudyFacts(data.trials, study.stamp, trial, data.answer, rows))


def _confirmed(data: StudyData) -> ConfirmationResult | None:
    if data.confirmation is None or data.confirmation.result is None:
        return None
    return confirmation_result(data.study, data.confirmation)


def _test_runs(confirmation: ConfirmationData | None) -> list[Trial]:
    """Return the runs of the best configuration on the test part, once it is confirmed."""
    if confirmation is None or confirmation.result is None:
        return []
    best = next(row for row, arm in enumerate(confirmation.arms) if arm.purpose == CONTRAST)
    return [t for t in confirmation.trials if t.row == best and t.test_value is not None]


def _test_metrics(runs: Sequence[Trial]) -> dict[str, list[float]]:
    """Return the values of every test metric, one per run that has it."""
    names = dict.fromkeys(name for run in runs for name in run.test)
    return {
        name: [float(run.test[name]) for run in runs if run.test.get(name) is not None]
        for name in names
    }


def _confusion(
    study: Study, trials: Sequence[Trial], test_runs: Sequence[Trial]
) -> ConfusionMatrix | None:
    """Return the confusions on the test part if confirmed, else of the best run on validation."""
    classes = study.stamp.class_names
    tested = [run.test_confusion for run in test_runs if run.test_confusion]
    if tested:
        source = "the best configuration on the test set"
        return mean_confusion(tested, classes, source)
    best = best_trial(trials)
    if best is None:
        return None
    source = f"the best run, #{best.number}, on the validation set"
    return mean_confusion([best.confusion], classes, source)
