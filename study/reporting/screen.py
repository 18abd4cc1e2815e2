"""Where text is drawn: names are data, and escape codes go only where they are wanted."""

from rich.console import Console


def screen(*, stderr: bool = False) -> Console:
    """Standard output, or standard error, as rich draws on it.

    Nothing is read as markup: a study may be named `[red]`, and a class `:cat:`. Where NO_COLOR is
    set there are no escape codes at all, bold and dim included.
    """
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if console.no_color:
        return Console(stderr=stderr, highlight=False, markup=False, emoji=False, color_system=None)
    return console


def is_animated(console: Console) -> bool:
    """Whether lines may be drawn over again; FORCE_COLOR makes no terminal of a file."""
    return console.file.isatty() and not console.is_dumb_terminal and not console.no_color
