"""Which classes a configuration takes for which, counted over its runs."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

Counts = Iterable[Sequence[int]]
"""(true class, named class, samples), as a trial has them."""


class Confusion(NamedTuple):
    """Counts of (true class, named class), and of what: `trial #3 on the validation part`."""

    classes: tuple[str, ...]
    counts: dict[tuple[int, int], int]
    source: str

    @property
    def mistaken(self) -> list[tuple[tuple[int, int], int]]:
        """The pairs of different classes, the commonest first."""
        found = [item for item in self.counts.items() if item[0][0] != item[0][1]]
        return sorted(found, key=lambda item: (-item[1], item[0]))


def add_up(runs: Sequence[Counts], classes: Sequence[str], source: str) -> Confusion | None:
    """The counts of several runs in one; None where no run has any."""
    counts: Counter[tuple[int, int]] = Counter()
    for run in runs:
        for true, named, count in run:
            counts[true, named] += count
    return Confusion(tuple(classes), dict(counts), source) if counts else None
