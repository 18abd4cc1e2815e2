"""What a study's analyses say: read where they were kept with it, computed and kept where not."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from pydantic import TypeAdapter

from training_factors.storage.answer_cache import CachedAnswer
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.analysis.answer import Answer, rounded
from training_factors.study.analysis.importance import analyse, evidence_digest

Analysis = TypeVar("Analysis")


def answer_of(study: Study, jobs: int) -> Answer:
    """The importance of every factor. Raises NoAnswer when too little was measured."""
    return kept(study, "importance", analyse, TypeAdapter(Answer), jobs)


def stored_answer(study: Study) -> Answer | None:
    """The same where it is kept; None where it would have to be computed first."""
    return stored(study, "importance", TypeAdapter(Answer))


def kept(
    study: Study,
    kind: str,
    compute: Callable[..., Analysis],
    records: TypeAdapter[Analysis],
    jobs: int,
) -> Analysis:
    """An analysis of this kind: read where it was kept, else computed and kept.

    Its numbers are rounded before anybody sees them, so that every screen shows the same.
    """
    trials = read_trials(study)
    found = stored(study, kind, records)
    if found is None:
        space, seed = study.stamp.space, study.stamp.seed
        found = rounded(compute(trials, space, seed=seed, jobs=jobs))
        _shelf(study, kind, records, trials).write(records.dump_json(found).decode())
    return found


def stored(study: Study, kind: str, records: TypeAdapter[Analysis]) -> Analysis | None:
    """An analysis that was kept with the study; None where there is none of its present runs."""
    text = _shelf(study, kind, records, read_trials(study)).read()
    return None if text is None else records.validate_json(text)


def _shelf(
    study: Study, kind: str, records: TypeAdapter[Analysis], trials: Sequence[Trial]
) -> CachedAnswer:
    # Records that have changed their fields since then cannot be read, so they are not looked for.
    fields = json.dumps(records.json_schema(), sort_keys=True)
    known = evidence_digest(trials, study.stamp.space, study.stamp.seed) + fields
    return CachedAnswer(study, kind, hashlib.sha256(known.encode()).hexdigest())
