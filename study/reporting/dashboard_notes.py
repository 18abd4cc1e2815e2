"""Our notes and our chart in optuna-dashboard: a note on each trial, both on the study.

A trial's note says what the trial was for, how it ended and what differs from the baseline; it is
never stored (see `dashboard_middleware`). The study's note and chart show the importance of the
factors; `save_to_dashboard` stores them among the study's attributes, where the dashboard reads
them.
"""

import re
import shlex
import textwrap
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects
from optuna_dashboard import get_note, save_note, save_plotly_graph_object
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects

from training_factors.search_spaces.description import PLACEBO, SpaceDescription
from training_factors.storage.own_configurations import OWN, OWN_NAME
from training_factors.storage.retry import retry
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import Answer, FactorImportance
from training_factors.study.reporting.chart import LIGHT
from training_factors.study.reporting.charts import importance
from training_factors.study.reporting.conclusion import Conclusion, describe_evidence
from training_factors.study.reporting.formatting import (
    PLACEBO_MEANING,
    Unit,
    describe_objective,
    percent,
    percents,
    unit_of,
)
from training_factors.study.reporting.plotly_charts import (
    Plot,
    escaped_html,
    plotly_panel,
    themed,
)
from training_factors.study.reporting.status import changed_options, describe_best, trial_outcome

CHART_ID = "training-factors-importance"
"""Id of our chart among the charts that are stored with a study."""

CARD_CHARACTERS = 50
"""Number of characters that fit into a line of the dashboard's card with our chart."""

MAX_CHART_CHARACTERS = 100 * 1024
"""Maximum number of characters of our chart; the dashboard's page loads it every few seconds."""

BEGIN, END = "[//]: # (training factors)", "[//]: # (end of training factors)"
"""Lines around our part of a study's note; Markdown does not show them. The rest is the user's."""

VERBS = ("importance", "effects", "recommend", "confirm")
"""Verbs that a study's note suggests."""

WHY_OTHERS_DIFFER = (
    "**Why the card “Hyperparameter Importance” differs.** It answers another question, with "
    "PED-ANOVA: which single parameters distinguish the best tenth of all trials? Its numbers are "
    "not shares of the variance, ignore interactions and have no intervals. It lists a "
    "hyperparameter of one option beside its factor instead of as a part of it. And it includes "
    "the trials of the search, although their settings were chosen by results."
)
"""Part of a study's note: how Optuna's own importance differs from ours."""

_PURPOSES = {
    "baseline": (
        "the configuration with every factor at its baseline; it does not count for importance"
    ),
    "measure": "counts for importance",
    OWN: "your own configuration; it does not count for importance",
    "search": "does not count for importance, because its settings were chosen by results",
    "division": (
        "shows how much another division of the data moves the result of this row; it is compared "
        "with no other configuration"
    ),
    "confirm": "compared with the other arms of the confirmation on the same seed",
}
"""Phase -> what its runs are for."""

_MARKDOWN_SIGNS = re.compile(r"([\\`*_\[\]<>|~&!#$])")
"""Characters that have a meaning in a line of Markdown."""

_OUR_PART = re.compile(
    rf"{re.escape(BEGIN)}(?:(?!{re.escape(BEGIN)}|{re.escape(END)}).)*{re.escape(END)}", re.DOTALL
)


def escaped_markdown(text: object) -> str:
    """Return the text in one line, escaped so that Markdown shows it unchanged."""
    return _MARKDOWN_SIGNS.sub(r"\\\1", " ".join(str(text).split()))


def trial_note(trial: Trial, stamp: Stamp, picture: str = "") -> str:
    """Return the note of a trial that has ended, as Markdown.

    stamp: of its study. picture: URL of its learning curve; empty if there is none.
    """
    lines = [
        f"- **{escaped_markdown(_run_name(trial))}**: {_purpose(trial)}",
        f"- **{escaped_markdown(trial_outcome(trial))}**{_result(trial, stamp)}",
        *_changes(trial, stamp.space),
    ]
    if picture:
        caption = f"validation {escaped_markdown(stamp.objective)} by epoch"
        lines += ["", f"![{caption}]({picture})"]
    return "\n".join(lines) + "\n"


def _run_name(trial: Trial) -> str:
    """Return phase, row and repeat: `measure, row 3, repeat 1 with another seed`."""
    if trial.phase == OWN:
        return f"{OWN}, {trial.attributes.get(OWN_NAME)}"
    row_word = "arm" if trial.phase == "confirm" else "row"
    row = "" if trial.phase == "baseline" else f", {row_word} {trial.row}"
    repeat = f", repeat {trial.repeat} with another seed" if trial.repeat else ""
    if not trial.is_comparable:
        repeat = f", other division {trial.repeat}"
    return f"{trial.phase or 'run'}{row}{repeat}"


def _purpose(trial: Trial) -> str:
    if trial.phase == "measure" and not trial.complete:
        return "does not count for importance, because it has no result"
    return _PURPOSES.get(trial.phase, "created by another program")


def _result(trial: Trial, stamp: Stamp) -> str:
    """Return duration and objective, or the reason of the failure."""
    duration = "" if trial.time_s is None else f" after {trial.time_s:.1f} s"
    if trial.state == "FAIL":
        reason = trial.attributes.get("reason", "the reason is unknown")
        return f"{duration}: {escaped_markdown(reason)}"
    objective = escaped_markdown(stamp.objective)
    parts = (("validation", trial.value), ("test", trial.test_value))
    values = [f"{part} {objective} {value:.4f}" for part, value in parts if value is not None]
    return f"{duration}: {', '.join(values)}" if values else duration


def _changes(trial: Trial, space: SpaceDescription) -> list[str]:
    """Return one line per option that differs from the baseline."""
    options = changed_options(trial.parameters, space.baseline)
    if not options:
        return ["- every option is the baseline's"]
    lines = (
        f"  - {escaped_markdown(name)}: {escaped_markdown(option)}"
        for name, option in options.items()
    )
    return ["- differs from the baseline:", *lines]


def study_note(conclusion: Conclusion, answer: Answer, name: str, objective: str) -> str:
    """Return the note of a study as Markdown: conclusion, table of factors and further commands.

    name, objective: of the study.
    """
    unit = unit_of(objective)
    parts = [
        "## Which training factor matters most",
        f"**{escaped_markdown(conclusion.dated_sentence)}**",
        *_further_sentences(conclusion, objective),
        _factor_table(answer, unit),
        _legend(answer, objective),
        WHY_OTHERS_DIFFER,
        "For more, run these in a terminal (with `--storage` if the study was run with it):",
        "\n".join(["```", *(_command(verb, name) for verb in VERBS), "```"]),
        "*This part is replaced whenever the study is analysed. Text above and below it is kept.*",
    ]
    return "\n\n".join(parts)


def _further_sentences(conclusion: Conclusion, objective: str) -> list[str]:
    """Return what stands below the first sentence, each as a paragraph."""
    found = [f"{conclusion.second}."] if conclusion.second else []
    if conclusion.averaged:
        found.append(f"Averaged over all settings, {conclusion.averaged}.")
    if conclusion.disagreement:
        found.append(conclusion.disagreement)
    if conclusion.best is not None:
        best = describe_best(conclusion.best, objective, conclusion.interval)
        found.append(f"Best configuration, {best}.")
    found.append(f"Evidence: {describe_evidence(conclusion.evidence)}.")
    return [escaped_markdown(sentence) for sentence in found]


def _command(verb: str, name: str) -> str:
    """Return a command line without paths of this machine, since others read the note too."""
    return shlex.join(["python", "run_study.py", verb, "--study", " ".join(name.split())])


def _factor_table(answer: Answer, unit: Unit) -> str:
    head = (
        f"| factor | share | 95 % interval | SD, {unit.name} | gain, {unit.name} | best option |",
        "|:-|-:|-:|-:|-:|:-|",
    )
    factors = answer.factors_and_placebo
    has_gains = answer.no_effects is None
    return "\n".join([*head, *(_factor_row(factor, unit, has_gains) for factor in factors)])


def _factor_row(factor: FactorImportance, unit: Unit, has_gains: bool) -> str:
    has_gain = has_gains and factor.name != PLACEBO
    name = escaped_markdown(factor.name)
    cells = (
        f"**{name}**" if factor.matters else name,
        f"{percent(factor.share)} %",
        percents(factor.interval),
        unit.unsigned(factor.points),
        unit.signed(factor.gain) if has_gains else "",
        escaped_markdown(factor.best_option) if has_gain else "",
    )
    return f"| {' | '.join(cells)} |"


def _legend(answer: Answer, objective: str) -> str:
    counts, unit = answer.evidence, unit_of(objective)
    placebo = "" if answer.placebo is None else f" {PLACEBO_MEANING}"
    gain = f"the best option minus the baseline, in {unit.name}"
    if answer.no_effects is not None:
        gain = answer.no_effects
    division = ""
    if answer.division_noise is not None:
        division = f" {escaped_markdown(importance.division_note(answer, unit))}"
    return (
        f"Share: the part of all variance between {counts.rows} measured configurations "
        f"({counts.runs} runs) that the factor causes (Shapley effect). The runs show where "
        f"{percent(answer.explained, 0)} % of it comes from. SD: the standard deviation of the "
        f"{escaped_markdown(describe_objective(objective))} that the factor causes, in "
        f"{unit.name}; {unit.note}. Gain: {gain}. "
        f"Bold: distinguishable from noise.{placebo}{division}"
    )


def dashboard_figure(conclusion: Conclusion, answer: Answer, objective: str) -> Plot:
    """Return our chart for the dashboard: the shares of all factors, titled with the conclusion."""
    shares, *_ = importance.chart(answer, "", objective).panels
    figure = plotly_panel(shares)
    title = [
        escaped_html(line) for line in textwrap.wrap(conclusion.dated_sentence, CARD_CHARACTERS)
    ]
    # The dashboard's card decides on the height.
    flexible = {key: value for key, value in figure["layout"].items() if key != "height"}
    layout = {
        **flexible,
        "title": {"text": "<br>".join(title), "font": {"size": 13}},
        "margin": {"l": 8, "r": 16, "t": 44 + 18 * len(title), "b": 8},
        "paper_bgcolor": "@background",
        "plot_bgcolor": "@background",
        "template": {},
    }
    light: Plot = themed({"data": figure["data"], "layout": layout}, LIGHT)
    return light


def save_to_dashboard(study: Study, figure: Mapping[str, Any], note: str) -> bool:
    """Store our chart and our part of the note with a study; return whether anything changed.

    figure: data and layout of a plotly figure. note: Markdown.

    Raises ValueError when the figure is too large or invalid, StorageUnavailableError when the
    database cannot be written.
    """
    chart = plotly.graph_objects.Figure(dict(figure))
    text = chart.to_json()
    if len(text) > MAX_CHART_CHARACTERS:
        raise ValueError(
            f"the chart has {len(text):,} characters, more than the limit of "
            f"{MAX_CHART_CHARACTERS:,}"
        )

    def attempt(is_retry: bool) -> bool:
        # Unchanged content is not written again: every 2,045 characters are one transaction.
        stored = study.database.storage.get_study_system_attrs(study.study_id)
        is_new: bool = get_plotly_graph_objects(stored).get(CHART_ID) != text
        if is_new:
            save_plotly_graph_object(study.optuna_study, chart, graph_object_id=CHART_ID)
        before: str = get_note(study.optuna_study)
        after = insert_note(before, note)
        if after != before:
            save_note(study.optuna_study, after)
        return is_new or after != before

    return retry(study.database, attempt)


def insert_note(text: str, note: str) -> str:
    """Return a study's note with our part replaced, or appended if there was none.

    text: the whole note as it is stored, including what users wrote.
    """
    part = f"{BEGIN}\n\n{note.strip()}\n\n{END}"
    if _OUR_PART.search(text):
        return _OUR_PART.sub(lambda _: part, text, count=1)
    return f"{text.rstrip()}\n\n{part}\n" if text.strip() else f"{part}\n"
