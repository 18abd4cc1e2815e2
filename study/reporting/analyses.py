"""What a study's analyses say: read where they were kept with it, computed and kept where not."""

from collections.abc import Callable
from typing import TypeVar

from storage.answers import Shelf
from storage.studies import Study
from storage.tables import read_trials
from study.analysis import answer, lenses
from study.analysis.answer import Answer
from study.analysis.headline import analyse, digest
from study.analysis.lenses import Lenses

Analysis = TypeVar("Analysis")


def answer_of(study: Study, jobs: int) -> Answer:
    """The importance of every factor. Raises NoAnswer when too little was measured."""
    return _kept(study, "importance", analyse, answer.to_text, answer.from_text, jobs)


def lenses_of(study: Study, jobs: int) -> Lenses:
    """Importance through the other lenses. Raises NoAnswer when too little was measured."""
    return _kept(study, "lenses", lenses.look, lenses.to_text, lenses.from_text, jobs)


def _kept(
    study: Study,
    kind: str,
    compute: Callable[..., Analysis],
    to_text: Callable[[Analysis], str],
    from_text: Callable[[str], Analysis],
    jobs: int,
) -> Analysis:
    trials = read_trials(study)
    space, seed = study.stamp["described"], study.stamp["seed"]
    shelf = Shelf(study, kind, digest(trials, space, seed))
    text = shelf.read()
    if text is not None:
        return from_text(text)
    found = compute(trials, space, seed=seed, jobs=jobs)
    shelf.write(to_text(found))
    return found
