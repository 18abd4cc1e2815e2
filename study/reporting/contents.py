"""What stands on the page of a report besides its charts: facts, tables, cards of factors."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from search_spaces.dimension import restore
from study.analysis.recommendation import chosen
from study.analysis.verdict import UNTESTED
from study.reporting import catalogue, overview, wording
from study.reporting import recommendation as advice
from study.reporting.chart import Table
from study.reporting.report import Report


class Commands(NamedTuple):
    """Command lines to paste. again: makes the study from nothing. following: what comes next.

    setting: holds what is recommended, None without an answer.
    """

    again: str
    following: str
    setting: str | None


def facts(report: Report) -> list[str]:
    """What was studied, in a few words each."""
    found = report.overview
    return [
        f"data {found.data}", f"model {found.model}", f"{found.done:,} of {found.total:,} runs",
        ", ".join(overview.outcomes(found).split("  ")), f"objective: validation {found.objective}",
    ]  # fmt: skip


def stamp(report: Report, commands: Commands) -> Table:
    """What the study was."""
    stamp = report.stamp
    data = stamp["data"]
    rows = [
        ("study", report.name),
        ("command", commands.again),
        ("data", f"{data['name']}, {data['samples']:,} samples, shape {tuple(data['shape'])}"),
        ("data fingerprint", data["fingerprint"]),
        ("unreadable files left out", str(data["skipped"])),
        ("space", f"{report.space['name']}, fingerprint {stamp['space']}"),
        ("left out", ", ".join(f"{name} ({where})" for name, where in stamp["left_out"])),
        ("model", stamp["model"]),
        ("epochs", str(stamp["epochs"])),
        ("seed", str(stamp["seed"])),
        ("hosts", ", ".join(_seen(report, "host"))),
        ("devices", ", ".join(_seen(report, "device"))),
        ("versions", ", ".join(f"{name} {number}" for name, number in stamp["versions"].items())),
    ]
    return Table(("", ""), tuple((name, text) for name, text in rows if text))


def _seen(report: Report, attribute: str) -> list[str]:
    names = {str(trial.attributes.get(attribute, "")) for trial in report.trials}
    return sorted(names - {""})


def settings(report: Report) -> Table | None:
    """What to set, factor by factor; None without an answer."""
    if report.advice is None:
        return None
    headings = ("factor", "set to", "share", "gain, points", "loses, points", "standing")
    tested = [one for one in report.advice.settings if one.standing != UNTESTED]
    if report.answer is None or report.answer.explained <= 0:
        tested = [one._replace(share=None) for one in tested]  # of nothing
    settings = sorted(tested, key=lambda one: -(one.share or 0.0))
    return _filled(Table(headings, tuple(advice.cells(setting) for setting in settings)))


def _filled(table: Table) -> Table:
    """The table without the columns that are empty."""
    kept = [i for i in range(len(table.headings)) if any(row[i] for row in table.rows)]
    rows = (tuple(row[i] for i in kept) for row in table.rows)
    return Table(tuple(table.headings[i] for i in kept), tuple(rows))


def configuration(report: Report) -> Table | None:
    """The settings of the best run, where there is no advice that lists them."""
    if report.advice is not None or report.best is None:
        return None
    rows = []
    for factor in report.space["factors"]:
        option, knobs = chosen(factor, report.best.parameters)
        rows.append((factor["name"], option, wording.settings(knobs)))
    return Table(("factor", "option", "knobs"), tuple(rows))


def held(report: Report) -> str:
    """The factors that did not vary, with their options."""
    settings = report.advice.settings if report.advice else ()
    return ", ".join(f"{one.factor} {one.option}" for one in settings if one.standing == UNTESTED)


def metrics(report: Report) -> Table | None:
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


def lenses(report: Report) -> Table | None:
    """Shares through other lenses, where somebody has looked through them."""
    if report.lenses is None or report.answer is None:
        return None
    seen = [one for one in report.lenses.seen if one.shares]
    shares = [{one.factor: one.share for one in lens.shares} for lens in seen]
    rows = [
        (
            factor.name, wording.percent(factor.share),
            *(wording.percent(own[factor.name]) if factor.name in own else "" for own in shares),
        )
        for factor in report.answer.factors
    ]  # fmt: skip
    return Table(("factor", "all runs", *(lens.question for lens in seen)), tuple(rows))


class Card(NamedTuple):
    """A factor as its documentation describes it. options: name, where, words, knobs' ranges."""

    name: str
    topic: str
    words: str
    options: tuple[tuple[str, str, str, tuple[str, ...]], ...]


def cards(report: Report) -> list[Card]:
    """The factors that varied, in the order of their shares; in the space's without an answer."""
    described = {factor["name"]: factor for factor in report.space["factors"]}
    if report.answer is not None:
        names = [factor.name for factor in report.answer.factors]
    else:
        varied = {axis["factor"] for axis in report.space["coordinates"]}
        names = [name for name in described if name in varied]
    return [_card(described[name]) for name in names]


def _card(factor: Mapping[str, Any]) -> Card:
    options = tuple(
        (
            option["name"],
            catalogue.where(option),
            " ".join(option["documentation"].split()),
            tuple(
                f"{knob['name']} {restore(knob)}, default {knob['default']}"
                for knob in option["knobs"]
            ),
        )
        for option in factor["options"]
    )
    return Card(factor["name"], factor["topic"], factor["documentation"], options)
