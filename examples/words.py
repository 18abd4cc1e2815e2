"""Fill the marked places of an example's README from its answer, so that no figure is out of date.

A marked place begins with `<!-- NAME: ... -->` and ends with `<!-- /NAME -->`; what stands between
the two is written here, and the sentences around them by hand.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from examples.commands import EXAMPLES, FOLDER, Example
from training_factors.study.analysis.verdict import CONFIRMED, NOT_DISTINGUISHABLE, SIGNIFICANT
from training_factors.study.api.answer_file import read_answer_file
from training_factors.study.reporting.formatting import (
    format_choice,
    percent,
    percents,
    plural,
    unit_of,
)
from training_factors.study.reporting.status import format_changed_options, format_duration

MARK = "written by python -m examples.make"

Document = Mapping[str, Any]
"""A JSON document."""


class Results(NamedTuple):
    """The results of an example: its answer, its confirmation, and how long both took."""

    answer: Document
    confirmation: Document
    times: Document


def read_results(example: Example) -> Results:
    """Read the results of an example from its folder."""
    files = ("answer.json", "confirmation.json", "times.json")
    return Results(*(_read(example.folder / name) for name in files))


def fill_readme(example: Example) -> str:
    """Return the text of an example's README with all marked places filled."""
    text = (example.folder / "README.md").read_text(encoding="utf-8")
    found = read_results(example)
    for name, block in _blocks(example, found).items():
        text = fill(text, name, block)
    return text


def fill_index() -> str:
    """Return the text of the README of all examples, with the table of their answers."""
    rows = []
    for example in EXAMPLES:
        found = read_results(example)
        took = format_duration(found.times["run_s"])
        rows.append((f"[{example.name}]({example.name}/README.md)", _data(found), took,
                     found.answer["verdict"]["sentence"]))  # fmt: skip
    table = _table(("example", "data", "`run` took", "averaged over all settings"), rows)
    return fill((FOLDER / "README.md").read_text(encoding="utf-8"), "examples", table)


def fill(text: str, name: str, block: str) -> str:
    """Return a text with a marked place filled. Raises ValueError where it has no such place."""
    place = re.compile(rf"(<!-- {name}: [^>]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not place.search(text):
        raise ValueError(f"the text has no place '<!-- {name}: {MARK} -->'")
    return place.sub(lambda found: f"{found[1]}{block}\n{found[2]}", text)


def _read(path: Path) -> Document:
    document: Document = json.loads(path.read_text(encoding="utf-8"))
    return document


def _blocks(example: Example, found: Results) -> dict[str, str]:
    return {
        "commands": "\n".join(["```", *example.commands(), "```"]),
        "time": _time(found),
        "answer": _answer(found.answer),
        "reading": _reading(found.answer),
        "shares": _shares(found.answer),
        "confirmed": _confirmed(found),
        "settings": _settings(example, found),
    }


def _data(found: Results) -> str:
    parts = found.answer["data_report"]["parts"]
    return plural(sum(part["samples"] for part in parts), "sample")


def _time(found: Results) -> str:
    times, answer = found.times, found.answer
    provenance = answer["provenance"]
    measured = len(provenance["runs"]) + provenance["searched"]
    return (
        f"`run` took {format_duration(times['run_s'])} ({plural(measured, 'run')}), `confirm` "
        f"{format_duration(times['confirm_s'])} ({plural(len(provenance['confirmed']), 'run')}); "
        f"{times['machine']}."
    )


def _answer(answer: Document) -> str:
    """Return the conclusion as a quotation, with what the measured runs say on average."""
    conclusion = answer["conclusion"]
    lines = [conclusion["sentence"], conclusion["second"]]
    if conclusion["averaged"]:
        lines.append(f"averaged over all settings, {conclusion['averaged']}")
    lines.append(conclusion["disagreement"])
    return "\n>\n".join(f"> {line}" for line in lines if line)


def _reading(answer: Document) -> str:
    """Return how the verdict of the measured runs is to be read, and how not."""
    verdict, counts = answer["verdict"], answer["evidence"]
    leaders, others = verdict["leaders"], len(answer["factors"]) - len(verdict["leaders"])
    right, wrong = _readings(verdict["kind"], leaders, others)
    noise = answer["seed_noise"]
    seed = "" if noise is None else f", {percent(noise, 0)} % is noise of the seed"
    return "\n".join(
        [
            f"* Read it as: {right}",
            f"* Do not read it as: {wrong}",
            f"* It rests on {counts['rows']} configurations in {counts['runs']} runs. They show "
            f"where {percent(answer['explained'], 0)} % of the variance comes from{seed}, and "
            f"{percent(answer['unexplained'], 0)} % is not explained: each factor may have a part "
            "of that, for which the intervals allow.",
        ]
    )


def _readings(kind: str, leaders: Sequence[str], others: int) -> tuple[str, str]:
    if kind == "leader":
        return (
            f"within the ranges that were tried, `{leaders[0]}` changes the result most, and with "
            "95 % confidence no other factor changes it more.",
            f"`{leaders[0]}` is all that counts, or it is the most important factor of every data "
            "set.",
        )
    if kind == "set":
        names = ", ".join(f"`{name}`" for name in leaders)
        ruled_out = f"; {plural(others, 'other')} can be ruled out" if others else ""
        return (
            f"one of {names} changes the result most, with 95 % confidence{ruled_out}.",
            f"`{leaders[0]}` matters most because it stands first: the intervals of the others "
            "reach as far.",
        )
    return (
        "these runs cannot tell any factor's effect from noise.",
        "nothing matters here. More configurations may show what does.",
    )


def _shares(answer: Document) -> str:
    unit = unit_of(answer["objective"])
    rows = [
        (
            f"`{factor['name']}`", f"{percent(factor['share'])} %", percents(factor["interval"]),
            "–" if factor["gain"] is None else unit.signed(factor["gain"]), factor["verdict"],
        )
        for factor in answer["factors"]
    ]  # fmt: skip
    return _table(("factor", "share", "95 % interval", f"gain, {unit.name}", "evidence"), rows)


def _confirmed(found: Results) -> str:
    """Return the path from the baseline to the best configuration as a table."""
    confirmation, unit = found.confirmation["confirmation"], unit_of(found.answer["objective"])
    path = confirmation["path"]
    rows = [("the baseline", f"{path['value']:.4f}", "", "", "")]
    rows += [
        (
            format_choice(step["factor"], step["setting"]), f"{step['value']:.4f}",
            unit.signed(step["gain"]), unit.interval(step["gain_interval"]), _evidence(step),
        )
        for step in path["steps"]
    ]  # fmt: skip
    heads = ("one factor more at a time", f"test mean of {path['seeds']} seeds",
             f"gain, {unit.name}", "95 % interval", "evidence")  # fmt: skip
    return _table(heads, rows)


def _evidence(step: Document) -> str:
    """Return whether a step of the path makes a significant difference, and in which direction."""
    if step["p_value"] >= SIGNIFICANT:
        return NOT_DISTINGUISHABLE
    return CONFIRMED if step["gain"] > 0 else "a loss"


def _settings(example: Example, found: Results) -> str:
    space = read_answer_file(example.folder / "answer.json").provenance.stamp.space
    best, answer = found.answer["conclusion"]["best"], found.answer
    varied = {factor["name"] for factor in answer["factors"]}
    chosen = {name: value for name, value in answer["best"]["parameters"].items() if name in varied}
    changed = format_changed_options(chosen, space.baseline)
    low, high = best["interval"]
    return (
        f"`{changed or 'the baseline of every factor'}`\n\n"
        f"With all hyperparameters that is {best['name']}: test {answer['objective']} "
        f"{best['value']:.4f} (95 % interval {low:.4f} to {high:.4f}), the mean of "
        f"{plural(best['seeds'], 'seed')}."
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["-"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
