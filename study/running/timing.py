"""How long workers wait for what."""

from pydantic import BaseModel, ConfigDict, Field, model_validator

from storage.database import PATIENCE_S

BEATS = 3
"""Heartbeats that may be missed before a worker counts as gone, at the least."""


class Timing(BaseModel):
    """Seconds. heartbeat_s: between two signs of life of a worker. grace_s: of silence after which
    its run is given to another. checkpoint_s: of training between two checkpoints. patience_s:
    that a database may be away.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    heartbeat_s: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    grace_s: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    checkpoint_s: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    patience_s: float = Field(default=PATIENCE_S, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _grace_spans_beats(self) -> "Timing":
        if self.grace_s < BEATS * self.heartbeat_s:
            raise ValueError(
                f"--grace {self.grace_s:g} must be at least {BEATS} times "
                f"--heartbeat {self.heartbeat_s:g}"
            )
        return self
