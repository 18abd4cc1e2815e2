"""What a study says, as records: which factor matters most, how sure that is, what is left."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from training_factors.study.analysis.effects import Effect
from training_factors.study.analysis.uncertainty import Interval
from training_factors.study.analysis.verdict import PROBABLE, Verdict

DIGITS = 6
"""Of the numbers that are found."""


class RunCounts(NamedTuple):
    """The evidence: rows of the design, runs with repeats; diverged, at_chance: parts of runs."""

    rows: int
    runs: int
    diverged: float
    at_chance: float | None


class SurrogateQuality(NamedTuple):
    """Cross-validated R² of the surrogates' blend, and the most that it could be (None: unknown).

    members: name, own R² and weight of every surrogate.
    """

    r2: float
    ceiling: float | None
    members: tuple[tuple[str, float, float], ...]


class HyperparameterImportance(NamedTuple):
    """A knob's importance, or that of the choice of the option (named as the factor).

    share: its part of the factor's share (Owen value), so that these sum to the factor's.
    """

    name: str
    share: float
    interval: Interval
    first_order: float
    total: float
    points: float
    range: float


class FactorImportance(NamedTuple):
    """A factor's importance.

    share: Shapley effect, a share of what the surrogates explain, with its 95 % interval;
    first_order and total: alone, and with all interactions. points: the standard deviation that
    the factor causes, √(share · explained variance), in hundredths of the objective. p_value: of
    the holdout randomization test, Holm-corrected. p_first: in which part of the half-samples its
    share is the largest. gain: mean of its best option less that of its baseline, in hundredths.
    range: of its marginal, the highest mean less the lowest, in hundredths. verdict: `probable`
    when significant and above the noise floor, else `not distinguishable` from noise. error:
    standard error of the share.
    """

    name: str
    topic: str
    share: float
    interval: Interval
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

    @property
    def matters(self) -> bool:
        """Whether it is distinguishable from noise."""
        return self.verdict == PROBABLE


class TopicImportance(NamedTuple):
    """A topic's importance: its factors acting as one, which is not the sum of their shares."""

    name: str
    factors: tuple[str, ...]
    share: float
    interval: Interval
    first_order: float
    total: float
    points: float


class Interaction(NamedTuple):
    """What two factors do together beyond what each does alone, as a share of the explained."""

    factors: tuple[str, str]
    share: float
    interval: Interval


class Answer(NamedTuple):
    """What the measured runs say. Factors, topics and interactions: the largest share first.

    seed_noise, unexplained: the parts of the variance among rows that the training seed causes
    (None without repeats), and that neither the seed nor the surrogates account for.
    """

    evidence: RunCounts
    surrogate: SurrogateQuality
    factors: tuple[FactorImportance, ...]
    topics: tuple[TopicImportance, ...]
    placebo: FactorImportance
    interactions: tuple[Interaction, ...]
    effects: tuple[Effect, ...]
    seed_noise: float | None
    unexplained: float
    verdict: Verdict

    @property
    def explained(self) -> float:
        """The part of the variance among rows that the surrogates explain."""
        return max(0.0, self.surrogate.r2)

    @property
    def floor(self) -> float:
        """The noise floor: the upper bound of the placebo's interval."""
        return self.placebo.interval[1]


def as_document(answer: Answer, study: str) -> dict[str, Any]:
    """The answer as JSON, under the study's name."""
    document = {"schema": 1, "study": study, **answer._asdict()}
    del document["effects"]  # a document of their own
    plain: dict[str, Any] = as_plain(document)
    return plain


_JSON_KEYS: Mapping[str, str] = {"hyperparameter": "knob", "hyperparameters": "knobs"}
"""Fields that JSON documents spell as they always did."""


def as_plain(value: Any) -> Any:
    """Records as dictionaries, for JSON."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {_JSON_KEYS.get(key, key): as_plain(item) for key, item in value.items()}
    return [as_plain(item) for item in value] if isinstance(value, list | tuple) else value


def rounded(record: Any) -> Any:
    """The same record, every number to 6 digits; mappings, such as settings, as they are.

    What is found is rounded once, so that a page, a terminal and JSON show the same digits.
    """
    if isinstance(record, float):
        return float(f"{record:.{DIGITS}g}")
    if hasattr(record, "_fields"):
        return type(record)(*map(rounded, record))
    return tuple(map(rounded, record)) if isinstance(record, tuple) else record


class NoAnswer(Exception):  # noqa: N818 - it is no error: the study simply cannot say yet
    """There is nothing to answer from; the message is one line that says why."""
