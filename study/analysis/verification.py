"""Compare an answer with that of the same study, run again."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import f

from training_factors.storage.provenance import Provenance, Values
from training_factors.storage.run_queue import Run
from training_factors.study.analysis.answer import Answer, as_document
from training_factors.study.analysis.intervals import Interval
from training_factors.study.analysis.measurements import pooled_variance
from training_factors.study.analysis.verdict import SIGNIFICANT

REPEATED_PHASES = ("measure", "confirm")
"""Phases in which runs that differ in their repeat alone differ in their seed alone."""

WITH_CONFIRMATION = ("verdict", "confirmed")
"""Fields of a factor that also say what a confirmation found."""


class RunDifference(NamedTuple):
    """A run whose objective is not the same; None where the run failed."""

    run: Run
    then: float | None
    now: float | None

    @property
    def size(self) -> float:
        """The absolute difference; infinite where one of the two failed."""
        if self.then is None or self.now is None:
            return math.inf
        return abs(self.now - self.then)


class ComparedRuns(NamedTuple):
    """The runs of a study, and the same runs trained again.

    total: number of runs. differences: the largest first. against_seeds: the root mean square
    difference over that between two seeds, which is 1 if a run differs from its repetition as much
    as from a run with another seed; None where that is not known, or a run failed. within_noise:
    whether the differences are no larger than those between seeds, by an F test; true where the
    seed's noise was not measured.
    """

    total: int
    differences: tuple[RunDifference, ...]
    against_seeds: float | None
    within_noise: bool

    @property
    def same(self) -> bool:
        """Return whether all runs are equal to the last digit."""
        return not self.differences


class ComparedShare(NamedTuple):
    """The share of a factor then, with its 95 % interval, and now; None where it has none now."""

    factor: str
    then: float
    interval: Interval
    now: float | None

    @property
    def within_interval(self) -> bool:
        """Return whether the share now lies in the interval of then."""
        return self.now is not None and self.interval[0] <= self.now <= self.interval[1]


class Pair(NamedTuple):
    """A text then and now, such as the verdict or a version."""

    then: str
    now: str

    @property
    def same(self) -> bool:
        """Return whether the two are equal."""
        return self.then == self.now


class Surroundings(NamedTuple):
    """The machine of a study: versions of packages, processor, and devices of the runs."""

    versions: Mapping[str, str]
    processor: str
    devices: tuple[str, ...]


class Verification(NamedTuple):
    """An answer, and the answer of the same study run again.

    study: its name. runs: baseline, measured rows, repeats, own configurations, other divisions.
    best: the run of the search that found the best configuration, trained again; None where the
    search did not find it. confirmed: the runs of the confirmation; None where they were not
    repeated. shares: of the factors, in the order of then. entries: how many entries of the
    answer, numbers and texts, were compared. differing: names of those that differ. changes: what
    is other than then: package, `processor` or `device` -> its value then and now. searched,
    not_confirmed: how many runs of the search and of the confirmation were not repeated.
    """

    study: str
    runs: ComparedRuns
    best: RunDifference | None
    confirmed: ComparedRuns | None
    shares: tuple[ComparedShare, ...]
    verdict: Pair
    entries: int
    differing: tuple[str, ...]
    changes: Mapping[str, Pair]
    searched: int
    not_confirmed: int

    @property
    def same(self) -> bool:
        """Return whether every number that was compared is equal to the last digit."""
        runs = all(one.same for one in (self.runs, self.confirmed) if one is not None)
        best = self.best is None or self.best.then == self.best.now
        return runs and best and not self.differing

    @property
    def within_noise(self) -> bool:
        """Return whether the differences are no larger than noise.

        Runs differ by no more than they do between seeds, and every share lies in its interval.
        """
        runs = (one.within_noise for one in (self.runs, self.confirmed) if one is not None)
        return all(runs) and all(share.within_interval for share in self.shares)


class Repeated(NamedTuple):
    """The results of a study that was run again.

    best: the objective of the run of the search; None where it was not repeated. confirmed: None
    where the confirmation was not repeated.
    """

    runs: Values
    answer: Answer
    best: float | None
    confirmed: Values | None
    surroundings: Surroundings


def compare_answers(
    stored: Mapping[str, Any], provenance: Provenance, repeated: Repeated
) -> Verification:
    """Return how an answer and that of the study run again differ.

    stored: the JSON document of the answer; keys that it lacks are not compared.
    """
    now = as_document(repeated.answer, str(stored["study"]))
    leaves_then, leaves_now = dict(_leaves(_compared(stored, now))), dict(_leaves(now))
    best = provenance.best
    return Verification(
        study=str(stored["study"]),
        runs=compare_runs_of(provenance.runs, repeated.runs),
        best=None
        if best is None or repeated.best is None
        else RunDifference(best.run, best.value, repeated.best),
        confirmed=None
        if repeated.confirmed is None
        else compare_runs_of(provenance.confirmed, repeated.confirmed),
        shares=_shares(stored, repeated.answer),
        verdict=Pair(stored["verdict"]["sentence"], repeated.answer.verdict.sentence),
        entries=len(leaves_then),
        differing=tuple(
            name
            for name, value in leaves_then.items()
            if name not in leaves_now or leaves_now[name] != value
        ),
        changes=_changes(provenance, repeated.surroundings),
        searched=provenance.searched,
        not_confirmed=0 if repeated.confirmed is not None else len(provenance.confirmed),
    )


def compare_runs_of(then: Values, now: Values) -> ComparedRuns:
    """Return how the runs of a study and the same runs trained again differ."""
    found = [RunDifference(run, value, now.get(run)) for run, value in then.items()]
    differing = sorted((one for one in found if one.then != one.now), key=lambda one: -one.size)
    if not differing:
        return ComparedRuns(len(found), (), None, True)
    variance, degrees = _seed_variance(then)
    has_ended = all(math.isfinite(one.size) for one in differing)
    if not variance or not has_ended:
        return ComparedRuns(len(found), tuple(differing), None, variance is None and has_ended)
    # Two runs with different seeds differ by 2 variances in the mean square.
    ratio = sum(one.size**2 for one in differing) / len(found) / (2 * variance)
    is_within = bool(f.sf(ratio, len(found), degrees) >= SIGNIFICANT)
    return ComparedRuns(len(found), tuple(differing), math.sqrt(ratio), is_within)


def _seed_variance(values: Values) -> tuple[float | None, int]:
    """Return the variance between runs that differ in their seed alone, and its degrees of freedom.

    The variance is None where no row was repeated.
    """
    rows: dict[tuple[str, int], list[float]] = defaultdict(list)
    for run, value in values.items():
        if run.phase in REPEATED_PHASES and value is not None:
            rows[run.phase, run.row].append(value)
    repeats = [np.array(row) for row in rows.values()]
    return pooled_variance(repeats), sum(len(row) - 1 for row in repeats)


def _compared(stored: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a stored answer that follows from the measured runs alone."""
    kept = {key: stored[key] for key in now if key in stored and key != "schema"}
    kept["factors"] = [
        {key: value for key, value in factor.items() if key not in WITH_CONFIRMATION}
        for factor in stored["factors"]
    ]
    return kept


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every number and text of a JSON document with its path, as `factors.optimizer.share`.

    Items of a list have the path of their name, if they have one, so that their order is free.
    """
    if isinstance(value, Mapping):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, Sequence) and not isinstance(value, str):
        items = [(_item_name(item, number), item) for number, item in enumerate(value)]
    else:
        yield path, value
        return
    for key, item in items:
        yield from _leaves(item, f"{path}.{key}" if path else key)


def _item_name(item: Any, number: int) -> str:
    if isinstance(item, Mapping):
        for key in ("name", "factors"):
            if key in item:
                return str(item[key])
    return str(number)


def _shares(stored: Mapping[str, Any], answer: Answer) -> tuple[ComparedShare, ...]:
    now = {factor.name: factor.share for factor in answer.factors}
    return tuple(
        ComparedShare(
            factor["name"], factor["share"], tuple(factor["interval"]), now.get(factor["name"])
        )
        for factor in stored["factors"]
    )


def _changes(provenance: Provenance, now: Surroundings) -> dict[str, Pair]:
    """Return what is other than then, as far as it was recorded then."""
    stamp = provenance.stamp
    pairs = {
        package: Pair(version, now.versions.get(package, "none"))
        for package, version in stamp.versions.items()
    }
    pairs["processor"] = Pair(stamp.processor or now.processor, now.processor)
    pairs["device"] = Pair(", ".join(provenance.devices), ", ".join(now.devices))
    return {name: pair for name, pair in pairs.items() if not pair.same}
