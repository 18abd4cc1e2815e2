"""Explain how runs ended: what failed runs have in common, and what pruning would have lost."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import hypergeom

from training_factors.search_spaces.description import SpaceDescription
from training_factors.storage.trials import DIVERGED, Trial
from training_factors.study.analysis.diagnostics import Setting, settings_of
from training_factors.study.analysis.measurements import has_diverged
from training_factors.study.analysis.verdict import SIGNIFICANT
from training_factors.study.pruning import should_prune, thresholds_of

BEST_PART = 0.1
"""Part of the measured runs that count as the best ones of a study."""


class Explanation(NamedTuple):
    """The setting that runs with one outcome have more often than the other runs.

    outcome: the reason of their failure, or `DIVERGED`. runs: number of runs that ended so.
    with_setting: how many of them have the setting. others, others_with_setting: the same of the
    other runs. p_value: of the association, corrected for the number of settings.
    """

    outcome: str
    setting: Setting
    runs: int
    with_setting: int
    others: int
    others_with_setting: int
    p_value: float

    @property
    def sentence(self) -> str:
        """The association, for a place beside the outcome, without a full stop."""
        return (
            f"{self.with_setting} of these {self.runs} runs have {self.setting}; of the other "
            f"{self.others}, {self.others_with_setting} do"
        )


class PruningAudit(NamedTuple):
    """The measured runs, which are never pruned, as the pruning of the search would have left them.

    measured: number of complete measured runs. stopped: of those, the ones whose learning curve
    falls below a threshold of the search. lost: of the stopped ones, those that ended at least as
    high as the best run that was not stopped. lost_best: of the stopped ones, those among the best
    tenth of the measured runs.
    """

    measured: int
    stopped: int
    lost: int
    lost_best: int

    @property
    def sentence(self) -> str:
        """The numbers in a sentence."""
        lost = self.lost or "none"
        return (
            f"pruning would have stopped {self.stopped} of the {self.measured} measured runs, "
            f"which went on to their end; {self.lost_best or 'none'} of the {self.stopped} ended "
            f"among the best tenth, and {lost} at least as high as the best run that it would have "
            "kept"
        )


def explain_failures(trials: Sequence[Trial], space: SpaceDescription) -> tuple[Explanation, ...]:
    """Return what explains each reason of failure, and the divergence of complete runs.

    Reasons that no setting explains are left out. Runs of all phases count: where failures do not
    depend on the settings, it does not matter how the settings were chosen.
    """
    ended = [trial for trial in trials if trial.state in ("COMPLETE", "PRUNED", "FAIL")]
    complete = [trial for trial in ended if trial.complete]
    reasons = dict.fromkeys(trial.reason for trial in ended if trial.state == "FAIL")
    found = [_explain_reason(reason, ended, space) for reason in reasons]
    diverged = [trial for trial in complete if has_diverged(trial)]
    found.append(explain(DIVERGED, diverged, complete, settings_of(complete, space)))
    return tuple(one for one in found if one is not None)


def _explain_reason(
    reason: str, ended: Sequence[Trial], space: SpaceDescription
) -> Explanation | None:
    failed = [t for t in ended if t.state == "FAIL" and t.reason == reason]
    return explain(reason, failed, ended, settings_of(ended, space))


def explain(
    outcome: str, runs: Sequence[Trial], everything: Sequence[Trial], settings: Iterable[Setting]
) -> Explanation | None:
    """Return the setting that is most over-represented among runs; None if none is significantly.

    The test is Fisher's exact one, one-sided, with Bonferroni's correction for the number of
    settings: given how many of all runs have a setting, the number among `runs` is hypergeometric
    if it has nothing to do with the outcome.

    everything: the runs that could have ended so, `runs` among them.
    """
    candidates = list(settings)
    numbers = {trial.number for trial in runs}
    best: Explanation | None = None
    for setting in candidates:
        having = [trial.number for trial in everything if setting.applies_to(trial)]
        common = len(numbers.intersection(having))
        p_value = float(hypergeom.sf(common - 1, len(everything), len(having), len(runs)))
        corrected = min(1.0, p_value * len(candidates))
        if corrected < (SIGNIFICANT if best is None else best.p_value):
            best = Explanation(
                outcome, setting, len(runs), common, len(everything) - len(runs),
                len(having) - common, corrected,
            )  # fmt: skip
    return best


def audit_pruning(trials: Sequence[Trial], epochs: int) -> PruningAudit | None:
    """Return what pruning would have done to the measured runs; None for a study without a search.

    Measured runs are never pruned, so that their ends are known. A run would have been stopped if
    it lay below the threshold after any epoch; the thresholds are those of `study.pruning`, over
    all measured runs. Equal ends count as lost, and if no run would have been kept, all are lost.

    epochs: of every run.
    """
    measured = [
        trial
        for trial in trials
        if trial.phase == "measure" and trial.complete and trial.value is not None and trial.curve
    ]
    if not measured or not any(trial.phase == "search" for trial in trials):
        return None
    thresholds = thresholds_of([trial.curve for trial in measured], epochs)
    values = np.array([trial.value for trial in measured])
    stopped = np.array(
        [any(should_prune(*point, thresholds) for point in t.curve.items()) for t in measured]
    )
    best = np.argsort(-values, kind="stable")[: max(1, round(BEST_PART * len(values)))]
    kept = values[~stopped]
    lost = stopped & (values >= (kept.max() if len(kept) else -np.inf))
    return PruningAudit(
        len(measured), int(stopped.sum()), int(lost.sum()), int(stopped[best].sum())
    )
