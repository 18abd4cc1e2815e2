"""Show the messages and the progress of a running study on standard error, or show nothing."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from training_factors.storage.studies import Study

Tick = Callable[[], None]
"""Shows the progress, if an update is due."""


class Output(NamedTuple):
    """Shows what happens while a study runs.

    notify: shows one message. progress: (study, number of workers, where they run in words) ->
    a block within which the function that it yields shows the progress.
    """

    notify: Callable[[str], None]
    progress: "Callable[[Study, int, str], AbstractContextManager[Tick]]"


def print_message(message: str) -> None:
    """Print a message on standard error."""
    print(message, file=sys.stderr)


@contextmanager
def _show_nothing(study: "Study", workers: int, place: str) -> Iterator[Tick]:
    yield lambda: None


@contextmanager
def _show_table(study: "Study", workers: int, place: str) -> Iterator[Tick]:
    from training_factors.study.reporting.progress import show_progress

    with show_progress(study, workers, place) as tick:
        yield tick


@contextmanager
def _show_bar(study: "Study", workers: int, place: str) -> Iterator[Tick]:
    from training_factors.study.reporting.progress import show_bar

    with show_bar(study) as tick:
        yield tick


SILENT = Output(lambda message: None, _show_nothing)
"""Nothing is shown."""

TERMINAL = Output(print_message, _show_table)
"""Messages, and a table or lines of progress."""

BAR = Output(print_message, _show_bar)
"""Messages, and a progress bar of one line, which notebooks can show."""


def choose_output(progress: bool | None) -> Output:
    """Return the output that a caller asks for; None: a bar in a notebook, else nothing."""
    if progress is None:
        progress = "ipykernel" in sys.modules
    return BAR if progress else SILENT
