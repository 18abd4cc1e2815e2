"""Results as pandas DataFrames, for Python and for the files of `export`.

Every function lists its columns. Shares are fractions of 1, as in the JSON documents; differences
of the objective are in points (hundredths of its unit). An interval is a pair of columns that end
in `_low` and `_high`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from training_factors.search_spaces.description import PLACEBO, SpaceDescription
from training_factors.storage.own_configurations import OWN_NAME
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import Answer, FactorImportance
from training_factors.study.analysis.comparison import Comparison
from training_factors.study.analysis.contrasts import Confirmation, ConfirmedPath
from training_factors.study.analysis.effects import Effect
from training_factors.study.analysis.intervals import Interval
from training_factors.study.analysis.optuna_study import StudyParameter
from training_factors.study.analysis.recommendation import RecommendedSetting
from training_factors.study.reporting.formatting import format_choice, format_settings

TRIAL_COLUMNS = (
    "state", "phase", "row", "repeat", "configuration", "seed", "value", "time_s", "diverged",
    "reason", "host", "device",
)  # fmt: skip
"""Columns of every trial, before its metrics and its parameters."""

FACTOR_COLUMNS = (
    "topic", "share", "share_low", "share_high", "shown", "first_order", "total", "sd_points",
    "p_value", "p_first", "best_option", "gain", "gain_low", "gain_high", "option_in_best",
    "gain_in_best", "gain_in_best_low", "gain_in_best_high", "evidence",
)  # fmt: skip

VARIANCE_COLUMNS = (
    "share", "share_low", "share_high", "sd_points", "sd_points_low", "sd_points_high",
)  # fmt: skip


GAIN_COLUMNS = ("best_option", "gain", "gain_low", "gain_high")
"""Columns of a factor that are read from the effects of its options."""


def trials_frame(trials: Sequence[Trial], space: SpaceDescription) -> pd.DataFrame:
    """Return one row per trial, with its number as the index.

    state: Optuna's. phase: baseline, measure, also, search, division or confirm. row: number within
    the phase; in division that of the measured row. repeat: 0, or the number of a repetition with
    another seed, in division the number of the other division. configuration: the name of a
    configuration of the user's own, which are the phase also. seed: of the run. value: the
    objective on the validation part. time_s: seconds of training. diverged: whether the loss
    stopped being finite. reason: why it failed. host, device: where it ran. `metric.NAME`: metrics
    on the validation part. `test.NAME`: on the test part, of a confirmation's trials alone. All
    other columns are parameters, named and in the order as in the space, empty where they were not
    active.
    """
    records = [_trial_record(trial) for trial in trials]
    parameters = [coordinate.name for coordinate in space.coordinates]
    metrics = dict.fromkeys(name for record in records for name in record if "." in name)
    measured = [name for name in metrics if name.startswith(("metric.", "test."))]
    frame = pd.DataFrame(records, index=pd.Index([t.number for t in trials], name="number"))
    return frame.reindex(columns=[*TRIAL_COLUMNS, *measured, *parameters])


def _trial_record(trial: Trial) -> dict[str, object]:
    attributes = trial.attributes
    return {
        **{name: getattr(trial, name) for name in ("state", "phase", "row", "repeat", "seed")},
        "configuration": attributes.get(OWN_NAME),
        "value": trial.value,
        "time_s": trial.time_s,
        "diverged": bool(attributes.get("diverged", False)),
        "reason": attributes.get("reason"),
        "host": attributes.get("host"),
        "device": attributes.get("device"),
        **{f"metric.{name}": value for name, value in trial.metrics.items()},
        **{f"test.{name}": value for name, value in trial.test.items()},
        **trial.parameters,
    }


def factors_frame(answer: Answer) -> pd.DataFrame:
    """Return one row per factor, the largest share first, then the placebo; the index is its name.

    topic: what a textbook calls it. share: the part of all variance that it causes, with its 95 %
    interval. shown: the part of the share that the runs show. first_order, total: Sobol indices,
    alone and with all interactions. sd_points: the standard deviation of the objective that it
    causes. p_value: of the randomization test, corrected by Holm. p_first: probability that its
    share is the largest. best_option, gain: the option with the highest mean, and that mean less
    the baseline's, with its 95 % interval. option_in_best, gain_in_best: the option with the
    highest expected best of 16 configurations, and that best less the baseline's, with its 95 %
    interval; empty where it is not known. evidence: `probable` or `not distinguishable`. Where
    effects mean nothing (see `Answer.no_effects`), there are no gains and no best options.
    """
    factors = answer.factors_and_placebo
    rows = [_factor_record(factor) for factor in factors]
    if answer.no_effects is not None:
        rows = [row | dict.fromkeys(GAIN_COLUMNS) for row in rows]
    index = pd.Index([factor.name for factor in factors], name="factor")
    return pd.DataFrame(rows, index=index, columns=list(FACTOR_COLUMNS))


def _factor_record(factor: FactorImportance) -> dict[str, object]:
    in_best = factor.gain_in_best
    return {
        "topic": factor.topic,
        **_with_interval("share", factor.share, factor.interval),
        "shown": factor.shown,
        "first_order": factor.first_order,
        "total": factor.total,
        "sd_points": factor.points,
        "p_value": factor.p_value,
        "p_first": factor.p_first,
        "best_option": "" if factor.name == PLACEBO else factor.best_option,
        **_with_interval("gain", factor.gain, factor.gain_interval),
        "option_in_best": in_best.option if in_best else None,
        **_with_interval("gain_in_best", *((in_best.points, in_best.interval) if in_best else ())),
        "evidence": factor.verdict,
    }


def variance_frame(answer: Answer) -> pd.DataFrame:
    """Return one row per part of the variance between configurations; the index is its name.

    share: of all variance; factors (as far as shown), seed noise and what is not explained sum to
    1. division, where it was measured, is what another division of the data would change beside
    that: its share is relative to the same variance, with its 95 % interval, and sd_points the
    standard deviation, in points, with its interval. Unknown numbers are empty.
    """
    rows: dict[str, dict[str, float | None]] = {
        "factors": {"share": answer.explained},
        "seed noise": {"share": answer.seed_noise},
        "not explained": {"share": answer.unexplained},
    }
    noise = answer.division_noise
    if noise is not None:
        rows["division"] = {
            **_with_interval("share", noise.share, noise.interval),
            **_with_interval("sd_points", noise.points, noise.points_interval),
        }
    index = pd.Index(list(rows), name="part")
    return pd.DataFrame(
        list(rows.values()), index=index, columns=list(VARIANCE_COLUMNS), dtype=float
    )


def hyperparameters_frame(answer: Answer) -> pd.DataFrame:
    """Return one row per hyperparameter and choice of an option, by factor; its name is the index.

    factor: that it belongs to. share: its part of the factor's share, with its 95 % interval.
    first_order, total: Sobol indices, alone and with all interactions. sd_points: the standard
    deviation of the objective that it causes. range: highest mean less the lowest, in points.
    """
    rows = {
        one.name: {
            "factor": factor.name,
            **_with_interval("share", one.share, one.interval),
            "first_order": one.first_order,
            "total": one.total,
            "sd_points": one.points,
            "range": one.range if answer.no_effects is None else None,
        }
        for factor in answer.factors
        for one in factor.hyperparameters
    }
    return _frame(rows, "hyperparameter")


def parameters_frame(parameters: Sequence[StudyParameter]) -> pd.DataFrame:
    """Return one row per parameter of another program's study; the index is its name.

    factor: that it belongs to. share: of the variance, its part of the factor's share. values: what
    it could be. present: under which condition; empty where it always is.
    """
    rows = {
        one.name: {
            "factor": one.group,
            "share": one.share,
            "values": one.values,
            "present": one.condition,
        }
        for one in parameters
    }
    return _frame(rows, "parameter")


def topics_frame(answer: Answer) -> pd.DataFrame:
    """Return one row per topic, the largest share first; the index is its name.

    factors: their names, with commas. share: of the variance that they cause together, with its
    95 % interval. shown: the part of the share that the runs show. first_order, total: Sobol
    indices, alone and with all interactions. sd_points: the standard deviation of the objective
    that they cause.
    """
    rows = {
        one.name: {
            "factors": ", ".join(one.factors),
            **_with_interval("share", one.share, one.interval),
            "shown": one.shown,
            "first_order": one.first_order,
            "total": one.total,
            "sd_points": one.points,
        }
        for one in answer.topics
    }
    return _frame(rows, "topic")


def effects_frame(answer: Answer) -> pd.DataFrame:
    """Return one row per option and per value of a hyperparameter, in the order of the space.

    factor, option, hyperparameter: what it is; an option has no hyperparameter. value: of the
    hyperparameter. mean: mean objective there, over all other factors. difference: mean less that
    of the factor's baseline, in points, with its 95 % interval. best: expected best objective of 16
    measured configurations with the option, with its 95 % interval. best_difference: best less that
    of the baseline option, in points, with its 95 % interval; both are empty for a hyperparameter
    and where fewer than 16 configurations have the option. There are no rows where effects mean
    nothing (see `Answer.no_effects`).
    """
    frame = _listed(_effect_record(one) for one in answer.effects if one.factor != PLACEBO)
    return frame if answer.no_effects is None else frame.iloc[:0]


def _effect_record(effect: Effect) -> dict[str, object]:
    best = effect.expected_best
    return {
        "factor": effect.factor,
        "option": effect.option,
        "hyperparameter": effect.hyperparameter,
        "value": effect.value,
        "mean": effect.mean,
        **_with_interval("difference", effect.points, effect.interval),
        **_with_interval("best", *((best.value, best.interval) if best else ())),
        **_with_interval("best_difference", *((best.points, best.points_interval) if best else ())),
    }


def interactions_frame(answer: Answer) -> pd.DataFrame:
    """Return one row per pair of factors whose interaction is above 0, the largest share first.

    one, other: the factors. share: of the variance that they cause only together, with its 95 %
    interval.
    """
    return _listed(
        {"one": one, "other": other, **_with_interval("share", share, interval)}
        for (one, other), share, interval in answer.interactions
    )


def contrasts_frame(confirmation: Confirmation) -> pd.DataFrame:
    """Return one row per change of the best configuration that paired runs compare with it.

    change: in words, the index. factor: that was changed. seeds: number of pairs. difference: mean
    test objective of the best configuration less that of the changed one, in points, with its 95 %
    t-interval. p_value: of the paired t-test, corrected by Holm. better: fraction of the seeds
    with which the best configuration is ahead. confirmed: whether it is significantly better.
    """
    rows = {
        one.name: {
            "factor": one.factor,
            "seeds": one.seeds,
            **_with_interval("difference", one.difference, one.interval),
            "p_value": one.p_value,
            "better": one.better,
            "confirmed": one.confirmed,
        }
        for one in confirmation.contrasts
    }
    return _frame(rows, "change")


def path_frame(path: ConfirmedPath) -> pd.DataFrame:
    """Return one row per step of the path, the baseline first; the index is the factor.

    setting: the factor as it is set from here on. value: mean test objective, with its 95 %
    t-interval. gain: mean of the paired differences to the row before, in points, with its 95 %
    t-interval. p_value: of the paired t-test, corrected by Holm. Both are empty for the baseline.
    seeds: number of pairs.
    """
    baseline = {"setting": "", **_with_interval("value", path.value, path.interval)}
    steps = {
        one.factor: {
            "setting": format_choice(one.factor, one.setting),
            **_with_interval("value", one.value, one.interval),
            **_with_interval("gain", one.gain, one.gain_interval),
            "p_value": one.p_value,
        }
        for one in path.steps
    }
    frame = _frame({"baseline": baseline, **steps}, "factor")
    gains = [name for name in ("gain", "gain_low", "gain_high", "p_value") if name not in frame]
    return frame.assign(seeds=path.seeds, **dict.fromkeys(gains, float("nan")))


def settings_frame(settings: Sequence[RecommendedSetting]) -> pd.DataFrame:
    """Return one row per factor with its recommended setting; the index is its name.

    option: to set. hyperparameters: of the option, as `name=value`, with commas; four digits of
    each. share: of the
    factor; empty where it was not varied. gain: of the option over the baseline, in points. drop:
    of the best configuration's test objective when this factor alone is changed, in points; empty
    without paired runs. evidence: confirmed, probable, not distinguishable or untested.
    """
    rows = {
        one.factor: {
            "option": one.option,
            "hyperparameters": format_settings(one.hyperparameters, sign="="),
            "share": one.share,
            "gain": one.gain,
            "drop": one.contrast.difference if one.contrast else None,
            "evidence": one.evidence_level,
        }
        for one in settings
    }
    return _frame(rows, "factor")


def comparison_frame(comparison: Comparison) -> pd.DataFrame:
    """Return the shares of the factors that all studies vary: a row per factor and study.

    factor, study: which. share: with its 95 % interval. evidence: as of `factors_frame`.
    """
    return _listed(
        {
            "factor": name,
            "study": study,
            **_with_interval("share", factor.share, factor.interval),
            "evidence": factor.verdict,
        }
        for name, by_study in comparison.factors.items()
        for study, factor in by_study.items()
    )


def _with_interval(
    name: str, value: float | None = None, interval: Interval | None = None
) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _frame(rows: Mapping[str, Mapping[str, Any]], index: str) -> pd.DataFrame:
    return pd.DataFrame(list(rows.values()), index=pd.Index(list(rows), name=index))


def _listed(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows))
