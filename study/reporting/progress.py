"""A study while it runs: one live table on a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.console import Group
from rich.live import Live

from storage.patience import StorageLostError
from storage.studies import Study
from study.reporting.live import HINT, draw_head, draw_live, progress_line
from study.reporting.overview import compute
from study.reporting.screen import is_animated, screen

REDRAW_S = 1.0
"""Seconds between two looks at the database while a terminal shows them."""

LINE_S = 15.0
"""Seconds between two lines where nothing can be drawn over again."""

SHARE = 0.01
"""Part of a core that watching may take; where a look takes long, they come less often."""


@contextmanager
def following(study: Study, workers: int, place: str) -> Iterator[Callable[[], None]]:
    """A function to call often, which shows how far the study is, on standard error.

    workers: how many are started; place: where, in words.
    """
    console = screen(stderr=True)
    first = compute(study)
    console.print(draw_head(first, workers, place, study.database.url), crop=False)
    if is_animated(console):
        drawn = Group(draw_live(first, workers), HINT)
        with Live(drawn, console=console, auto_refresh=False) as live:

            def redraw() -> None:
                live.update(Group(draw_live(compute(study), workers), HINT), refresh=True)

            yield _every(REDRAW_S, redraw)
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
        began = time.process_time()
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
        due = time.monotonic() + max(seconds, (time.process_time() - began) / SHARE)

    return tick
