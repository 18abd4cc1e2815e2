"""Our chart and verdict kept with a study, so that Optuna's dashboard shows them on its pages."""

import re
import textwrap
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects
from optuna_dashboard import get_note, save_note, save_plotly_graph_object
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects

from storage.patience import persist
from storage.studies import Study
from study.analysis.answer import Answer
from study.reporting.chart import LIGHT
from study.reporting.charts import importance
from study.reporting.interactive import Plot, plot, themed, words

CHART = "training-factors-importance"
"""The chart's name among those that are kept with a study."""

CARD = 50
"""Characters of a line that the dashboard's card has room for."""

LARGEST = 100 * 1024
"""Characters of a chart: all of it is sent again whenever the page looks for news."""

BEGIN, END = "[//]: # (training factors)", "[//]: # (end of training factors)"
"""Between these lines, which Markdown does not show, the note is ours; the rest is the user's."""

_OURS = re.compile(
    rf"{re.escape(BEGIN)}(?:(?!{re.escape(BEGIN)}|{re.escape(END)}).)*{re.escape(END)}", re.DOTALL
)


def publish(study: Study, figure: Mapping[str, Any], note: str) -> bool:
    """Keep a chart and a note with a study; whether that changed anything.

    figure: data and layout, as plotly has them. note: Markdown.

    Raises ValueError when the chart is too large or none of plotly's, StorageLostError when the
    database cannot be written.
    """
    drawn = plotly.graph_objects.Figure(dict(figure))
    text = drawn.to_json()
    if len(text) > LARGEST:
        raise ValueError(f"a chart of {len(text):,} characters is too large, {LARGEST:,} is most")

    def attempt(again: bool) -> bool:
        # What is there already is not written again: every 2,045 characters are a transaction.
        stored = study.database.storage.get_study_system_attrs(study.study_id)
        is_new: bool = get_plotly_graph_objects(stored).get(CHART) != text
        if is_new:
            save_plotly_graph_object(study.optuna_study, drawn, graph_object_id=CHART)
        before: str = get_note(study.optuna_study)
        after = with_ours(before, note)
        if after != before:
            save_note(study.optuna_study, after)
        return is_new or after != before

    return persist(study.database, attempt)


def with_ours(written: str, note: str) -> str:
    """A note with our part of it as given, behind what the user has written or where it was."""
    ours = f"{BEGIN}\n\n{note.strip()}\n\n{END}"
    if _OURS.search(written):
        return _OURS.sub(lambda _: ours, written, count=1)
    return f"{written.rstrip()}\n\n{ours}\n" if written.strip() else f"{ours}\n"


def figure_of(answer: Answer) -> Plot:
    """Our importance chart as it is kept: the shares, under the verdict, on white paper."""
    shares, *_ = importance.chart(answer, "").panels
    drawn = plot(shares)
    lines = [words(line) for line in textwrap.wrap(answer.verdict.sentence, CARD)]
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
