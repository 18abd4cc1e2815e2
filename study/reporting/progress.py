"""A study while it runs: one live table on a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.live import Live

from storage.patience import StorageLostError
from storage.studies import Study
from study.reporting.overview import compute, draw_live, progress_line

REDRAW_S = 1.0
"""Seconds between two looks at the database while a terminal shows them."""

LINE_S = 15.0
"""Seconds between two lines where there is no terminal."""


@contextmanager
def following(study: Study, workers: int) -> Iterator[Callable[[], None]]:
    """A function to call often, which shows how far the study is, on standard error."""
    console = Console(stderr=True, highlight=False)
    first = compute(study)
    console.print(
        f"{first.name}  {first.data}, {first.model}  {first.total} runs, {first.done} done  "
        f"workers {workers}  {study.database.url}",
        soft_wrap=True,
    )
    if console.is_terminal:
        with Live(draw_live(first, workers), console=console, auto_refresh=False) as live:
            yield _every(
                REDRAW_S, lambda: live.update(draw_live(compute(study), workers), refresh=True)
            )
            with suppress(StorageLostError):  # what ended the study says so
                live.update(draw_live(compute(study), workers), refresh=True)
        return

    def line() -> None:
        print(progress_line(compute(study), workers), file=sys.stderr)

    yield _every(LINE_S, line)
    with suppress(StorageLostError):
        line()


def _every(seconds: float, show: Callable[[], object]) -> Callable[[], None]:
    """A function that shows, at most once in so many seconds; says so when the database is away."""
    due = time.monotonic() + seconds
    is_away = False

    def tick() -> None:
        nonlocal due, is_away
        if time.monotonic() < due:
            return
        try:
            show()
        except StorageLostError as error:
            if not is_away:
                print(f"{error}; workers wait for it", file=sys.stderr)
            is_away = True
        else:
            if is_away:
                print("the database is back", file=sys.stderr)
            is_away = False
        due = time.monotonic() + seconds

    return tick
