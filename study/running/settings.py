"""Sizes and timings that a user may set: the presets of a study, and the timing of workers."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training_factors.storage.database import RETRY_TIMEOUT_S
from training_factors.storage.run_queue import DIVISION, Run

REPETITIONS = 2
"""Number of additional runs of a repeated row, each with a fresh seed."""

HEARTBEATS_PER_GRACE = 3
"""Minimum number of heartbeats that fit into the grace period, so that a single late heartbeat does
not take a run from its worker."""


StartMethod = Literal["fork", "spawn", "none"]
"""How worker processes come about: forked from this one, started anew, or not at all: the study
runs in this process."""


class Preset(NamedTuple):
    """The size of a study, in runs.

    measure: rows of the designed experiment; powers of two keep a Sobol sequence balanced.
    repeats: number of these rows that are repeated, to measure the variance due to the seed.
    search: runs of the search for the best configuration.
    """

    measure: int
    repeats: int
    search: int

    def runs(self) -> Iterator[Run]:
        """Yield every run of a study of this size.

        A larger preset includes all runs of a smaller one, so that a study can be extended.
        """
        yield Run("baseline", 0)
        yield from (Run("measure", row) for row in range(self.measure))
        for repeat in range(1, REPETITIONS + 1):
            yield from (Run("measure", row, repeat) for row in range(self.repeats))
        yield from (Run("search", row) for row in range(self.search))


PRESETS = {
    "smoke": Preset(measure=32, repeats=4, search=8),
    "quick": Preset(measure=128, repeats=8, search=32),
    "standard": Preset(measure=256, repeats=16, search=64),
    "deep": Preset(measure=512, repeats=16, search=128),
}


def division_runs(repeated: Iterable[int], divisions: int) -> list[Run]:
    """Return the runs of the repeated rows under other divisions of the data.

    repeated: the rows. divisions: number of divisions of each row, the study's own included.
    """
    return [Run(DIVISION, row, number) for row in repeated for number in range(1, divisions)]


def open_preset(
    name: str, rows: int | None = None, repeats: int | None = None, search: int | None = None
) -> Preset:
    """Return the preset of this name, with other numbers where they are named.

    rows: of the designed experiment. repeats: number of these rows that are repeated. search: runs
    of the search. Raises ValueError when there is no preset of this name, and for more repeated
    rows than rows.
    """
    if name in PRESETS:
        named = {"measure": rows, "repeats": repeats, "search": search}
        size = PRESETS[name]._replace(**{n: v for n, v in named.items() if v is not None})
        if repeats is not None and size.repeats > size.measure:
            raise ValueError(
                f"--repeats {repeats} must be at most the number of rows, {size.measure}"
            )
        return size
    matches = get_close_matches(name, PRESETS, n=1)
    hint = f"did you mean {matches[0]!r}?" if matches else f"use one of {', '.join(PRESETS)}"
    raise ValueError(f"preset {name!r} is unknown; {hint}")


class WorkerTiming(BaseModel):
    """The intervals and timeouts of workers, in seconds.

    heartbeat_s: interval between two heartbeats of a machine's workers. grace_s: a worker without
    a new heartbeat for this long loses its run to another worker. checkpoint_s: training time
    between two checkpoints. retry_timeout_s: how long to retry when the database does not answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    heartbeat_s: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    grace_s: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    checkpoint_s: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    retry_timeout_s: float = Field(default=RETRY_TIMEOUT_S, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _check_grace(self) -> "WorkerTiming":
        if self.grace_s < HEARTBEATS_PER_GRACE * self.heartbeat_s:
            raise ValueError(
                f"--grace {self.grace_s:g} must be at least {HEARTBEATS_PER_GRACE} times "
                f"--heartbeat {self.heartbeat_s:g}"
            )
        return self


class WorkerPool(NamedTuple):
    """The worker processes to start on this machine.

    workers: their number. url: of the database. logs: folder of their log files. stop_requests:
    number of stop requests to the study before this pool; a further one stops the pool. None:
    those that there are when the pool starts. start: how its processes come about.
    """

    workers: int
    device: str
    url: str
    logs: Path
    timing: WorkerTiming
    stop_requests: int | None = None
    start: StartMethod = "fork"


def timing_options(timing: WorkerTiming) -> list[str]:
    """Return the options of the command line for everything that is not at its default."""
    usual = WorkerTiming()
    words: list[str] = []
    for field in WorkerTiming.model_fields:
        value = getattr(timing, field)
        if value != getattr(usual, field):
            words += [f"--{field.removesuffix('_s').replace('_', '-')}", f"{value:g}"]
    return words
