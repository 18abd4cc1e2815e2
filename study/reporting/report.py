"""The report of a study: everything that its page and charts are drawn from, read once."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from training_factors.search_spaces.description import SpaceDescription
from training_factors.storage.arms import CONTRAST
from training_factors.storage.datasheet import DataSheet, read_sheet
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import Answer, NoAnswer
from training_factors.study.analysis.contrasts import Confirmation
from training_factors.study.analysis.diagnostics import (
    Breakdown,
    ConfusionMatrix,
    add_confusions,
    breakdowns,
    overall_breakdown,
)
from training_factors.study.analysis.lenses import Lenses
from training_factors.study.reporting.analyses import (
    ConfirmationData,
    StudyData,
    read_study_data,
    stored_lenses,
)
from training_factors.study.reporting.confirmation_table import (
    ConfirmationResult,
    confirmation_result,
)
from training_factors.study.reporting.importance_tables import Summary, summarize
from training_factors.study.reporting.recommendation_table import (
    Recommendation,
    recommendation_of,
)
from training_factors.study.reporting.status import StudyStatus, best_trial, compute_status


class Report(NamedTuple):
    """The contents of a study's report.

    trials: all trials of the study. summary, advice: None where too few rows were measured, and
    `no_answer_reason` says so. confirmed: None where nothing is confirmed yet. test: metric ->
    its values on the test part, one per seed, of the confirmed best configuration. confusion,
    breakdowns, overall: see `training_factors.study.analysis.diagnostics`. lenses: None unless they
    are cached. sheet: None where the study has no data sheet.
    """

    name: str
    stamp: Stamp
    status: StudyStatus
    trials: tuple[Trial, ...]
    summary: Summary | None
    advice: Recommendation | None
    no_answer_reason: str
    confirmed: ConfirmationResult | None
    test: Mapping[str, Sequence[float]]
    confusion: ConfusionMatrix | None
    breakdowns: tuple[Breakdown, ...]
    overall: Breakdown | None
    lenses: Lenses | None
    sheet: DataSheet | None

    @property
    def answer(self) -> Answer | None:
        """The importance of every factor; None where too few rows were measured."""
        return self.summary.answer if self.summary else None

    @property
    def confirmation(self) -> Confirmation | None:
        """The paired differences of the confirmation; None where nothing is confirmed yet."""
        return self.confirmed.confirmation if self.confirmed else None

    @property
    def best(self) -> Trial | None:
        """The first run of the confirmed configuration, otherwise the run with the best value."""
        config = self.confirmation.config if self.confirmation else None
        comparable = [trial for trial in self.trials if trial.complete and trial.is_comparable]
        same = (trial for trial in comparable if trial.parameters == config)
        return next(same, self.status.best)

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
    has_answer = data.answer is not None
    test_runs = _test_runs(data.confirmation)
    return Report(
        name=study.name,
        stamp=study.stamp,
        status=compute_status(study, trials),
        trials=trials,
        summary=summarize(data) if has_answer else None,
        advice=recommendation_of(data) if has_answer else None,
        no_answer_reason=data.no_answer_reason,
        confirmed=_confirmed(data),
        test=_test_metrics(test_runs),
        confusion=_confusion(study, trials, test_runs),
        breakdowns=breakdowns(trials, study.stamp.space),
        overall=overall_breakdown(trials),
        lenses=stored_lenses(study, trials),
        sheet=read_sheet(study),
    )


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
        source = f"the best configuration on the test set, {len(tested)} seeds added up"
        return add_confusions(tested, classes, source)
    best = best_trial(trials)
    if best is None:
        return None
    source = f"the best run, #{best.number}, on the validation set"
    return add_confusions([best.confusion], classes, source)
