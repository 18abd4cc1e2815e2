"""Show the messages and the progress of a running study on standard error, or show nothing."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from training_factors.storage.studies import Study
    from training_factors.study.reporting.progress import ReadStage
    from training_factors.study.reporting.status import StageStatus

Tick = Callable[[], None]
"""Shows the progress, if an update is due."""


class ShowProgress(Protocol):
    """Opens a block within which the function that it yields shows the progress of a study."""

    def __call__(
        self,
        study: "Study",
        workers: int,
        place: str,
        stage: "ReadStage | None" = None,
    ) -> AbstractContextManager[Tick]:
        """Open the block.

        workers: their number. place: where they run, in words. stage: returns how far a
        confirmation is, which its runs alone do not show.
        """


ShowEpochs = Callable[[int, str], AbstractContextManager[Tick]]
"""(number of epochs, what they are for in words) -> a block; the function that it yields shows that
another epoch has ended."""


@contextmanager
def _show_no_epochs(total: int, words: str) -> Iterator[Tick]:
    yield lambda: None


@contextmanager
def _show_epochs(total: int, words: str) -> Iterator[Tick]:
    from tqdm import tqdm

    # None: nothing is shown where standard error is no terminal.
    with tqdm(total=total, desc=words, unit="epoch", leave=False, disable=None) as bar:

        def tick() -> None:
            bar.update()

        yield tick


class Output(NamedTuple):
    """Shows what happens while a study runs.

    notify: shows one message. progress: opens a block that shows the progress of a study. epochs:
    opens one that shows the progress of training in this process.
    """

    notify: Callable[[str], None]
    progress: ShowProgress
    epochs: ShowEpochs = _show_no_epochs


def print_message(message: str) -> None:
    """Print a message on standard error."""
    print(message, file=sys.stderr)


@contextmanager
def _show_nothing(
    study: "Study", workers: int, place: str, stage: "ReadStage | None" = None
) -> Iterator[Tick]:
    yield lambda: None


@contextmanager
def _show_table(
    study: "Study", workers: int, place: str, stage: "ReadStage | None" = None
) -> Iterator[Tick]:
    from training_factors.study.reporting.progress import show_progress

    with show_progress(study, workers, place, stage) as tick:
        yield tick


@contextmanager
def _show_bar(
    study: "Study", workers: int, place: str, stage: "ReadStage | None" = None
) -> Iterator[Tick]:
    from training_factors.study.reporting.progress import show_bar

    with show_bar(study, stage) as tick:
        yield tick


SILENT = Output(lambda message: None, _show_nothing)
"""Nothing is shown."""

TERMINAL = Output(print_message, _show_table, _show_epochs)
"""Messages, and a table or lines of progress."""

BAR = Output(print_message, _show_bar, _show_epochs)
"""Messages, and a progress bar of one line, which notebooks can show."""


class LastingDisplay:
    """One display of the progress for several stages: it opens with the first runs, and stays.

    stage: how far a confirmation is; None for other studies. opened: the block that it lasts.
    """

    def __init__(self, output: Output, url: str, opened: ExitStack) -> None:
        self.stage: StageStatus | None = None
        self._output, self._url, self._opened = output, url, opened
        self._tick: Tick | None = None

    @contextmanager
    def progress(
        self, study: "Study", workers: int, place: str, stage: object = None
    ) -> Iterator[Tick]:
        """Show the progress in the display of the stages before, if there were any."""
        if self._tick is None:
            watched = self._watch(study.name)
            shown = self._output.progress(watched, workers, place, lambda: self.stage)
            self._tick = self._opened.enter_context(shown)
        yield self._tick

    def _watch(self, name: str) -> "Study":
        """Open the confirmation to read it, for longer than a stage."""
        from training_factors.storage.database import open_database
        from training_factors.storage.studies import load_study

        database = open_database(self._url, reading=True)
        self._opened.callback(database.close)
        return load_study(database, name)


def choose_output(progress: bool | None) -> Output:
    """Return the output that a caller asks for; None: a bar in a notebook, else nothing."""
    if progress is None:
        progress = "ipykernel" in sys.modules
    return BAR if progress else SILENT
