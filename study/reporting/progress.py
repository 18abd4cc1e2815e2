"""A study while it runs: one live table on a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live

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
            live.update(draw_live(compute(study), workers), refresh=True)
        return
    yield _every(LINE_S, lambda: print(progress_line(compute(study), workers), file=sys.stderr))
    print(progress_line(compute(study), workers), file=sys.stderr)


def _every(seconds: float, show: Callable[[], object]) -> Callable[[], None]:
    due = time.monotonic() + seconds

    def tick() -> None:
        nonlocal due
        if time.monotonic() >= due:
            show()
            due = time.monotonic() + seconds

    return tick
