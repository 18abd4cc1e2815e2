"""Publish the conclusions of studies, as chart and note, to where optuna-dashboard finds them."""

import os
import sys
import time
from typing import TYPE_CHECKING

from training_factors.study.api.output import print_message

if TYPE_CHECKING:
    from training_factors.storage.database import Database
    from training_factors.storage.studies import Study
    from training_factors.study.analysis.answer import Answer
    from training_factors.study.reporting.analyses import StudyData
    from training_factors.study.reporting.conclusion import Conclusion

POLL_S = 5.0
"""Seconds between two looks whether a study has new runs."""

PAUSES_PER_ANALYSIS = 9
"""Length of the pause after analyses, as a multiple of their time: runs need the cores as well."""


def publish_conclusion(study: "Study", conclusion: "Conclusion", answer: "Answer") -> None:
    """Store chart and note of an answer with the study, where the dashboard finds them.

    A failure is printed, not raised: the user asked for the answer, not for the dashboard.
    """
    from training_factors.storage.retry import StorageUnavailableError
    from training_factors.study.reporting.dashboard_notes import (
        dashboard_figure,
        save_to_dashboard,
        study_note,
    )

    try:
        objective = study.stamp.objective
        note = study_note(conclusion, answer, study.name, objective)
        save_to_dashboard(study, dashboard_figure(conclusion, answer, objective), note)
    except (StorageUnavailableError, ValueError) as error:
        print_message(f"the dashboard's chart and note could not be updated: {error}")


def publish_cached(study: "Study") -> bool:
    """Publish the cached answer of a study; return whether there was one."""
    from training_factors.storage.retry import StorageUnavailableError
    from training_factors.study.reporting.analyses import stored_study_data

    try:
        return _publish(stored_study_data(study))
    except StorageUnavailableError:
        return False  # a read-only database in which the table of answers cannot be created


def keep_published(database: "Database", parent: int) -> None:
    """Publish every study of a database anew whenever runs have ended, until the parent ends.

    parent: process id of the process that serves the dashboard.
    """
    from training_factors.storage.retry import StorageUnavailableError
    from training_factors.study.running.signals import is_orphan

    if hasattr(os, "nice"):
        os.nice(10)  # training goes first
    published: dict[str, int] = {}
    while not is_orphan(parent):
        began = time.monotonic()
        try:
            publish_changed(database, published)
        except StorageUnavailableError as error:
            print(f"charts are not updated for now: {error}", file=sys.stderr)
        used_s = time.monotonic() - began
        time.sleep(max(POLL_S, PAUSES_PER_ANALYSIS * used_s))


def publish_changed(database: "Database", published: dict[str, int]) -> None:
    """Publish the studies that have more runs than when they were last published.

    published: key of a study -> its number of ended runs then, those of its confirmation included;
    updated here.
    """
    from training_factors.storage.studies import find_study, main_study_names
    from training_factors.study.reporting.analyses import read_study_data

    for name in main_study_names(database):
        study = find_study(database, name)
        if study is None:
            continue  # it was deleted just now
        done = _ended_runs(study)
        if published.get(study.key) != done:
            _publish(read_study_data(study, jobs=1))
            published[study.key] = done


def _ended_runs(study: "Study") -> int:
    from training_factors.storage.studies import find_confirmation

    counted = [study, find_confirmation(study)]
    phases = (phase for one in counted if one for phase in one.queue.progress().values())
    return sum(phase.done for phase in phases)


def _publish(data: "StudyData") -> bool:
    """Publish what was read of a study; return whether it has an answer."""
    if data.answer is not None:
        publish_conclusion(data.study, data.conclusion, data.answer)
    return data.answer is not None
