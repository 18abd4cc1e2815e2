"""The recommended settings: as a table, as a command to paste, as TOML and as JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from training_factors.search_spaces.description import parse_parameter
from training_factors.storage.definition import Definition
from training_factors.storage.files import REPORT, write_atomically
from training_factors.storage.metrics import metric_of
from training_factors.storage.studies import Study
from training_factors.storage.study_file_text import (
    RENAMED,
    fixed_study_file,
    permitting_changes,
)
from training_factors.study.analysis.answer import as_plain
from training_factors.study.analysis.recommendation import RecommendedSetting, recommend
from training_factors.study.analysis.verdict import CONFIRMED, PROBABLE, UNTESTED
from training_factors.study.reporting.analyses import StudyData, read_study_data
from training_factors.study.reporting.formatting import (
    Unit,
    as_sentence,
    draw_notes,
    format_settings,
    percent,
    unit_of,
)
from training_factors.study.reporting.status import describe_best

COMMAND_DIGITS = 4
"""Significant digits of a number in the command to paste; the TOML file has all of them."""

_WELL_SUPPORTED = (CONFIRMED, PROBABLE)
"""Kinds of evidence that speak for a setting."""

_REMARKS = {UNTESTED: "not varied"}
"""Level of evidence -> its words in the TOML file, where they differ."""

DIM_NOTE = ("dim", "A setting whose evidence is not distinguishable.")
"""Explanation of dim rows on the terminal."""


class Recommendation(NamedTuple):
    """The recommended setting of every factor of a study.

    source: in which run the configuration was found, and what it reaches. disagreement: why shares
    and confirmed effects differ, where they do; else empty. no_effects: the reason why there are no
    gains; None where there are.
    """

    study: str
    objective: str
    definition: Definition
    source: str
    settings: tuple[RecommendedSetting, ...]
    disagreement: str = ""
    no_effects: str | None = None


def compute_recommendation(study: Study, jobs: int) -> Recommendation:
    """Return the recommendation of a study; the answer is computed unless it is cached.

    jobs: number of processes that compute the answer. Raises NoAnswer when too few rows were
    measured.
    """
    return recommendation_of(read_study_data(study, jobs))


def recommendation_of(data: StudyData) -> Recommendation:
    """Recommend the confirmed configuration, or that of the best run where none is confirmed.

    Raises NoAnswer when too few rows were measured.
    """
    answer, stamp, conclusion = data.require_answer(), data.study.stamp, data.conclusion
    best = conclusion.best
    assert best is not None, "a study with an answer has complete runs"
    return Recommendation(
        study=data.study.name,
        objective=stamp.objective,
        definition=stamp.definition,
        source=describe_best(best, stamp.objective, conclusion.interval),
        settings=recommend(answer, stamp.space, best.parameters, data.confirmed),
        disagreement=conclusion.disagreement,
        no_effects=answer.no_effects,
    )


def draw_settings(recommendation: Recommendation) -> RenderableType:
    """Draw every setting with its evidence."""
    settings = recommendation.settings
    untested = ", ".join(one.factor for one in settings if one.evidence_level == UNTESTED)
    remarks = [] if recommendation.no_effects is None else [as_sentence(recommendation.no_effects)]
    if untested:
        remarks.append(f"These factors did not vary in this study: {untested}.")
    return Group(
        Text.assemble(("recommended configuration", "bold"), f"  {recommendation.source}"),
        Text(),
        _settings_table(
            [one for one in settings if one.evidence_level != UNTESTED],
            unit_of(recommendation.objective),
        ),
        Text(),
        *(line for remark in remarks for line in (Text(remark), Text())),
        draw_notes([*column_notes(recommendation.objective), DIM_NOTE]),
    )


def column_notes(objective: str, *, on_page: bool = False) -> list[tuple[str, str]]:
    """Return the columns of the settings that need it, each with a sentence that explains it.

    on_page: whether they are those of the page, which has more columns.
    """
    unit = unit_of(objective)
    return [
        ("share", "The part of all variance between configurations that the factor causes."),
        (
            "gain on average" if on_page else "gain",
            f"The mean {objective} with this option minus that with the baseline option, averaged "
            f"over all settings, in {unit.words}; {unit.note}.",
        ),
        (
            "drop if changed",
            f"The drop of the best configuration's {objective} on the test set when this factor "
            f"alone is changed, in {unit.words}. It is empty where no paired runs changed the "
            "factor.",
        ),
        *(
            [
                (
                    "step from the baseline",
                    f"What the factor adds to test {objective} on the path from the baseline to "
                    f"the best configuration, in {unit.words}.",
                )
            ]
            if on_page
            else []
        ),
        (
            "evidence",
            "confirmed: paired runs show an effect, since the best configuration is significantly "
            "worse with the factor changed, or setting it is a significant step on the path to it. "
            "probable: the measured runs show an effect, averaged over all settings. not "
            "distinguishable: neither does.",
        ),
    ]


def _settings_table(settings: Sequence[RecommendedSetting], unit: Unit) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for heading in ("factor", "set to", "share", "gain", "drop if\nchanged", "evidence"):
        right = heading in ("share", "gain", "drop if\nchanged")
        table.add_column(
            heading,
            justify="right" if right else "left",
            no_wrap=heading != "set to",
            overflow="fold",
        )
    for setting in settings:
        style = "" if setting.evidence_level in _WELL_SUPPORTED else "dim"
        table.add_row(*setting_cells(setting, unit), style=style)
    return table


def setting_cells(setting: RecommendedSetting, unit: Unit) -> tuple[str, ...]:
    """Return the cells of one factor: name, setting, share, gain, drop and evidence."""
    hyperparameters = format_settings(setting.hyperparameters, sign="=", between=" ")
    return (
        setting.factor,
        f"{setting.option} {hyperparameters}".strip(),
        "" if setting.share is None else f"{percent(setting.share)} %",
        "" if setting.gain is None else unit.signed(setting.gain) if setting.gain else "baseline",
        "" if setting.contrast is None else unit.signed(setting.contrast.difference, 2),
        setting.evidence_level,
    )


def holding_options(recommendation: Recommendation) -> list[str]:
    """Return the options of a study that holds the recommended settings and varies other factors.

    For a study of the documented factors every recommended setting is held, and the remaining
    factors of the full space vary. For a study of the full space only the settings with evidence
    are held.
    """
    definition = recommendation.definition
    holds_all = definition.space != "full"
    held = {
        name: value
        for setting in recommendation.settings
        if (setting.share is not None if holds_all else setting.evidence_level in _WELL_SUPPORTED)
        for name, value in setting_values(setting).items()
    }
    permitting = permitting_changes(definition, held)
    changed = {"space": "full", "fix": (), "drop": (), "only": (), "seed": 0, **permitting}
    words = definition_options(definition.model_copy(update=changed))
    own = {change.partition("=")[0] for changes in permitting.values() for change in changes}
    for name, value in held.items():
        # A value of the study's own range or choices is not rounded, which could lead out of them.
        is_own = name in own or parse_parameter(name).factor in own
        words += ["--fix", f"{name}={value if is_own else _command_value(value)}"]
    return words


def definition_options(definition: Definition) -> list[str]:
    """Return the options of `run` that create a study of this definition."""
    words: list[str] = []
    for field, value in definition:
        if value is None or (field, value) in (("seed", 0), ("precision", "auto")):
            continue
        option = f"--{RENAMED.get(field, field).replace('_', '-')}"
        for text in value if isinstance(value, tuple) else (value,):
            words += [option, list_word(text) if field in ("ignore", "factors") else str(text)]
    return words


def evidence_remark(level: str) -> str:
    """Return a level of evidence as a remark on a setting: of an untested one, why it is."""
    return _REMARKS.get(level, level)


def list_word(text: str) -> str:
    """Return a name as a word of an option whose lists have commas: in quotes if it has some."""
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text


def recommendation_toml(recommendation: Recommendation) -> str:
    """Return a study file in which every factor is fixed as recommended, with its evidence."""
    settings = recommendation.settings
    return fixed_study_file(
        recommendation.definition,
        {name: value for one in settings for name, value in setting_values(one).items()},
        metric=metric_of(recommendation.objective).name,
        comments=[
            f"{recommendation.study}: {recommendation.source}",
            "Trains this configuration: run --config. Adds it to another study: run --also.",
        ],
        remarks={one.factor: evidence_remark(one.evidence_level) for one in settings},
    )


def write_recommendation(recommendation: Recommendation, folder: Path) -> Path:
    """Write the TOML file into a folder and return its path."""
    path = folder / "recommended.toml"
    write_atomically(path, recommendation_toml(recommendation).encode(), REPORT)
    return path


def recommendation_document(recommendation: Recommendation) -> dict[str, Any]:
    """Return the recommendation as a JSON document."""
    document: dict[str, Any] = as_plain(
        {
            "schema": 1,
            **recommendation._asdict(),
            "definition": recommendation.definition.model_dump(mode="json"),
            "command": holding_options(recommendation),
        }
    )
    return document


def setting_values(setting: RecommendedSetting) -> dict[str, object]:
    """Return the option under the factor's name, and the hyperparameters under their paths."""
    return {setting.factor: setting.option, **setting.hyperparameters}


def _command_value(value: object) -> str:
    return f"{value:.{COMMAND_DIGITS}g}" if isinstance(value, float) else str(value)
