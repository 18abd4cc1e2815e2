"""What a study's analyses say: read where they were kept with it, computed and kept where not."""

import hashlib
import json
from collections.abc import Callable
from typing import TypeVar

from pydantic import TypeAdapter

from storage.answers import Shelf
from storage.studies import Study
from storage.tables import read_trials
from study.analysis.answer import Answer
from study.analysis.headline import analyse, digest

Analysis = TypeVar("Analysis")


def answer_of(study: Study, jobs: int) -> Answer:
    """The importance of every factor. Raises NoAnswer when too little was measured."""
    return kept(study, "importance", analyse, TypeAdapter(Answer), jobs)


def kept(
    study: Study,
    kind: str,
    compute: Callable[..., Analysis],
    records: TypeAdapter[Analysis],
    jobs: int,
) -> Analysis:
    """An analysis of this kind: read where it was kept, else computed and kept."""
    trials = read_trials(study)
    space, seed = study.stamp["described"], study.stamp["seed"]
    # Records that have changed their fields since then cannot be read, so they are not looked for.
    fields = json.dumps(records.json_schema(), sort_keys=True)
    known = digest(trials, space, seed) + fields
    shelf = Shelf(study, kind, hashlib.sha256(known.encode()).hexdigest())
    text = shelf.read()
    if text is not None:
        return records.validate_json(text)
    found = compute(trials, space, seed=seed, jobs=jobs)
    shelf.write(records.dump_json(found).decode())
    return found
