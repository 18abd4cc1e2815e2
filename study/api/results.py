"""Results as Python shows them: as text, as tables and, in a notebook, as the head of a report."""

import base64
import html
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.text import Text

from training_factors.search_spaces.dimension import Value
from training_factors.study.analysis.answer import Answer
from training_factors.study.analysis.comparison import Comparison
from training_factors.study.analysis.contrasts import Confirmation
from training_factors.study.analysis.verification import Verification
from training_factors.study.reporting import frames
from training_factors.study.reporting.comparison_table import draw_comparison
from training_factors.study.reporting.conclusion import Conclusion
from training_factors.study.reporting.confirmation_table import (
    ConfirmationResult,
    draw_contrasts,
)
from training_factors.study.reporting.formatting import Unit, unit_of
from training_factors.study.reporting.importance_tables import draw_shares
from training_factors.study.reporting.recommendation_table import (
    Recommendation,
    draw_settings,
    recommendation_toml,
    setting_values,
)
from training_factors.study.reporting.verification_table import describe_verification

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

WIDTH = 80
"""Width of a result as text, in characters."""


@dataclass(frozen=True)
class Importance:
    """The importance of every factor of a study, and how sure it is.

    study: its name. subject: name of its data. objective: the metric that the shares are about.
    answer: all numbers, as records. notes: what its user should know about the trials. conclusion:
    of the study, which starts from its confirmation; None for another metric than its objective,
    and for studies of other programs.

    `print` shows it as the terminal does; a notebook shows the verdict with chart and table.
    """

    study: str
    subject: str
    objective: str
    answer: Answer
    notes: tuple[str, ...] = ()
    conclusion: Conclusion | None = None

    @property
    def verdict(self) -> str:
        """The conclusion, in one or two sentences; after a confirmation it is about that."""
        return self.conclusion.sentence if self.conclusion else self.answer.verdict.sentence

    @property
    def leaders(self) -> tuple[str, ...]:
        """The smallest set of factors that holds the most important one with 95 % confidence.

        The largest share comes first; empty where no factor has a significant effect.
        """
        return self.answer.verdict.leaders

    @property
    def unit(self) -> Unit:
        """The unit in which differences of the objective are shown."""
        return unit_of(self.objective)

    def table(self) -> "pd.DataFrame":
        """Return a row per factor; the columns are those of `frames.factors_frame`."""
        return frames.factors_frame(self.answer)

    def variance(self) -> "pd.DataFrame":
        """Return a row per part of the variance; see `frames.variance_frame`."""
        return frames.variance_frame(self.answer)

    def hyperparameters(self) -> "pd.DataFrame":
        """Return a row per hyperparameter; see `frames.hyperparameters_frame`."""
        return frames.hyperparameters_frame(self.answer)

    def topics(self) -> "pd.DataFrame":
        """Return a row per topic; see `frames.topics_frame`."""
        return frames.topics_frame(self.answer)

    def effects(self) -> "pd.DataFrame":
        """Return a row per option and value of a hyperparameter; see `frames.effects_frame`."""
        return frames.effects_frame(self.answer)

    def interactions(self) -> "pd.DataFrame":
        """Return a row per interaction of two factors; see `frames.interactions_frame`."""
        return frames.interactions_frame(self.answer)

    def plot(self) -> "Figure":
        """Return the chart of the shares as a matplotlib figure."""
        from training_factors.study.reporting.charts import importance
        from training_factors.study.reporting.matplotlib_charts import (
            NotebookFigure,
            draw_chart,
        )

        return draw_chart(
            importance.chart(self.answer, self.subject, self.objective, self.unit), NotebookFigure
        )

    def drawn(self) -> RenderableType:
        """Draw it as the terminal shows it."""
        shares = draw_shares(self.answer, self.objective, self.unit)
        return Group(Text(self.verdict, style="bold"), Text(), shares)

    def __str__(self) -> str:
        return as_text(self.drawn())

    def _repr_html_(self) -> str:
        from training_factors.study.reporting.matplotlib_charts import encode_figure

        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        picture = base64.b64encode(encode_figure(self.plot(), ".png")).decode()
        verdict = html.escape(self.verdict)
        return (
            f"{notes}<p><b>{verdict}</b></p>"
            f'<img alt="{verdict}" style="max-width:100%;width:800px" '
            f'src="data:image/png;base64,{picture}">'
        )


@dataclass(frozen=True)
class Confirmed:
    """The best configuration of a study, compared with its one-factor changes in paired runs."""

    result: ConfirmationResult

    @property
    def confirmation(self) -> Confirmation | None:
        """All numbers, as records; None while too few runs have ended."""
        return self.result.confirmation

    @property
    def parameters(self) -> Mapping[str, Value]:
        """The best configuration: parameter -> value. Raises ValueError while there is none."""
        return self._require().config

    @property
    def value(self) -> float:
        """Its mean objective on the test part. Raises ValueError while there is none."""
        return self._require().value

    def table(self) -> "pd.DataFrame":
        """Return a row per change; see `frames.contrasts_frame`."""
        return frames.contrasts_frame(self._require())

    def path(self) -> "pd.DataFrame":
        """Return a row per step from the baseline to the best; see `frames.path_frame`.

        Raises ValueError where the path was not run.
        """
        path = self._require().path
        if path is None:
            raise ValueError("the path has no result; run it with confirm(path=True)")
        return frames.path_frame(path)

    def _require(self) -> Confirmation:
        if self.confirmation is None:
            raise ValueError("the confirmation has no result yet, because too few runs have one")
        return self.confirmation

    def __str__(self) -> str:
        return as_text(draw_contrasts(self.result))

    def _repr_html_(self) -> str:
        return as_html(draw_contrasts(self.result))


@dataclass(frozen=True)
class Recommended:
    """The recommended setting of every factor, each with its evidence."""

    recommendation: Recommendation

    @property
    def source(self) -> str:
        """The origin of the configuration: a confirmation, or a single run."""
        return self.recommendation.source

    @property
    def parameters(self) -> dict[str, object]:
        """Factor -> option, and hyperparameter -> value, of all factors, varied or not."""
        return {
            name: value
            for setting in self.recommendation.settings
            for name, value in setting_values(setting).items()
        }

    def table(self) -> "pd.DataFrame":
        """Return a row per factor; see `frames.settings_frame`."""
        return frames.settings_frame(self.recommendation.settings)

    def toml(self) -> str:
        """Return the settings as TOML, each with its evidence."""
        return recommendation_toml(self.recommendation)

    def __str__(self) -> str:
        return as_text(draw_settings(self.recommendation))

    def _repr_html_(self) -> str:
        return as_html(draw_settings(self.recommendation))


@dataclass(frozen=True)
class Compared:
    """The shares of the same factors in several studies. objectives: study -> its objective."""

    comparison: Comparison
    objectives: Mapping[str, str]

    def table(self) -> "pd.DataFrame":
        """Return a row per factor and study; see `frames.comparison_frame`."""
        return frames.comparison_frame(self.comparison)

    def __str__(self) -> str:
        return as_text(draw_comparison(self.comparison, self.objectives))

    def _repr_html_(self) -> str:
        return as_html(draw_comparison(self.comparison, self.objectives))


@dataclass(frozen=True)
class Verified:
    """An answer from a file, compared with that of the same study run again."""

    verification: Verification

    @property
    def same(self) -> bool:
        """Return whether every number that was compared is equal to the last digit."""
        return self.verification.same

    @property
    def within_noise(self) -> bool:
        """Return whether the differences are no larger than noise: of the seed, and of shares."""
        return self.verification.within_noise

    def __str__(self) -> str:
        return "\n".join(describe_verification(self.verification))


def as_text(drawn: RenderableType) -> str:
    """Return what the terminal would show, without colours."""
    return _recorded(drawn).export_text(styles=False)


def as_html(drawn: RenderableType) -> str:
    """Return what the terminal would show as HTML."""
    code = _recorded(drawn).export_html(inline_styles=True, code_format="{code}")
    return f'<pre style="white-space:pre;overflow-x:auto">{code}</pre>'


def _recorded(drawn: RenderableType) -> Console:
    """Return a console that has recorded a drawing, and shown it nowhere."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), highlight=False, markup=False, emoji=False
    )
    console.print(drawn, crop=False)
    return console
