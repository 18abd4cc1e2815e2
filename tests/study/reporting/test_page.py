"""The page of a report: complete, offline, and with the same numbers as terminal and JSON."""

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from tests.support.reports import (
    COMMANDS,
    HOSTILE,
    hostile_report,
    report_without_answer,
    simulated_report,
)
from training_factors.study.reporting import importance_tables, page, summary
from training_factors.study.reporting.chart_list import charts_of
from training_factors.study.reporting.formatting import percent, percents, slug, unit_of
from training_factors.study.reporting.report import Report


class Reader(HTMLParser):
    """Elements with their attributes, texts, scripts and table cells, as a browser finds them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._open: list[str] = []
        self._caption = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.elements.append((tag, found))
        self._open.append(tag)
        if tag == "script":
            self.scripts.append((found, ""))
        elif tag == "tr":
            self.tables.setdefault(self._caption, []).append([])
        elif tag in ("td", "th"):
            self.tables[self._caption][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        elif inside == "caption":
            self._caption = data
        elif inside in ("td", "th"):
            self.tables[self._caption][-1][-1] += data
        elif inside != "style":
            self.texts.append(data)


def rendered(report: Report) -> str:
    return page.render_page(report, charts_of(report), COMMANDS)


@pytest.fixture(scope="module")
def text() -> str:
    return rendered(simulated_report())


@pytest.fixture(scope="module")
def found(text: str) -> Reader:
    return Reader(text)


def test_the_page_is_the_same_twice(text: str) -> None:
    assert text == rendered(simulated_report())


def test_the_page_loads_nothing_from_elsewhere(found: Reader) -> None:
    for tag, attributes in found.elements:
        for name in ("src", "href", "action", "data", "poster"):
            value = attributes.get(name, "")
            assert not value or value[0] == "#" or value.startswith("data:image/png;base64,"), tag


def test_the_policy_allows_only_the_scripts_of_the_page(found: Reader) -> None:
    (policy,) = (
        attributes["content"]
        for tag, attributes in found.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    running = [script for attributes, script in found.scripts if "type" not in attributes]
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in running]
    assert rules["script-src"].split() == [f"'sha256-{digest}'" for digest in digests]
    assert len(running) == 2 and len(running[0]) > 1_000_000  # plotly.js, once
    assert "connect-src" not in rules  # so that default-src forbids it


def test_page_terminal_and_json_have_the_same_digits(found: Reader) -> None:
    report = simulated_report()
    assert report.answer is not None
    (document,) = (json.loads(script) for a, script in found.scripts if a.get("id") == "document")
    assert document == json.loads(json.dumps(summary.report_document(report)))
    console = Console(file=io.StringIO(), width=200)
    console.print(importance_tables.draw_importance(report.answer, "accuracy"))
    assert isinstance(console.file, io.StringIO)
    printed = [" ".join(line.split()) for line in console.file.getvalue().splitlines()]
    title = charts_of(report)["importance"].title
    _, *rows = found.tables[title]
    for row, factor in zip(rows, [*document["factors"], document["placebo"]], strict=True):
        name, share, interval = row[:3]
        assert name == factor["name"]
        assert share == percent(factor["share"])
        assert interval == percents(tuple(factor["interval"]))
        assert row[3] == percent(factor["shown"])
        assert row[6] == f"{factor['points']:.1f}"
        assert row[7] == unit_of("accuracy").signed(factor["gain"])
        (line,) = (line for line in printed if line.startswith(f"{name} {share} % {interval} "))
        assert line.endswith(f" {row[6]} {row[7]}")
    assert document["verdict"]["sentence"] in "".join(found.texts)
    assert document["verdict"]["sentence"] in " ".join(printed)


def test_bars_are_as_long_as_the_numbers(found: Reader) -> None:
    (plots,) = (json.loads(script) for a, script in found.scripts if a.get("id") == "plots")
    answer = simulated_report().answer
    assert answer is not None
    solid, hollow, estimates = plots["plots"]["importance-0"]["data"]
    factors = answer.factors_and_placebo
    assert solid["x"] == [100 * max(0.0, factor.shown) for factor in factors]
    ends = [start + length for start, length in zip(hollow["base"], hollow["x"], strict=True)]
    assert ends == pytest.approx([100 * factor.interval[1] for factor in factors])
    assert estimates["x"] == [100 * factor.share for factor in factors]


def test_every_chart_has_its_place_and_its_table(text: str, found: Reader) -> None:
    places = [a["data-plot"] for _, a in found.elements if "data-plot" in a]
    charts = charts_of(simulated_report())
    assert sorted(places) == sorted(
        f"{name}-{i}" for name, chart in charts.items() for i in range(len(chart.panels))
    )
    identifiers = [a["id"] for _, a in found.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    for name, chart in charts.items():
        assert f"chart-{slug(name)}" in identifiers
        assert list(chart.table.headings) == found.tables[chart.title][0]
    labelled = [a["aria-labelledby"] for _, a in found.elements if "aria-labelledby" in a]
    assert set(labelled) <= set(identifiers)


def test_documentation_samples_and_study_details_are_on_the_page(found: Reader) -> None:
    words = " ".join("".join(found.texts).split())
    for expected in (
        "Kingma & Ba", "lr: 0.0001 to 0.03, log", "augment_mix: mixup", "2 runs: out of memory",
        COMMANDS.following, COMMANDS.setting,
        "test accuracy 0.9100 (95 % interval 0.9000 to 0.9200)",
    ):  # fmt: skip
        assert str(expected) in words
    stamp = dict(row for row in found.tables["Details of the study"] if len(row) == 2)
    assert stamp["data fingerprint"] == "ab" * 32
    assert stamp["command"] == COMMANDS.again
    assert stamp["factors left out"] == "augment_mix (images only)"


def test_names_from_users_are_escaped() -> None:
    text = rendered(hostile_report(simulated_report()))
    found = Reader(text)
    assert not [a for tag, a in found.elements if tag == "img" and a.get("src") == "x"]
    assert not [name for _, a in found.elements for name in a if name.startswith("on")]
    assert len([a for a, _ in found.scripts if "type" not in a]) == 2
    assert HOSTILE in "".join(found.texts)
    assert "49" not in re.findall(r"\{\{(\d+)\}\}", text)


def test_without_an_answer_the_page_says_why() -> None:
    found = Reader(rendered(report_without_answer(simulated_report())))
    words = " ".join("".join(found.texts).split())
    assert "no answer yet: too few configurations: 3" in words
    assert "What to set" not in words
    assert "seeds. The test set" not in words
    assert not [a for tag, a in found.elements if tag == "img"]


def test_a_picture_cannot_add_a_script(text: str) -> None:
    """The pictures come from the database, so they may hold anything."""
    sheet = simulated_report().sheet
    assert sheet is not None
    evil = sheet._replace(originals='"><script>alert(1)</script>')
    found = Reader(rendered(simulated_report()._replace(sheet=evil)))
    assert len([a for a, _ in found.scripts if "type" not in a]) == 2
