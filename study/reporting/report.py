"""All that a report is drawn from, read once."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import TypeAdapter

from training_factors.search_spaces.description import SpaceDescription
from training_factors.storage.arms import CONTRAST, read_arms
from training_factors.storage.datasheet import DataSheet, read_sheet
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import Study, confirmation_name, find_study
from training_factors.storage.trials import Trial, read_trials
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
from training_factors.study.reporting import (
    confirmation_table,
    importance_tables,
    recommendation_table,
)
from training_factors.study.reporting.analyses import stored
from training_factors.study.reporting.status import StudyStatus, best_trial, compute_status


class Report(NamedTuple):
    """What there is to say about a study.

    stamp: what the study is. trials: all of them. summary, advice: None, and `nothing` says why,
    where too little was measured for an answer. confirmed: None where nothing was confirmed.
    test: metric -> its values on the test part, seed by seed, of the best configuration.
    lenses: those that were looked through before. sheet: None in a study of an older version.
    """

    name: str
    stamp: Stamp
    status: StudyStatus
    trials: tuple[Trial, ...]
    summary: importance_tables.Summary | None
    advice: recommendation_table.Recommendation | None
    nothing: str
    confirmed: confirmation_table.ConfirmationResult | None
    test: Mapping[str, Sequence[float]]
    confusion: ConfusionMatrix | None
    breakdowns: tuple[Breakdown, ...]
    overall: Breakdown | None
    lenses: Lenses | None
    sheet: DataSheet | None

    @property
    def answer(self) -> Answer | None:
        """The importance of every factor."""
        return self.summary.answer if self.summary else None

    @property
    def confirmation(self) -> Confirmation | None:
        """What controlled runs found."""
        return self.confirmed.confirmation if self.confirmed else None

    @property
    def best(self) -> Trial | None:
        """The first run of the configuration that was confirmed, else the best run."""
        config = self.confirmation.config if self.confirmation else None
        same = (trial for trial in self.trials if trial.complete and trial.parameters == config)
        return next(same, self.status.best)

    @property
    def data(self) -> str:
        """The data's name."""
        return self.status.data

    @property
    def objective(self) -> str:
        """What is maximized."""
        return self.status.objective

    @property
    def space(self) -> SpaceDescription:
        """The described space."""
        return self.stamp.space


def read_report(study: Study, jobs: int) -> Report:
    """Everything about a study, analysed where that was not done before.

    Raises NoAnswer when no run has ended.
    """
    trials = tuple(read_trials(study))
    if not any(trial.complete for trial in trials):
        raise NoAnswer(
            f"no measured rows, and no other run of {study.name} is complete: there is nothing to "
            "show yet"
        )
    found, advice, nothing = _answer(study, jobs)
    confirmed, arm = _confirmed(study)
    return Report(
        name=study.name,
        stamp=study.stamp,
        status=compute_status(study),
        trials=trials,
        summary=found,
        advice=advice,
        nothing=nothing,
        confirmed=confirmed,
        test=_test_metrics(arm),
        confusion=_confusion(study, trials, arm),
        breakdowns=breakdowns(trials, study.stamp.space),
        overall=overall_breakdown(trials),
        lenses=stored(study, "lenses", TypeAdapter(Lenses)),
        sheet=read_sheet(study),
    )


def _answer(
    study: Study, jobs: int
) -> tuple[importance_tables.Summary | None, recommendation_table.Recommendation | None, str]:
    """The answer, what to set, and else why there is none."""
    try:
        return (
            importance_tables.compute_summary(study, jobs),
            recommendation_table.compute_recommendation(study, jobs),
            "",
        )
    except NoAnswer as error:
        return None, None, str(error)


def _confirmed(study: Study) -> tuple[confirmation_table.ConfirmationResult | None, list[Trial]]:
    """The confirmation, and the runs of its best configuration on the test part."""
    confirming = find_study(study.database, confirmation_name(study.name))
    if confirming is None:
        return None, []
    found = confirmation_table.read_confirmation(confirming)
    rows = [row for row, arm in enumerate(read_arms(confirming)) if arm.purpose == CONTRAST]
    if found.confirmation is None or not rows:
        return None, []
    trials = read_trials(confirming)
    return found, [t for t in trials if t.row == rows[0] and t.test_value is not None]


def _test_metrics(arm: Sequence[Trial]) -> dict[str, list[float]]:
    names = dict.fromkeys(name for trial in arm for name in trial.test)
    found = {name: [trial.test.get(name) for trial in arm] for name in names}
    return {
        name: [float(value) for value in values if value is not None]
        for name, values in found.items()
    }


def _confusion(
    study: Study, trials: Sequence[Trial], arm: Sequence[Trial]
) -> ConfusionMatrix | None:
    """Of the best configuration: on the test part where it was confirmed, else on validation."""
    classes = study.stamp.class_names
    tested = [trial.test_confusion for trial in arm if trial.test_confusion]
    if tested:
        source = f"the best configuration on the test part, {len(tested)} seeds added up"
        return add_confusions(tested, classes, source)
    best = best_trial(trials)
    if best is None:
        return None
    source = f"the best run, #{best.number}, on the validation part"
    return add_confusions([best.confusion], classes, source)
