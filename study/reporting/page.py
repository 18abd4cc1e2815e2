"""The report as one HTML page that needs nothing else: no network, no server, no other file."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from training_factors.search_spaces.description import DescribedFactor
from training_factors.storage.files import REPORT, write_atomically
from training_factors.study.analysis.recommendation import chosen_setting
from training_factors.study.analysis.verdict import UNTESTED
from training_factors.study.reporting import (
    factor_list,
    formatting,
    importance_tables,
    status,
)
from training_factors.study.reporting import recommendation_table as advice
from training_factors.study.reporting.chart import DARK, LIGHT, Chart, Table
from training_factors.study.reporting.plotly_charts import plotly_panel
from training_factors.study.reporting.report import Report


class Commands(NamedTuple):
    """Command lines to paste. again: makes the study from nothing. following: what comes next.

    setting: holds what is recommended, None without an answer.
    """

    again: str
    following: str
    setting: str | None


def study_facts(report: Report) -> list[str]:
    """What was studied, in a few words each."""
    found = report.status
    return [
        f"data {found.data}", f"model {found.model}", f"{found.done:,} of {found.total:,} runs",
        ", ".join(status.outcomes(found).split("  ")), f"objective: validation {found.objective}",
    ]  # fmt: skip


def stamp_table(report: Report, commands: Commands) -> Table:
    """What the study was."""
    stamp = report.stamp
    data = stamp.data
    rows = [
        ("study", report.name),
        ("command", commands.again),
        ("data", f"{data.name}, {data.samples:,} samples, shape {data.shape}"),
        ("data fingerprint", data.fingerprint),
        ("unreadable files left out", str(data.skipped)),
        ("space", f"{report.space.name}, fingerprint {stamp.space.fingerprint}"),
        ("left out", ", ".join(f"{name} ({where})" for name, where in stamp.left_out)),
        ("model", stamp.model),
        ("epochs", str(stamp.epochs)),
        ("seed", str(stamp.seed)),
        ("hosts", ", ".join(_seen(report, "host"))),
        ("devices", ", ".join(_seen(report, "device"))),
        ("versions", ", ".join(f"{name} {number}" for name, number in stamp.versions.items())),
    ]
    return Table(("", ""), tuple((name, text) for name, text in rows if text))


def _seen(report: Report, attribute: str) -> list[str]:
    names = {str(trial.attributes.get(attribute, "")) for trial in report.trials}
    return sorted(names - {""})


def settings_table(report: Report) -> Table | None:
    """What to set, factor by factor; None without an answer."""
    if report.advice is None:
        return None
    headings = ("factor", "set to", "share", "gain, points", "loses, points", "standing")
    tested = [one for one in report.advice.settings if one.evidence_level != UNTESTED]
    if report.answer is None or report.answer.explained <= 0:
        tested = [one._replace(share=None) for one in tested]  # of nothing
    settings = sorted(tested, key=lambda one: -(one.share or 0.0))
    return _filled(Table(headings, tuple(advice.setting_cells(setting) for setting in settings)))


def _filled(table: Table) -> Table:
    """The table without the columns that are empty."""
    kept = [i for i in range(len(table.headings)) if any(row[i] for row in table.rows)]
    rows = (tuple(row[i] for i in kept) for row in table.rows)
    return Table(tuple(table.headings[i] for i in kept), tuple(rows))


def configuration_table(report: Report) -> Table | None:
    """The settings of the best run, where there is no advice that lists them."""
    if report.advice is not None or report.best is None:
        return None
    rows = []
    for factor in report.space.factors:
        option, hyperparameters = chosen_setting(factor, report.best.parameters)
        rows.append((factor.name, option, formatting.format_settings(hyperparameters)))
    return Table(("factor", "option", "knobs"), tuple(rows))


def held_factors(report: Report) -> str:
    """The factors that did not vary, with their options."""
    settings = report.advice.settings if report.advice else ()
    return ", ".join(
        f"{one.factor} {one.option}" for one in settings if one.evidence_level == UNTESTED
    )


def metrics_table(report: Report) -> Table | None:
    """Metrics of the best run on validation, and of the best configuration on the test part."""
    best = report.best
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
        "metric", f"run #{best.number}, validation", f"test, mean of {count} seeds",
        "lowest to highest seed",
    )  # fmt: skip
    return Table(headings, tuple(rows))


def lenses_table(report: Report) -> Table | None:
    """Shares through other lenses, where somebody has looked through them."""
    if report.lenses is None or report.answer is None:
        return None
    seen = [one for one in report.lenses.seen if one.shares]
    shares = [{one.factor: one.share for one in lens.shares} for lens in seen]
    rows = [
        (
            factor.name, formatting.percent(factor.share),
            *(formatting.percent(own[factor.name]) if factor.name in own else "" for own in shares),
        )
        for factor in report.answer.factors
    ]  # fmt: skip
    return Table(("factor", "all runs", *(lens.question for lens in seen)), tuple(rows))


def described_factors(report: Report) -> list[DescribedFactor]:
    """Return the factors that varied, by share; in the order of the space without an answer."""
    if report.answer is not None:
        names = [factor.name for factor in report.answer.factors]
    else:
        names = list(report.space.varied)
    return [report.space.factor(name) for name in names]


def render_page(report: Report, charts: Mapping[str, Chart], commands: Commands) -> str:
    """The page, the same text every time."""
    plots = {
        f"{name}-{i}": plotly_panel(panel)
        for name, chart in charts.items()
        for i, panel in enumerate(chart.panels)
    }
    scripts = [_script(text) for text in (_plotly(), _own("report.js"))]
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            report=report,
            charts=charts,
            commands=commands,
            facts=study_facts(report),
            stamp=stamp_table(report, commands),
            settings=settings_table(report),
            held=held_factors(report),
            configuration=configuration_table(report),
            metrics=metrics_table(report),
            lenses=lenses_table(report),
            factors=described_factors(report),
            style=Markup(_own("report.css")),
            scripts=[script for script, _ in scripts],
            policy=_policy([digest for _, digest in scripts]),
            plots=_data({"plots": plots, "palettes": {"light": LIGHT, "dark": DARK}}),
            document=_data(importance_tables.summary_document(report.summary))
            if report.summary
            else None,
        )
    )


def write_page(page: str, path: Path) -> Path:
    """Put the page in place at once; where."""
    write_atomically(path, page.encode(), REPORT)
    return path


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("training_factors.study.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["is_number"] = _is_number
    environment.filters["applies_to"] = factor_list.applies_to
    environment.filters["range_and_default"] = factor_list.range_and_default
    environment.filters["slug"] = formatting.slug
    return environment


def _is_number(cell: str) -> bool:
    """Whether a cell of a table is aligned as numbers are."""
    return cell[:1] in "0123456789+-−±<" if cell else True


def _own(name: str) -> str:
    return (files("training_factors.study.reporting") / "templates" / name).read_text()


def _plotly() -> str:
    return (files("plotly") / "package_data" / "plotly.min.js").read_text()


def _script(text: str) -> tuple[Markup, str]:
    """A script for the page, and its digest, by which the page's policy knows it."""
    # The end of a script that stands inside a string of it would end it.
    safe = text.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    digest = base64.b64encode(hashlib.sha256(safe.encode()).digest()).decode()
    return Markup(safe), f"'sha256-{digest}'"


def _policy(scripts: Sequence[str]) -> str:
    """Nothing from anywhere else, and no script but our own; plotly.js makes styles as it draws."""
    return "; ".join(
        [
            "default-src 'none'", f"script-src {' '.join(scripts)}", "style-src 'unsafe-inline'",
            "img-src data:", "base-uri 'none'", "form-action 'none'",
        ]
    )  # fmt: skip


def _data(value: Any) -> Markup:
    """JSON that cannot end the element that it stands in."""
    text = json.dumps(value, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
