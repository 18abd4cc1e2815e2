"""What a user asks for: checked before anything is loaded, stored with the study."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training_factors.storage.database import RETRY_TIMEOUT_S
from training_factors.storage.run_queue import Run

REPETITIONS = 2
"""How often a repeated row is run again, each time with a fresh seed."""


class Preset(NamedTuple):
    """A size of study.

    measure: rows of the designed experiment; powers of two keep a Sobol sequence balanced.
    repeats: how many of these rows are run again to measure the seed's own share.
    search: runs of the search for the best configuration.
    """

    measure: int
    repeats: int
    search: int

    def runs(self) -> Iterator[Run]:
        """Every run of a study of this size; a larger size has all runs of a smaller one."""
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


def open_preset(name: str) -> Preset:
    """The preset of this name. Raises ValueError when there is none."""
    if name in PRESETS:
        return PRESETS[name]
    near = get_close_matches(name, PRESETS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(PRESETS)}"
    raise ValueError(f"preset {name!r} is unknown; {hint}")


HEARTBEATS_PER_GRACE = 3
"""Heartbeats that may be missed before a worker counts as gone, at the least."""


class WorkerTiming(BaseModel):
    """Seconds. heartbeat_s: between two signs of life of a worker. grace_s: of silence after which
    its run is given to another. checkpoint_s: of training between two checkpoints. retry_timeout_s:
    that a database may be away.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    heartbeat_s: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    grace_s: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    checkpoint_s: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    retry_timeout_s: float = Field(default=RETRY_TIMEOUT_S, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _grace_spans_beats(self) -> "WorkerTiming":
        if self.grace_s < HEARTBEATS_PER_GRACE * self.heartbeat_s:
            raise ValueError(
                f"--grace {self.grace_s:g} must be at least {HEARTBEATS_PER_GRACE} times "
                f"--heartbeat {self.heartbeat_s:g}"
            )
        return self
