"""Records of an answer: which factor matters most, how sure that is, and what is left to explain.

The fields are stored with a study and are the keys of JSON documents, so they keep their names.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from training_factors.study.analysis.effects import Effect
from training_factors.study.analysis.intervals import Interval
from training_factors.study.analysis.verdict import PROBABLE, Verdict

SIGNIFICANT_DIGITS = 6
"""Number of significant digits of every number in an answer."""


class NoAnswer(Exception):  # noqa: N818 - not an error: too little has been measured yet
    """The study has too few measurements for an answer; the message is one line with the reason."""


class NothingVaries(NoAnswer):
    """The study trains one configuration with different seeds, so that no factor can matter."""


class RunCounts(NamedTuple):
    """Numbers of rows of the design and of runs, repeats included.

    diverged: share of the runs whose loss stopped being finite. at_chance: share of the runs that
    are no better than chance; None when the chance level is not known.
    """

    rows: int
    runs: int
    diverged: float
    at_chance: float | None


class SurrogateQuality(NamedTuple):
    """Cross-validated R² of the blend of surrogates.

    ceiling: the largest R² that is possible; None when it is unknown. members: name, R² and weight
    of every surrogate.
    """

    r2: float
    ceiling: float | None
    members: tuple[tuple[str, float, float], ...]


class HyperparameterImportance(NamedTuple):
    """The importance of a hyperparameter, or of the choice of an option (named as the factor).

    share: its part of the factor's share (Owen value), so that these sum to the factor's. The other
    fields mean the same as those of `FactorImportance`.
    """

    name: str
    share: float
    interval: Interval
    first_order: float
    total: float
    points: float
    range: float


class GainInBest(NamedTuple):
    """The gain of a factor's best option in the best that a modest search reaches.

    option: that with the highest expected best (`ExpectedBest`), among those that have one. points:
    its expected best less the baseline's, in percentage points, with its 95 % interval.
    """

    option: str
    points: float
    interval: Interval


class FactorImportance(NamedTuple):
    """The importance of a factor, with all its hyperparameters.

    share: Shapley effect, the part of all variance among rows that the factor causes, with its 95 %
    interval. shown: the part of it that the rows show; the rest is a part of what they do not
    explain. first_order, total: Sobol indices of the surrogates, alone and with all interactions,
    as parts of what can be explained. points: standard deviation of the objective that the factor
    causes, √(share · variance), in percentage points. p_value: of the randomization test,
    Holm-corrected. p_first: probability that its share is the largest. gain: mean objective of its
    best option less that of its baseline, in percentage points, with its 95 % interval. range:
    highest marginal mean less the lowest, in percentage points. verdict: `probable` when the effect
    is significant, else `not distinguishable`. error: standard error of the share. gain_in_best: in
    the best of a few configurations instead of the mean; None without options, and where too few
    rows have the baseline option.
    """

    name: str
    topic: str
    share: float
    interval: Interval
    shown: float
    first_order: float
    total: float
    points: float
    p_value: float
    p_first: float
    gain: float
    gain_interval: Interval
    best_option: str
    range: float
    verdict: str
    error: float
    hyperparameters: tuple[HyperparameterImportance, ...]
    gain_in_best: GainInBest | None = None

    @property
    def matters(self) -> bool:
        """Return whether the measured rows show an effect."""
        return self.verdict == PROBABLE


class TopicImportance(NamedTuple):
    """The importance of a topic: its factors act as one group, so shares do not simply add up."""

    name: str
    factors: tuple[str, ...]
    share: float
    interval: Interval
    shown: float
    first_order: float
    total: float
    points: float


class Interaction(NamedTuple):
    """The share of the variance that two factors cause only together."""

    factors: tuple[str, str]
    share: float
    interval: Interval


class DivisionNoise(NamedTuple):
    """The effect of another division of the data into training and validation part on a result.

    It is no part of the variance among rows, which all share one division; that is its measure
    only. share: variance that the division causes, beyond the seed, over the variance among rows,
    with its 95 % interval. points: its standard deviation in percentage points, with its interval.
    rows: the number of configurations that ran under other divisions. runs: of these runs, which
    are also the degrees of freedom.
    """

    share: float
    interval: Interval
    points: float
    points_interval: Interval
    rows: int
    runs: int


class Answer(NamedTuple):
    """The result of an analysis. Factors, topics and interactions: the largest share first.

    evidence: the runs that it was computed from. placebo: the importance of a parameter without any
    effect; None where the study has none. effects: of every option and hyperparameter. seed_noise:
    part of the variance among rows that the training seed causes; None when no row was repeated.
    explained: part that the rows show the factors to cause. unexplained: the rest, most of which
    the factors cause as well. division_noise: what another division of the data would change; None
    where no row ran under another one.
    """

    evidence: RunCounts
    surrogate: SurrogateQuality
    factors: tuple[FactorImportance, ...]
    topics: tuple[TopicImportance, ...]
    placebo: FactorImportance | None
    interactions: tuple[Interaction, ...]
    effects: tuple[Effect, ...]
    seed_noise: float | None
    explained: float
    unexplained: float
    verdict: Verdict
    division_noise: DivisionNoise | None = None

    @property
    def no_effects(self) -> str | None:
        """The reason why effects and gains mean nothing; None where they mean something.

        They are means of what the surrogates predict, so they are no findings where these predict
        rows that they did not see no better than the mean of all rows does.
        """
        if self.surrogate.r2 > 0:
            return None
        return (
            "effects and gains are left out: the surrogates, which they are read from, predict "
            f"nothing yet (R² {self.surrogate.r2:z.2f} on configurations that they did not see)"
        )

    @property
    def factors_and_placebo(self) -> tuple[FactorImportance, ...]:
        """The factors, followed by the placebo where there is one."""
        return self.factors if self.placebo is None else (*self.factors, self.placebo)


def as_document(answer: Answer, study: str) -> dict[str, Any]:
    """Return the answer as a JSON document. study: its name.

    Effects are left out; they are a document of their own. What is read from them is null where
    they mean nothing, and `no_effects` says why.
    """
    document = {"schema": 1, "study": study, **answer._asdict(), "no_effects": answer.no_effects}
    del document["effects"]
    plain: dict[str, Any] = as_plain(document)
    if answer.no_effects is not None:
        factors = [*plain["factors"], *([plain["placebo"]] if plain["placebo"] else [])]
        for factor in factors:
            factor.update(dict.fromkeys(("gain", "gain_interval", "best_option", "range")))
            for hyperparameter in factor[_JSON_KEYS["hyperparameters"]]:
                hyperparameter["range"] = None
    return plain


_JSON_KEYS: Mapping[str, str] = {
    "hyperparameter": "knob",
    "hyperparameters": "knobs",
    "evidence_level": "standing",
}
"""Fields whose key in JSON documents is older than their name in the code."""


def as_plain(value: Any) -> Any:
    """Return records, at any depth, as dictionaries and lists that JSON can hold."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {_JSON_KEYS.get(key, key): as_plain(item) for key, item in value.items()}
    return [as_plain(item) for item in value] if isinstance(value, list | tuple) else value


def rounded(record: Any) -> Any:
    """Return the same record with every number rounded to 6 significant digits.

    Numbers are rounded once, before they are stored, so that a page, a terminal and JSON show the
    same digits. Mappings, such as configurations, are not rounded.
    """
    if isinstance(record, float):
        return float(f"{record:.{SIGNIFICANT_DIGITS}g}")
    if hasattr(record, "_fields"):
        return type(record)(*map(rounded, record))
    return tuple(map(rounded, record)) if isinstance(record, tuple) else record
