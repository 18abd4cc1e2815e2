"""The provenance of an answer: what is needed to run its study again, and to compare the results.

A file with an answer holds it, so that the answer can be verified without the study's database.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from training_factors.search_spaces.description import DescribedFactor, SpaceDescription
from training_factors.storage.arms import Arm
from training_factors.storage.own_configurations import OWN, OwnConfiguration
from training_factors.storage.run_queue import DIVISION, PHASES, Run
from training_factors.storage.stamp import Stamp, read_stamp

REPEATABLE_PHASES = ("baseline", "measure", OWN, DIVISION)
"""Phases whose configurations and seeds follow from the study's seed and the key of the run alone.

What the search proposes depends on the runs that have ended by then, and so on the order in which
several workers end theirs.
"""

Values = Mapping[Run, float | None]
"""The objective of each run; None for a run that failed."""


class SearchedRun(NamedTuple):
    """The run of the search that found the best configuration. number: of its trial."""

    number: int
    run: Run
    seed: int
    parameters: Mapping[str, Any]
    value: float


class Provenance(NamedTuple):
    """The provenance of an answer.

    stamp: of the study; its factors come without their documentation. runs: those that ended, of
    `REPEATABLE_PHASES`, with their objective on the validation part. searched: the number of runs
    of the search that ended. best: None where the best configuration was not found by the search.
    own: the user's configurations. devices: those that the runs were trained on. arms, confirmed:
    those of the confirmation, and its runs with their objective on the test part, or on the
    validation part where they do not use the test part; empty without a confirmation.
    """

    stamp: Stamp
    runs: Values
    searched: int = 0
    best: SearchedRun | None = None
    own: tuple[OwnConfiguration, ...] = ()
    devices: tuple[str, ...] = ()
    arms: tuple[Arm, ...] = ()
    confirmed: Values = {}  # noqa: RUF012 - nobody writes to a record

    def as_document(self) -> dict[str, Any]:
        """Return the JSON document, which `read_provenance` reads."""
        best = self.best
        return {
            "stamp": self.stamp._replace(space=_without_texts(self.stamp.space)).as_document(),
            "runs": {_key(run): value for run, value in self.runs.items()},
            "searched": self.searched,
            "best": None if best is None else {**best._asdict(), "run": _key(best.run)},
            "own": [each._asdict() for each in self.own],
            "devices": list(self.devices),
            "arms": [arm._asdict() for arm in self.arms],
            "confirmed": {_key(run): value for run, value in self.confirmed.items()},
        }


def read_provenance(document: Mapping[str, Any]) -> Provenance:
    """Read a provenance from its JSON document.

    Raises ValueError if it is damaged, or names a setting that only a newer version knows.
    """
    try:
        best = document["best"]
        return Provenance(
            stamp=read_stamp(document["stamp"]),
            runs=_read_values(document["runs"]),
            searched=int(document["searched"]),
            best=None if best is None else SearchedRun(**{**best, "run": _read_key(best["run"])}),
            own=tuple(OwnConfiguration(**each) for each in document["own"]),
            devices=tuple(str(device) for device in document["devices"]),
            arms=tuple(Arm(**arm) for arm in document["arms"]),
            confirmed=_read_values(document["confirmed"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its provenance is damaged ({type(error).__name__}: {error})") from error


def _without_texts(space: SpaceDescription) -> SpaceDescription:
    """Return the description without documentation, which says nothing about configurations."""
    return space._replace(factors=tuple(_without_text(factor) for factor in space.factors))


def _without_text(factor: DescribedFactor) -> DescribedFactor:
    options = tuple(option._replace(documentation="") for option in factor.options)
    return factor._replace(documentation="", options=options)


def _key(run: Run) -> str:
    """Return the key of a run as a text: `measure/12/0`."""
    return f"{run.phase}/{run.row}/{run.repeat}"


def _read_key(text: str) -> Run:
    phase, _, numbers = text.partition("/")
    row, _, repeat = numbers.partition("/")
    if phase not in PHASES or not (row.isdecimal() and repeat.isdecimal()):
        raise ValueError(f"its provenance is damaged ({text!r} is no run)")
    return Run(phase, int(row), int(repeat))


def _read_values(document: Mapping[str, float | None]) -> dict[Run, float | None]:
    return {
        _read_key(key): None if value is None else float(value) for key, value in document.items()
    }
