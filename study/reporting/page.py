"""The report as one HTML page that needs nothing else: no network, no server, no other file."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from storage.files import REPORT, write_atomically
from study.reporting import contents, summary, wording
from study.reporting.chart import DARK, LIGHT, Chart
from study.reporting.contents import Commands
from study.reporting.interactive import plot
from study.reporting.report import Report


def render(report: Report, charts: Mapping[str, Chart], commands: Commands) -> str:
    """The page, the same text every time."""
    plots = {
        f"{name}-{i}": plot(panel)
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
            facts=contents.facts(report),
            stamp=contents.stamp(report, commands),
            settings=contents.settings(report),
            held=contents.held(report),
            configuration=contents.configuration(report),
            metrics=contents.metrics(report),
            lenses=contents.lenses(report),
            factors=contents.cards(report),
            style=Markup(_own("report.css")),
            scripts=[script for script, _ in scripts],
            policy=_policy([digest for _, digest in scripts]),
            plots=_data({"plots": plots, "palettes": {"light": LIGHT, "dark": DARK}}),
            document=_data(summary.as_document(report.summary)) if report.summary else None,
        )
    )


def write(page: str, path: Path) -> Path:
    """Put the page in place at once; where."""
    write_atomically(path, page.encode(), REPORT)
    return path


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("study.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["is_number"] = _is_number
    environment.filters["slug"] = wording.slug
    return environment


def _is_number(cell: str) -> bool:
    """Whether a cell of a table is aligned as numbers are."""
    return cell[:1] in "0123456789+-−±<" if cell else True


def _own(name: str) -> str:
    return (files("study.reporting") / "templates" / name).read_text()


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
