"""Who works on a study at the moment, and what they are at."""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.table import Table

from storage.ledger import Held
from storage.owner import Standing, read_owner, standing
from storage.tables import Trial

SILENT_S = 30.0
"""Seconds without a sign of life after which a worker is shown as silent."""


class Worker(NamedTuple):
    """A process that holds a run.

    silent_s: seconds since its last sign of life, by this machine's clock.
    condition: `working`, `silent`, `stopped` (by a signal) or `ended`.
    """

    host: str
    pid: int
    device: str
    run: str
    attempt: int
    silent_s: float
    condition: str


def workers_of(held: Sequence[Held], trials: Mapping[int, Trial]) -> tuple[Worker, ...]:
    """The workers of these claims. trials: by number."""
    return tuple(_worker(one, trials.get(one.claim.trial or 0)) for one in held)


def _worker(held: Held, trial: Trial | None) -> Worker:
    claim, heartbeat = held
    owner = read_owner(claim.owner)
    silent_s = max(0.0, time.time() - heartbeat)
    known = {Standing.ENDED: "ended", Standing.STOPPED: "stopped"}
    condition = known.get(standing(owner), "silent" if silent_s > SILENT_S else "working")
    device = trial.attributes.get("device", "") if trial and claim.trial is not None else ""
    return Worker(
        owner.host, owner.pid, str(device), str(claim.run), claim.attempt, silent_s, condition
    )


def draw(workers: Sequence[Worker]) -> Table:
    """A line for each."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("worker", "device", "run", "attempt", "heard", "condition"):
        table.add_column(heading, justify="right" if heading in ("attempt", "heard") else "left")
    for one in workers:
        table.add_row(
            f"{one.host}:{one.pid}", one.device, one.run, str(one.attempt),
            f"{one.silent_s:.0f} s ago", one.condition,
        )  # fmt: skip
    return table
