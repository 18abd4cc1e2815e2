"""The factors of a space, as a list for the terminal and as the table of docs/factors.md."""

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from training_factors.search_spaces.description import (
    UNRESTRICTED,
    DescribedFactor,
    DescribedHyperparameter,
    DescribedOption,
    SpaceDescription,
)


def factors_markdown(space: SpaceDescription) -> str:
    """Return the table of docs/factors.md: topic, factor, its options with their ranges."""
    lines = [
        "| topic | factor | options (hyperparameters and ranges); the first is the baseline |",
        "|-|-|-|",
    ]
    topic = None
    for factor in space.factors:
        new_topic = factor.topic if factor.topic != topic else ""
        topic = factor.topic
        options = " · ".join(_option_line(option) for option in factor.options)
        lines.append(f"| {new_topic} | `{factor.name}`{applies_to(factor)} | {options} |")
    return "\n".join(lines)


def draw_factors(space: SpaceDescription) -> RenderableType:
    """Draw every factor with its documentation and options, for the verb `factors`."""
    blocks: list[RenderableType] = []
    for factor in space.factors:
        blocks.append(
            Text.assemble(
                (factor.name, "bold"),
                (f"  {factor.topic}{applies_to(factor)}", "dim"),
                f"\n{factor.documentation}",
            )
        )
        for option in factor.options:
            block = _option_block(option, is_baseline=option is factor.baseline)
            blocks.append(Padding(block, (0, 0, 0, 2)))
        blocks.append(Text(""))
    return Group(*blocks)


def range_and_default(hyperparameter: DescribedHyperparameter) -> str:
    """Return the range and default of a hyperparameter: `0.001 to 1, log, default 0.1`."""
    return f"{hyperparameter.dimension}, default {hyperparameter.default}"


def applies_to(part: DescribedFactor | DescribedOption | DescribedHyperparameter) -> str:
    """Return where a part of a space applies, in brackets; empty if it applies everywhere."""
    return "" if part.where == UNRESTRICTED else f" [{part.where}]"


def _option_block(option: DescribedOption, *, is_baseline: bool) -> Text:
    text = Text(option.name, style="cyan")
    text.append(" (baseline)" if is_baseline else "", style="dim")
    text.append(applies_to(option), style="dim")
    text.append(f"  {' '.join(option.documentation.split())}", style="default")
    for hyperparameter in option.hyperparameters:
        range_ = range_and_default(hyperparameter)
        line = f"\n    {hyperparameter.name}: {range_}{applies_to(hyperparameter)}"
        text.append(line, style="default")
    return text


def _option_line(option: DescribedOption) -> str:
    ranges = "; ".join(f"{part.name} {part.dimension}" for part in option.hyperparameters)
    return f"{option.name}{applies_to(option)}" + (f" ({ranges})" if ranges else "")
