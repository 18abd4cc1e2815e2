"""The report as one HTML page that works offline: no network, no server, no other file."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from training_factors.search_spaces.description import DescribedFactor
from training_factors.storage.data_report import describe_classes
from training_factors.storage.files import REPORT, write_atomically
from training_factors.storage.stamp import Stamp, describe_left_out
from training_factors.storage.trials import Trial
from training_factors.study.analysis.lenses import LensResult
from training_factors.study.analysis.recommendation import RecommendedSetting, chosen_setting
from training_factors.study.analysis.verdict import (
    CONFIRMED,
    NOT_DISTINGUISHABLE,
    PROBABLE,
    UNTESTED,
)
from training_factors.study.reporting import factor_list
from training_factors.study.reporting.chart import DARK, LIGHT, Chart, Table
from training_factors.study.reporting.conclusion import describe_evidence
from training_factors.study.reporting.formatting import (
    as_sentence,
    decimals,
    describe_objective,
    format_settings,
    percent,
    plural,
    slug,
    unit_of,
)
from training_factors.study.reporting.importance_tables import LENSES_NOTE
from training_factors.study.reporting.plotly_charts import plotly_panel
from training_factors.study.reporting.recommendation_table import column_notes, setting_cells
from training_factors.study.reporting.report import Report
from training_factors.study.reporting.status import describe_best, outcomes
from training_factors.study.reporting.summary import report_document

_PACKAGE = "training_factors.study.reporting"


class Commands(NamedTuple):
    """Command lines to paste.

    again: creates and runs the same study from nothing. following: the next step. setting: studies
    the other factors with the recommended settings held; None without an answer. purpose: what
    the next step is for. checks: the remedy of every check of the report; None
    where no command helps.
    """

    again: str
    following: str
    setting: str | None
    purpose: str = ""
    checks: tuple[str | None, ...] = ()


def study_facts(report: Report) -> list[str]:
    """Return the facts below the title, each in a few words."""
    status = report.status
    return [
        f"data {status.data}", f"model {status.model}",
        f"{status.done:,} of {plural(status.total, 'run')}",
        ", ".join(outcomes(status).split("  ")),
        f"objective: validation {describe_objective(status.objective)}",
    ]  # fmt: skip


def stamp_table(report: Report, commands: Commands) -> Table:
    """Return what the study was made of: data, space, model, seed, hosts and versions."""
    stamp = report.stamp
    data = stamp.data
    rows = [
        ("study", report.name),
        ("command", commands.again),
        ("data", f"{data.name}, {plural(data.samples, 'sample')}, shape {data.shape}"),
        ("data fingerprint", data.fingerprint),
        *_data_rows(stamp),
        ("space", f"{report.space.name}, fingerprint {stamp.space.fingerprint}"),
        ("factors left out", describe_left_out(stamp.left_out)),
        ("model", "; ".join((stamp.model, *stamp.notes))),
        ("acts on the model", ", ".join(f"{n} ({how})" for n, how in stamp.reach.items())),
        ("epochs", str(stamp.epochs)),
        ("precision", stamp.precision),
        ("seed", str(stamp.seed)),
        ("hosts", ", ".join(_attribute_values(report.trials, "host"))),
        ("devices", ", ".join(_attribute_values(report.trials, "device"))),
        ("processor", stamp.processor),
        ("versions", ", ".join(f"{name} {number}" for name, number in stamp.versions.items())),
    ]
    return Table(("", ""), tuple((name, text) for name, text in rows if text))


def _data_rows(stamp: Stamp) -> list[tuple[str, str]]:
    """Return a row for everything that was done to the data; of earlier studies less is known."""
    report = stamp.data_report
    if not report.parts:
        return [("unreadable files left out", str(stamp.data.skipped))]
    rows = [line.partition(": ") for line in report.lines()]
    return [
        *((f"data, {kind}", text) for kind, _, text in rows),
        ("data, samples of each class", describe_classes(report, stamp.class_names)),
    ]


def _attribute_values(trials: Sequence[Trial], attribute: str) -> list[str]:
    """Return the different values that an attribute has among the trials, sorted."""
    values = {str(trial.attributes.get(attribute, "")) for trial in trials}
    return sorted(values - {""})


def settings_tables(report: Report) -> tuple[Table, Table] | None:
    """Return the recommended settings, those with evidence and the others; None without an answer.

    The confirmed factors come first, then those with the largest shares.
    """
    if report.advice is None:
        return None
    order = {CONFIRMED: 0, PROBABLE: 1, NOT_DISTINGUISHABLE: 2}
    settings = [one for one in report.advice.settings if one.evidence_level in order]
    settings.sort(key=lambda one: (order[one.evidence_level], -(one.share or 0.0)))
    supported = [one for one in settings if one.evidence_level != NOT_DISTINGUISHABLE]
    others = [one for one in settings if one.evidence_level == NOT_DISTINGUISHABLE]
    return _settings_table(supported, report.objective), _settings_table(others, report.objective)


def _settings_table(settings: Sequence[RecommendedSetting], objective: str) -> Table:
    """Return a table of settings; the evidence stands where a phone shows it, too."""
    unit = unit_of(objective)
    headings = (
        "factor", "evidence", "set to", "share", f"gain on average, {unit.words}",
        f"drop if changed, {unit.words}", f"step from the baseline, {unit.words}",
    )  # fmt: skip
    steps = ("" if one.step is None else unit.signed(one.step.gain, 2) for one in settings)
    cells = (setting_cells(setting, unit) for setting in settings)
    rows = tuple(
        (factor, level, *others, step)
        for (factor, *others, level), step in zip(cells, steps, strict=True)
    )
    return _without_empty_columns(Table(headings, rows))


def _notes_of(settings: Sequence[Table], objective: str) -> list[tuple[str, str]]:
    """Return the explanations of those columns that the tables of settings have."""
    columns = {heading.split(",")[0] for table in settings for heading in table.headings}
    return [
        (column, note)
        for column, note in column_notes(objective, on_page=True)
        if column in columns
    ]


def _without_empty_columns(table: Table) -> Table:
    kept = [i for i in range(len(table.headings)) if any(row[i] for row in table.rows)]
    rows = (tuple(row[i] for i in kept) for row in table.rows)
    return Table(tuple(table.headings[i] for i in kept), tuple(rows))


def configuration_table(report: Report) -> Table | None:
    """Return the settings of the best run, where no recommendation lists them."""
    if report.advice is not None:
        return None
    rows = []
    for factor in report.space.factors:
        option, hyperparameters = chosen_setting(factor, report.require_best().parameters)
        rows.append((factor.name, option, format_settings(hyperparameters)))
    return Table(("factor", "option", "hyperparameters"), tuple(rows))


def held_factors(report: Report) -> str:
    """Return the factors that did not vary, with their options, in one line."""
    settings = report.advice.settings if report.advice else ()
    return ", ".join(
        f"{one.factor} {one.option}" for one in settings if one.evidence_level == UNTESTED
    )


def metrics_table(report: Report) -> Table | None:
    """Return the metrics of the best run on validation, and on the test set once confirmed."""
    best = report.require_best().trial
    if best is None or not best.metrics:
        return None
    rows = []
    for name, value in best.metrics.items():
        seeds = report.test.get(name, ())
        mean = f"{sum(seeds) / len(seeds):.4f}" if seeds else ""
        reach = f"{min(seeds):.4f} to {max(seeds):.4f}" if seeds else ""
        rows.append((name.replace("_", " "), "" if value is None else f"{value:.4f}", mean, reach))
    if not report.test:
        return Table(("metric", f"run #{best.number}, validation"), tuple(row[:2] for row in rows))
    count = max(map(len, report.test.values()))
    headings = (
        "metric", f"run #{best.number}, validation", f"test, mean of {plural(count, 'seed')}",
        "test, lowest to highest value over the seeds",
    )  # fmt: skip
    return Table(headings, tuple(rows))


def lenses_table(report: Report) -> Table | None:
    """Return the shares through every lens; None unless the lenses are cached."""
    if report.lenses is None or report.answer is None:
        return None
    lenses = shown_lenses(report)
    columns = [{one.factor: percent(one.share) for one in lens.shares} for lens in lenses]
    rows = [
        (
            factor.name, percent(factor.share),
            *(column.get(factor.name, "") for column in columns),
        )
        for factor in report.answer.factors
    ]  # fmt: skip
    fits = (report.answer.surrogate.r2, *(lens.r2 or 0.0 for lens in lenses))
    rows.append(("R²", *(decimals(r2, 2) for r2 in fits)))
    return Table(("factor", "objective", *(lens.name for lens in lenses)), tuple(rows))


def shown_lenses(report: Report) -> list[LensResult]:
    """Return the lenses that have shares."""
    return [lens for lens in report.lenses.seen if lens.shares] if report.lenses else []


def described_factors(report: Report) -> list[DescribedFactor]:
    """Return the factors that varied, by share; in the order of the space without an answer."""
    if report.answer is not None:
        names = [factor.name for factor in report.answer.factors]
    else:
        names = list(report.space.varied)
    return [report.space.factor(name) for name in names]


def render_page(report: Report, charts: Mapping[str, Chart], commands: Commands) -> str:
    """Return the HTML of the page; equal arguments give equal text."""
    plots = {
        f"{name}-{i}": plotly_panel(panel)
        for name, chart in charts.items()
        for i, panel in enumerate(chart.panels)
    }
    scripts = [_inline_script(text) for text in (_plotly(), _template_file("report.js"))]
    settings, other_settings = settings_tables(report) or (None, None)
    shown, evidence_charts = _leading_charts(report, charts)
    document = report_document(report) if report.answer else None
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            report=report,
            charts=charts,
            commands=commands,
            facts=study_facts(report),
            stamp=stamp_table(report, commands),
            conclusion=report.conclusion,
            evidence=describe_evidence(report.conclusion.evidence),
            best=describe_best(report.require_best(), report.objective, report.conclusion.interval),
            shown=shown,
            evidence_charts=evidence_charts,
            settings=settings,
            other_settings=other_settings,
            column_notes=_notes_of(
                [table for table in (settings, other_settings) if table], report.objective
            ),
            held=held_factors(report),
            configuration=configuration_table(report),
            metrics=metrics_table(report),
            lenses=lenses_table(report),
            lenses_note=LENSES_NOTE,
            shown_lenses=shown_lenses(report),
            factors=described_factors(report),
            warnings=[check for check in report.checks if not check.is_note],
            checks=list(zip(report.checks, commands.checks, strict=True)),
            explanations={one.outcome: one.sentence for one in report.explanations},
            style=Markup(_template_file("report.css")),
            scripts=[script for script, _ in scripts],
            policy=_security_policy([digest for _, digest in scripts]),
            plots=_inline_json({"plots": plots, "palettes": {"light": LIGHT, "dark": DARK}}),
            document=None if document is None else _inline_json(document),
        )
    )


def _leading_charts(report: Report, charts: Mapping[str, Chart]) -> tuple[list[str], list[str]]:
    """Return the charts that say how sure the answer is, and those of the further evidence.

    Charts of the confirmation come first, that of the larger effect before the other. A chart in
    which nothing is significant is all grey, and never stands at the top; such shares are folded.
    """
    confirmation, answer = report.confirmation, report.answer
    contrasts = confirmation.contrasts if confirmation else ()
    path = confirmation.path if confirmation else None
    clear = {
        "confirmation": any(contrast.confirmed for contrast in contrasts),
        "path": any(step.confirmed for step in (path.steps if path else ())),
        "importance": any(factor.matters for factor in (answer.factors if answer else ())),
    }
    order = ["confirmation", "path"]
    if confirmation is not None and confirmation.path_leads:
        order.reverse()
    confirmed = [name for name in order if clear[name]]
    shown = confirmed or ["importance"] * clear["importance"]
    further = ["confirmation", "path", *["importance"] * clear["importance"], "gains"]
    return (
        [name for name in shown if name in charts],
        [name for name in further if name in charts and name not in shown],
    )


def write_page(page: str, path: Path) -> Path:
    """Write the page at once, so that nobody reads half of it; return its path."""
    write_atomically(path, page.encode(), REPORT)
    return path


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(_PACKAGE, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["is_number"] = _is_number
    environment.filters["applies_to"] = factor_list.applies_to
    environment.filters["range_and_default"] = factor_list.range_and_default
    environment.filters["slug"] = slug
    environment.filters["sentence"] = as_sentence
    return environment


def _is_number(cell: str) -> bool:
    """Return whether a cell of a table is aligned to the right, as numbers and gaps are."""
    return cell[:1] in "0123456789+-−±<" or cell == "baseline" if cell else True


def _template_file(name: str) -> str:
    return (files(_PACKAGE) / "templates" / name).read_text(encoding="utf-8")


def _plotly() -> str:
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def _inline_script(text: str) -> tuple[Markup, str]:
    """Return a script for the page, and the digest by which the security policy allows it."""
    # HTML ends a script element at these characters, even inside a string of the script.
    safe = text.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    digest = base64.b64encode(hashlib.sha256(safe.encode()).digest()).decode()
    return Markup(safe), f"'sha256-{digest}'"


def _security_policy(scripts: Sequence[str]) -> str:
    """Return the Content-Security-Policy: nothing from elsewhere, and only these scripts.

    Inline styles are allowed because plotly.js writes them as it draws.
    """
    return "; ".join(
        [
            "default-src 'none'", f"script-src {' '.join(scripts)}", "style-src 'unsafe-inline'",
            "img-src data:", "base-uri 'none'", "form-action 'none'",
        ]
    )  # fmt: skip


def _inline_json(value: object) -> Markup:
    """Return the value as JSON that cannot end the HTML element around it."""
    text = json.dumps(value, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
