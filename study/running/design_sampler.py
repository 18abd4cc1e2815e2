"""A sampler for any Optuna study that makes its trials a designed experiment.

Importance needs trials that cover the space evenly and do not depend on earlier results. Every
parameter gets a coordinate of a scrambled Sobol sequence (Sobol, 1967; Owen, 1995) when a program
suggests it for the first time; the number of the trial is the row. This is the design of our own
studies, for programs whose parameters are known only when they are suggested.
"""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import qmc

from training_factors.search_spaces.distribution import dimension_of

COORDINATES = 1024
"""Number of coordinates of the sequence, and so of parameters that a study can have. It is fixed,
since the scrambled sequence depends on it."""

SEED = "design_sampler:seed"
"""Key, in the study's system attributes, of the seed that the design was started with."""

CLAIM = "design_sampler:coordinate:"
"""What the keys of parameters' coordinates begin with, in the study's system attributes."""

Coordinates = dict[str, int]
"""Name of a parameter -> its coordinate of the sequence."""


class DesignSampler(BaseSampler):
    """Samples the rows of a scrambled Sobol sequence, in conditional spaces too.

    Each parameter has a coordinate of its own, whether a trial suggests it or not, so the values of
    all parameters are independent of each other and spread evenly. Which coordinate that is is kept
    in the study, so any number of threads, processes and machines may work on one study, and a
    study may be continued, with the same seed. A trial's values depend on nothing but the seed, its
    number and the coordinates of its parameters; they do not depend on results.

    Measure 2^k trials, such as 128 or 256: then every parameter that all trials have is in each of
    2^j equal parts of its range equally often.

    seed: of the scrambling; another seed gives another design.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._sequence = _Sequence(seed)
        self._lock = threading.Lock()
        self._of_trials: dict[tuple[str, int], Coordinates] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs: the seed, since a lock cannot be pickled."""
        return {"seed": self._seed}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def reseed_rng(self) -> None:
        """Do nothing: threads work on one design, and a row belongs to a trial's number."""

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return no parameters: each is sampled when it is suggested."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return no values."""
        return {}

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Read the coordinates that the study keeps, and repair those given to two parameters.

        Raises ValueError when the study's design was started with another seed.
        """
        stored = _read_attributes(study)
        started_with = stored.get(SEED)
        if started_with is None:
            study._storage.set_study_system_attr(study._study_id, SEED, self._seed)
        elif started_with != self._seed:
            raise ValueError(
                f"study {study.study_name!r} was started with DesignSampler(seed={started_with}), "
                f"not {self._seed}; use the same seed, or another study"
            )
        claims = _claims_in(stored)
        coordinates = resolve_claims(claims)
        for name, coordinate in coordinates.items():
            if claims[name] != coordinate:
                _claim(study, name, coordinate)
        with self._lock:
            self._of_trials[study.study_name, trial.number] = coordinates

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return the value of a parameter at the trial's row of the sequence.

        Raises ValueError when the study has more parameters than the sequence has coordinates.
        """
        with self._lock:
            coordinate = self._coordinate_of(study, trial, param_name)
            unit = float(self._sequence.row(trial.number)[coordinate])
        if isinstance(param_distribution, CategoricalDistribution):
            choices = param_distribution.choices
            return choices[min(int(unit * len(choices)), len(choices) - 1)]
        return dimension_of(param_distribution).decode(unit)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Forget the coordinates of an ended trial."""
        with self._lock:
            self._of_trials.pop((study.study_name, trial.number), None)

    def _coordinate_of(self, study: Study, trial: FrozenTrial, name: str) -> int:
        """Return the coordinate of a parameter; within a trial no two parameters have the same.

        A new parameter gets the lowest free one. Another worker may have claimed it for another
        parameter at the same moment: this trial keeps it, and the next one repairs the study.
        """
        of_trial = self._of_trials.setdefault((study.study_name, trial.number), {})
        if name in of_trial:
            return of_trial[name]
        stored = resolve_claims(_claims_in(_read_attributes(study)))
        taken = set(of_trial.values())
        if name in stored and stored[name] not in taken:
            of_trial[name] = stored[name]
            return stored[name]
        free = set(range(COORDINATES)) - taken - set(stored.values())
        if not free:
            raise ValueError(
                f"no coordinate is left for the parameter {name!r}: DesignSampler has "
                f"{COORDINATES:,}, one for every name; use fewer names, or RandomSampler"
            )
        of_trial[name] = min(free)
        if name not in stored:
            _claim(study, name, of_trial[name])
        return of_trial[name]


def resolve_claims(claims: Mapping[str, int]) -> Coordinates:
    """Return coordinates that are all different, the same ones from the same claims everywhere.

    Of the parameters that claim one coordinate the first one by name has it, and each of the others
    gets the lowest that no parameter claims or has. Those for which none is left are not returned.
    """
    first: dict[int, str] = {}
    losers = []
    for name in sorted(claims):
        if first.setdefault(claims[name], name) != name:
            losers.append(name)
    coordinates = {name: coordinate for coordinate, name in first.items()}
    free = sorted(set(range(COORDINATES)) - first.keys())
    return coordinates | dict(zip(losers, free, strict=False))


class _Sequence:
    """The rows of the scrambled Sobol sequence, in any order."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._engine: qmc.Sobol | None = None
        self._last: tuple[int, NDArray[np.float64]] | None = None

    def row(self, number: int) -> NDArray[np.float64]:
        """Return the coordinates of a row, (COORDINATES,), each in [0, 1)."""
        if self._last is None or self._last[0] != number:
            self._last = number, self._compute(number)
        return self._last[1]

    def _compute(self, number: int) -> NDArray[np.float64]:
        if self._engine is None:
            random = np.random.default_rng(self._seed)
            self._engine = qmc.Sobol(COORDINATES, scramble=True, rng=random)
        elif number < self._engine.num_generated:
            self._engine.reset()
        skipped = number - self._engine.num_generated
        if skipped:
            self._engine.fast_forward(skipped)
        point: NDArray[np.float64] = self._engine.random(1)[0]
        return point


def _read_attributes(study: Study) -> dict[str, Any]:
    return study._storage.get_study_system_attrs(study._study_id)


def _claims_in(attributes: Mapping[str, Any]) -> dict[str, int]:
    """Return the coordinate that every parameter claims, among a study's system attributes."""
    claims = (value for key, value in attributes.items() if key.startswith(CLAIM))
    return {str(name): int(coordinate) for name, coordinate in claims}


def _claim(study: Study, name: str, coordinate: int) -> None:
    """Store the coordinate of a parameter; the key has a limited length, a name may be longer."""
    key = CLAIM + hashlib.sha256(name.encode()).hexdigest()[:32]
    study._storage.set_study_system_attr(study._study_id, key, [name, coordinate])
