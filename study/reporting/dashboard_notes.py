"""What there is to say of one run, as Markdown: what it was for, how it ended, what differs."""

import re
import shlex
import textwrap
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects
from optuna_dashboard import get_note, save_note, save_plotly_graph_object
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects

from training_factors.search_spaces.description import PLACEBO, SpaceDescription
from training_factors.storage.retry import retry
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import Answer, FactorImportance
from training_factors.study.reporting.chart import LIGHT
from training_factors.study.reporting.charts import importance
from training_factors.study.reporting.formatting import percent, percents, points
from training_factors.study.reporting.plotly_charts import (
    Plot,
    escaped_html,
    plotly_panel,
    themed,
)
from training_factors.study.reporting.status import changes, outcome

_MARKS = re.compile(r"([\\`*_\[\]<>|~&!#$])")
"""What Markdown reads as more than itself within a line."""

_PURPOSES = {
    "baseline": "gains are seen against it; it does not count for importance",
    "measure": "counts for importance",
    "search": "its settings were chosen by results, so that it does not count for importance",
    "confirm": "compared with the other arms of the same seed",
}
"""Of every phase."""


def escaped_markdown(text: object) -> str:
    """Text that Markdown shows as it is, in one line."""
    return _MARKS.sub(r"\\\1", " ".join(str(text).split()))


def trial_note(trial: Trial, stamp: Stamp, picture: str = "") -> str:
    """The note of a run that has ended. stamp: of its study. picture: where its curve is shown."""
    lines = [
        f"- **{escaped_markdown(_run(trial))}**: {_purpose(trial)}",
        f"- **{escaped_markdown(outcome(trial))}**{_result(trial, stamp)}",
        *_differences(trial, stamp.space),
    ]
    if picture:
        lines += [
            "",
            f"![validation {escaped_markdown(stamp.objective)} by epoch]({picture})",
        ]
    return "\n".join(lines) + "\n"


def _run(trial: Trial) -> str:
    repeat = f", repeat {trial.repeat} with a fresh seed" if trial.repeat else ""
    row = "" if trial.phase == "baseline" else f", {_row_word(trial)} {trial.row}"
    return f"{trial.phase or 'run'}{row}{repeat}"


def _row_word(trial: Trial) -> str:
    return "arm" if trial.phase == "confirm" else "row"


def _purpose(trial: Trial) -> str:
    if trial.phase == "measure" and not trial.complete:
        return "without a result it does not count for importance"
    return _PURPOSES.get(trial.phase, "made by another program")


def _result(trial: Trial, stamp: Stamp) -> str:
    """The objective with its seconds, or why there is none."""
    time = "" if trial.time_s is None else f" after {trial.time_s:.1f} s"
    if trial.state == "FAIL":
        return f"{time}: {escaped_markdown(trial.attributes.get('reason', 'for no known reason'))}"
    objective = escaped_markdown(stamp.objective)
    parts = (("validation", trial.value), ("test", trial.test_value))
    shown = [f"{part} {objective} {value:.4f}" for part, value in parts if value is not None]
    return f"{time}: {', '.join(shown)}" if shown else time


def _differences(trial: Trial, space: SpaceDescription) -> list[str]:
    """The options that are not the baseline's, a line each."""
    found = changes(trial.parameters, space.baseline).items()
    if not found:
        return ["- all options are the baseline's"]
    lines = (f"  - {escaped_markdown(name)}: {escaped_markdown(option)}" for name, option in found)
    return ["- differs from the baseline:", *lines]


WHY_OTHERS_DIFFER = (
    "**Why the card “Hyperparameter Importance” differs.** It asks another question (PED-ANOVA): "
    "which single parameters set the best tenth of all trials apart? Its numbers are no shares of "
    "the variance, leave interactions out and have no intervals; a hyperparameter of one option stands "
    "beside its factor instead of within it; and the searched trials count, although their "
    "settings were chosen by results."
)


VERBS = ("importance", "effects", "recommend", "confirm")
"""What says more."""


def study_note(answer: Answer, name: str) -> str:
    """Verdict, shares with intervals, why the dashboard's own differ, and commands for more.

    name: of the study. Where the surrogates explain nothing, shares of it would be noise, so there
    is no table.
    """
    parts = [
        "## Which training factor matters most",
        f"**{escaped_markdown(answer.verdict.sentence)}**",
        *((_table(answer), _legend(answer)) if answer.explained > 0 else ()),
        WHY_OTHERS_DIFFER,
        "More, in a terminal (with `--storage` where the study was run with it):",
        "\n".join(["```", *(_command(verb, name) for verb in VERBS), "```"]),
        "*This part is written anew whenever the study is analysed; text above or below it stays.*",
    ]
    return "\n\n".join(parts)


def _command(verb: str, name: str) -> str:
    """As it can be called anywhere: the note is read on other machines too."""
    return shlex.join(["python", "run_study.py", verb, "--study", " ".join(name.split())])


def _table(answer: Answer) -> str:
    head = (
        "| factor | share | 95 % interval | points | gain | best option |",
        "|:-|-:|-:|-:|-:|:-|",
    )
    return "\n".join([*head, *(_row(one) for one in (*answer.factors, answer.placebo))])


def _row(factor: FactorImportance) -> str:
    name = escaped_markdown(factor.name)
    cells = (
        f"**{name}**" if factor.matters else name,
        f"{percent(factor.share)} %",
        percents(factor.interval),
        f"± {factor.points:.1f}",
        points(factor.gain),
        "" if factor.name == PLACEBO else escaped_markdown(factor.best_option),
    )
    return f"| {' | '.join(cells)} |"


def _legend(answer: Answer) -> str:
    counts = answer.evidence
    return (
        f"Share: part of what the factors explain (Shapley effect), which is "
        f"{percent(answer.explained, 0)} % of the variance among {counts.rows} measured rows "
        f"({counts.runs} runs). Points: standard deviation that the factor causes, in hundredths "
        f"of the objective. Gain: best option less the baseline's, in points. In bold: "
        f"distinguishable from noise. The placebo is a parameter that training never reads: it "
        f"shows what nothing looks like."
    )


CHART_ID = "training-factors-importance"
"""The chart's name among those that are kept with a study."""

CARD_WIDTH = 50
"""Characters of a line that the dashboard's card has room for."""

LARGEST_CHART = 100 * 1024
"""Characters of a chart: all of it is sent again whenever the page looks for news."""

BEGIN, END = "[//]: # (training factors)", "[//]: # (end of training factors)"
"""Between these lines, which Markdown does not show, the note is ours; the rest is the user's."""

_OURS = re.compile(
    rf"{re.escape(BEGIN)}(?:(?!{re.escape(BEGIN)}|{re.escape(END)}).)*{re.escape(END)}", re.DOTALL
)


def save_to_dashboard(study: Study, figure: Mapping[str, Any], note: str) -> bool:
    """Keep a chart and a note with a study; whether that changed anything.

    figure: data and layout, as plotly has them. note: Markdown.

    Raises ValueError when the chart is too large or none of plotly's, StorageLostError when the
    database cannot be written.
    """
    drawn = plotly.graph_objects.Figure(dict(figure))
    text = drawn.to_json()
    if len(text) > LARGEST_CHART:
        raise ValueError(
            f"a chart of {len(text):,} characters is too large, {LARGEST_CHART:,} is most"
        )

    def attempt(again: bool) -> bool:
        # What is there already is not written again: every 2,045 characters are a transaction.
        stored = study.database.storage.get_study_system_attrs(study.study_id)
        is_new: bool = get_plotly_graph_objects(stored).get(CHART_ID) != text
        if is_new:
            save_plotly_graph_object(study.optuna_study, drawn, graph_object_id=CHART_ID)
        before: str = get_note(study.optuna_study)
        after = insert_note(before, note)
        if after != before:
            save_note(study.optuna_study, after)
        return is_new or after != before

    return retry(study.database, attempt)


def insert_note(written: str, note: str) -> str:
    """A note with our part of it as given, behind what the user has written or where it was."""
    ours = f"{BEGIN}\n\n{note.strip()}\n\n{END}"
    if _OURS.search(written):
        return _OURS.sub(lambda _: ours, written, count=1)
    return f"{written.rstrip()}\n\n{ours}\n" if written.strip() else f"{ours}\n"


def dashboard_figure(answer: Answer) -> Plot:
    """Our importance chart as it is kept: the shares, under the verdict, on white paper."""
    shares, *_ = importance.chart(answer, "").panels
    drawn = plotly_panel(shares)
    lines = [escaped_html(line) for line in textwrap.wrap(answer.verdict.sentence, CARD_WIDTH)]
    sized_by_card = {key: value for key, value in drawn["layout"].items() if key != "height"}
    layout = {
        **sized_by_card,
        "title": {"text": "<br>".join(lines), "font": {"size": 13}},
        "margin": {"l": 8, "r": 16, "t": 44 + 18 * len(lines), "b": 8},
        "paper_bgcolor": "@paper",
        "plot_bgcolor": "@paper",
        "template": {},
    }
    found: Plot = themed({"data": drawn["data"], "layout": layout}, LIGHT)
    return found
