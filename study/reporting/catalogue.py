"""The factors as people read them: a table in the terminal, a table in the README."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from search_spaces.dimension import restore


def as_markdown(space: Mapping[str, Any]) -> str:
    """The table of the README: topic, factor, its options with their knobs and ranges."""
    lines = [
        "| topic | factor | options (knobs and ranges); the first is the baseline |",
        "|-|-|-|",
    ]
    topic = None
    for factor in space["factors"]:
        shown = factor["topic"] if factor["topic"] != topic else ""
        topic = factor["topic"]
        options = " · ".join(_option_line(option) for option in factor["options"])
        lines.append(f"| {shown} | `{factor['name']}`{where(factor)} | {options} |")
    return "\n".join(lines)


def draw(space: Mapping[str, Any]) -> RenderableType:
    """Every factor with its documentation, for `factors`."""
    blocks: list[RenderableType] = []
    for factor in space["factors"]:
        blocks.append(
            Text.assemble(
                (factor["name"], "bold"),
                (f"  {factor['topic']}{where(factor)}", "dim"),
                f"\n{factor['documentation']}",
            )
        )
        for number, option in enumerate(factor["options"]):
            blocks.append(Padding(_option_block(option, is_baseline=number == 0), (0, 0, 0, 2)))
        blocks.append(Text(""))
    return Group(*blocks)


def _option_block(option: Mapping[str, Any], *, is_baseline: bool) -> Text:
    text = Text(option["name"], style="cyan")
    text.append(" (baseline)" if is_baseline else "", style="dim")
    text.append(where(option), style="dim")
    text.append(f"  {' '.join(option['documentation'].split())}", style="default")
    for knob in option["knobs"]:
        line = f"\n    {knob['name']}: {restore(knob)}, default {knob['default']}{where(knob)}"
        text.append(line, style="default")
    return text


def _option_line(option: Mapping[str, Any]) -> str:
    knobs = "; ".join(f"{knob['name']} {restore(knob)}" for knob in option["knobs"])
    return f"{option['name']}{where(option)}" + (f" ({knobs})" if knobs else "")


def where(part: Mapping[str, Any]) -> str:
    """Where a factor, option or knob applies, in brackets; nothing where that is everywhere."""
    return "" if part["where"] == "everywhere" else f" [{part['where']}]"
