"""Read everything that is stored about a study once, and cache its analyses in its database.

A verb that shows a whole study reads a `StudyData` and passes it on; one that needs only the
answer calls `answer_of`. Either way all trials are read once.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

from pydantic import TypeAdapter

from training_factors.search_spaces.description import SpaceDescription
from training_factors.storage.answer_cache import CachedAnswer
from training_factors.storage.arms import Arm, read_arms
from training_factors.storage.studies import Study, find_confirmation
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.analysis.answer import Answer, NoAnswer, NothingVaries, rounded
from training_factors.study.analysis.best_configuration import BestConfiguration, find_best
from training_factors.study.analysis.contrasts import Confirmation, analyse_confirmation
from training_factors.study.analysis.importance import analyse, evidence_digest
from training_factors.study.analysis.lenses import Lenses, compute_lenses
from training_factors.study.analysis.seed_mean import mean_over_seeds
from training_factors.study.reporting.conclusion import (
    Conclusion,
    Progress,
    conclude,
    describe_seed_mean,
)

Analysis = TypeVar("Analysis")
_Result = TypeVar("_Result", covariant=True)


class Analyse(Protocol[_Result]):
    """A function that computes an analysis from the trials of a study."""

    def __call__(
        self, trials: Sequence[Trial], space: SpaceDescription, *, seed: int, jobs: int
    ) -> _Result:
        """Return the analysis. Raises NoAnswer when too few rows were measured."""


class ConfirmationData(NamedTuple):
    """The confirmation of a study, as it is stored.

    study: the confirming study. trials: all of its trials. result: their paired differences;
    None while too few runs have ended.
    """

    study: Study
    arms: tuple[Arm, ...]
    trials: tuple[Trial, ...]
    result: Confirmation | None


class StudyData(NamedTuple):
    """Everything that the summary, the recommendation and the report need, read once.

    trials: those of the study's runs, by number. progress: how many of its runs ended. answer: None
    where too few rows were measured, or nothing varies, and `no_answer_reason` says so.
    confirmation: None where no confirmation was started.
    """

    study: Study
    trials: tuple[Trial, ...]
    progress: Progress
    answer: Answer | None
    no_answer_reason: str
    confirmation: ConfirmationData | None

    @property
    def confirmed(self) -> Confirmation | None:
        """The result of the confirmation, None where there is none yet."""
        return self.confirmation.result if self.confirmation else None

    @property
    def best(self) -> BestConfiguration | None:
        """The best configuration so far; None before any run is complete."""
        if self.confirmation is None:
            return find_best(self.trials)
        return find_best(self.trials, self.confirmation.arms, self.confirmation.trials)

    @property
    def conclusion(self) -> Conclusion:
        """The conclusion of the study so far."""
        return conclude(
            self.answer,
            self.no_answer_reason,
            self.best,
            self.confirmed,
            self.study.stamp.objective,
            self.progress,
            varies=not self.study.stamp.space.is_fixed,
        )

    def require_answer(self) -> Answer:
        """Return the answer. Raises NoAnswer with the reason where there is none."""
        if self.answer is None:
            is_fixed = self.study.stamp.space.is_fixed
            raise (NothingVaries if is_fixed else NoAnswer)(self.no_answer_reason)
        return self.answer


def read_study_data(study: Study, jobs: int) -> StudyData:
    """Read a study with its confirmation, and compute its answer unless it is cached.

    jobs: number of processes that compute the answer.
    """
    trials = tuple(read_trials(study))
    try:
        return _study_data(study, trials, answer_of(study, jobs, trials), "")
    except NoAnswer as error:
        return _study_data(study, trials, None, str(error))


def stored_study_data(study: Study) -> StudyData:
    """Read a study with its confirmation; its answer is None unless it is cached."""
    trials = tuple(read_trials(study))
    if study.stamp.space.is_fixed:
        return read_study_data(study, jobs=1)  # there is nothing to compute
    answer = load_cached(study, "importance", TypeAdapter(Answer), trials)
    return _study_data(study, trials, answer, "it was not computed yet")


def _study_data(
    study: Study, trials: tuple[Trial, ...], answer: Answer | None, reason: str
) -> StudyData:
    confirming = find_confirmation(study)
    confirmation = read_confirmation_data(confirming) if confirming else None
    phases = study.queue.progress().values()
    progress = Progress(sum(one.done for one in phases), sum(one.total for one in phases))
    return StudyData(study, trials, progress, answer, reason, confirmation)


def confirmation_of(data: StudyData, trial: Trial) -> Confirmation | None:
    """Return the result of the confirmation if it is about the configuration of this trial."""
    found = data.confirmed
    return found if found is not None and found.config == trial.parameters else None


def read_confirmation_data(confirming: Study) -> ConfirmationData:
    """Read a confirming study and analyse its runs."""
    arms, trials = read_arms(confirming), read_trials(confirming)
    return ConfirmationData(
        confirming, tuple(arms), tuple(trials), analyse_confirmation(arms, trials)
    )


def answer_of(study: Study, jobs: int, trials: Sequence[Trial] | None = None) -> Answer:
    """Return the importance of every factor, from the cache where it is there.

    trials: all trials of the study; read here where they are not given. Raises NoAnswer when too
    few rows were measured, and for a study that confirms another one, and NothingVaries for a study
    of one configuration.
    """
    if study.is_confirmation:
        raise NoAnswer(
            f"{study.name} holds the paired runs that confirm another study, and no importance; "
            "name that study with --study"
        )
    if study.stamp.space.is_fixed:
        trials = read_trials(study) if trials is None else trials
        raise NothingVaries(describe_seed_mean(mean_over_seeds(trials), study.stamp.objective))
    return load_or_compute(study, "importance", analyse, TypeAdapter(Answer), jobs, trials)


def lenses_of(study: Study, jobs: int, trials: Sequence[Trial] | None = None) -> Lenses:
    """Return the importance through all lenses; arguments and errors as of `answer_of`."""
    return load_or_compute(study, "lenses", compute_lenses, TypeAdapter(Lenses), jobs, trials)


def stored_lenses(study: Study, trials: Sequence[Trial] | None = None) -> Lenses | None:
    """Return the cached lenses; None where they would have to be computed first."""
    return load_cached(study, "lenses", TypeAdapter(Lenses), trials)


def load_or_compute(
    study: Study,
    kind: str,
    compute: Analyse[Analysis],
    records: TypeAdapter[Analysis],
    jobs: int,
    trials: Sequence[Trial] | None = None,
) -> Analysis:
    """Return an analysis from the cache, or compute it and write it to the cache.

    kind: name of the cache entry. records: reads and writes the analysis as JSON. Numbers are
    rounded before the analysis is cached, so that every screen shows the same digits.
    """
    trials = read_trials(study) if trials is None else trials
    entry = _cache_entry(study, kind, records, trials)
    text = entry.read()
    if text is not None:
        return records.validate_json(text)
    stamp = study.stamp
    analysis: Analysis = rounded(compute(trials, stamp.space, seed=stamp.seed, jobs=jobs))
    entry.write(records.dump_json(analysis).decode())
    return analysis


def load_cached(
    study: Study,
    kind: str,
    records: TypeAdapter[Analysis],
    trials: Sequence[Trial] | None = None,
) -> Analysis | None:
    """Return the cached analysis of the study's present trials; None where there is none."""
    trials = read_trials(study) if trials is None else trials
    text = _cache_entry(study, kind, records, trials).read()
    return None if text is None else records.validate_json(text)


def _cache_entry(
    study: Study, kind: str, records: TypeAdapter[Analysis], trials: Sequence[Trial]
) -> CachedAnswer:
    # The record's fields are part of the key: an entry with other fields could not be read back.
    fields = json.dumps(records.json_schema(), sort_keys=True)
    content = evidence_digest(trials, study.stamp.space, study.stamp.seed) + fields
    return CachedAnswer(study, kind, hashlib.sha256(content.encode()).hexdigest())
