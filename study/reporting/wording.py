"""How numbers and lines are written, the same on every screen."""

from rich.text import Text


def short(value: object) -> str:
    """A knob's value in a few characters."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def whole_line(text: str) -> Text:
    """A line that is never broken, so that it can be copied."""
    return Text(text, no_wrap=True, overflow="ignore")
