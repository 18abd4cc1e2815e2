"""What to set: as a table, as a command to paste and as TOML."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from training_factors.storage.arms import read_arms
from training_factors.storage.definition import Definition
from training_factors.storage.files import REPORT, write_atomically
from training_factors.storage.studies import Study, confirmation_name, find_study
from training_factors.storage.trials import read_trials
from training_factors.study.analysis.answer import as_plain
from training_factors.study.analysis.contrasts import Confirmation, analyse_confirmation
from training_factors.study.analysis.recommendation import RecommendedSetting, recommend
from training_factors.study.analysis.verdict import CONFIRMED, PROBABLE, UNTESTED
from training_factors.study.reporting.analyses import answer_of
from training_factors.study.reporting.formatting import (
    format_settings,
    percent,
    points,
    whole_line,
)
from training_factors.study.reporting.status import best_trial

SHOWN_DIGITS = 4


class Recommendation(NamedTuple):
    """A recommendation. source: where the configuration comes from, in words."""

    study: str
    objective: str
    definition: Definition
    source: str
    settings: tuple[RecommendedSetting, ...]


def compute_recommendation(study: Study, jobs: int) -> Recommendation:
    """The recommendation of a study, with its confirmation where there is one.

    Raises NoAnswer when too little was measured.
    """
    answer = answer_of(study, jobs)
    confirmation = confirmation_of(study)
    best = best_trial(read_trials(study))
    assert best is not None, "an answer has complete runs"
    objective = study.stamp.objective
    config: Mapping[str, Any]
    if confirmation is None:
        config = best.parameters
        source = f"trial #{best.number}, validation {objective} {best.value:.4f}: not confirmed"
    else:
        config = confirmation.config
        mean = f"{objective} {confirmation.value:.4f}, mean of {confirmation.seeds} seeds"
        source = f"confirmed on the test part: {mean}"
    found = recommend(answer, study.stamp.space, config, confirmation)
    return Recommendation(study.name, objective, study.stamp.definition, source, found)


def confirmation_of(study: Study) -> Confirmation | None:
    """What controlled runs said about this study, None where there were none."""
    found = find_study(study.database, confirmation_name(study.name))
    return analyse_confirmation(read_arms(found), read_trials(found)) if found else None


def draw_recommendation(found: Recommendation, path: Path, entry: Sequence[str]) -> RenderableType:
    """Every factor with its setting and evidence, the command, and where the TOML lies."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for heading in ("factor", "set to", "share", "gain", "loses", "standing"):
        right = heading in ("share", "gain", "loses")
        table.add_column(
            heading,
            justify="right" if right else "left",
            no_wrap=heading != "set to",
            overflow="fold",
        )
    for setting in found.settings:
        if setting.evidence_level != UNTESTED:
            table.add_row(*setting_cells(setting), style=_style(setting))
    untested = ", ".join(one.factor for one in found.settings if one.evidence_level == UNTESTED)
    note = (
        "share: of the explained variance. gain: of this option over the baseline's, points. "
        "loses: points that the best loses on the test part when this factor alone changes."
    )
    return Group(
        Text.assemble(("recommended configuration", "bold"), f"  {found.source}"),
        Text(), table, Text(), *([Text(f"untested: {untested}")] if untested else []),
        Text(note), Text(),
        Text("study what is left, with this held:"),
        whole_line(shlex.join([*entry, *holding_options(found)])), Text(), whole_line(f"TOML   {path}"),
    )  # fmt: skip


def holding_options(found: Recommendation) -> list[str]:
    """The options of a study that holds the recommended settings and varies what is left.

    Of a study over the documented factors all settings are held, and the further factors vary; of
    one over all factors those settings are held that the evidence is for.
    """
    held = {"space": "full", "fix": (), "drop": (), "range": (), "choices": (), "seed": 0}
    words = definition_options(found.definition.model_copy(update=held))
    everything = found.definition.space != "full"
    for setting in found.settings:
        known = setting.share is not None if everything else setting.evidence_level in _HELD
        if known:
            for name, value in _assignments(setting).items():
                words += ["--fix", f"{name}={_shown(value)}"]
    return words


def definition_options(definition: Definition) -> list[str]:
    """The options of `run` that make a study of this definition."""
    words = ["--data", definition.source]
    for name in ("model", "limit", "image_size", "target", "epochs", "space"):
        value = getattr(definition, name)
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    for name in ("fix", "drop", "range", "choices"):
        for text in getattr(definition, name):
            words += [f"--{name}", text]
    return [*words, "--seed", str(definition.seed)] if definition.seed else words


def recommendation_toml(found: Recommendation) -> str:
    """The settings as TOML: option by factor, then hyperparameters by path, each with its standing."""
    lines = [f"# {found.study}: {found.source}"]
    made_of = found.definition
    for key, value in (("data", made_of.source), ("model", made_of.model),
                       ("epochs", made_of.epochs)):  # fmt: skip
        lines.append(f"{key} = {json.dumps(value)}")
    lines += ["", "[settings]"]
    for setting in found.settings:
        for name, value in _assignments(setting).items():
            remark = f"  # {setting.evidence_level}" if name == setting.factor else ""
            lines.append(f"{json.dumps(name)} = {json.dumps(value)}{remark}")
    return "\n".join(lines) + "\n"


def write_recommendation(found: Recommendation, folder: Path) -> Path:
    """Write the TOML; where."""
    path = folder / "recommended.toml"
    write_atomically(path, recommendation_toml(found).encode(), REPORT)
    return path


def recommendation_document(found: Recommendation) -> dict[str, Any]:
    """The recommendation as JSON."""
    definition = found.definition.model_dump(mode="json")
    plain: dict[str, Any] = as_plain(
        {"schema": 1, **found._asdict(), "definition": definition,
         "command": holding_options(found)}
    )  # fmt: skip
    return plain


_HELD = (CONFIRMED, PROBABLE)


def _assignments(setting: RecommendedSetting) -> dict[str, Any]:
    return {setting.factor: setting.option, **setting.hyperparameters}


def setting_cells(setting: RecommendedSetting) -> tuple[str, ...]:
    """The columns of one factor: name, setting, share, gain, loss and standing."""
    hyperparameters = format_settings(setting.hyperparameters, sign="=", between=" ")
    return (
        setting.factor,
        f"{setting.option} {hyperparameters}".strip(),
        "" if setting.share is None else f"{percent(setting.share)} %",
        "" if setting.gain is None else points(setting.gain),
        "" if setting.contrast is None else points(setting.contrast.difference, 2),
        setting.evidence_level,
    )


def _style(setting: RecommendedSetting) -> str:
    return "" if setting.evidence_level in _HELD else "dim"


def _shown(value: Any) -> str:
    return f"{value:.{SHOWN_DIGITS}g}" if isinstance(value, float) else str(value)
