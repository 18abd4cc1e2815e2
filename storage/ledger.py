"""The list of runs to do: one row per run, claimed by one worker at a time.

A row says which run (phase, row, repeat), never how: its configuration follows from the study's
seed and the row, or stands in the trial that its first attempt created.
"""

import os
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import (
    Column,
    Float,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    and_,
    case,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Row
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.sql.elements import ColumnElement

from storage.database import Database

PHASES = ("baseline", "measure", "search", "confirm")
"""In the order in which runs are claimed."""

WAITING, RUNNING, DONE = "waiting", "running", "done"

_RUNS = Table(
    "training_factor_runs",
    MetaData(),
    Column("study_id", Integer, primary_key=True, autoincrement=False),
    Column("phase", String(16), primary_key=True),
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("repeat", Integer, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("owner", String(255)),
    Column("heartbeat", Float),
    Column("trial", Integer),
)


class Run(NamedTuple):
    """One run of a study: the row of its phase, and which repetition of it."""

    phase: str
    row: int
    repeat: int = 0


class Claim(NamedTuple):
    """A run that a worker holds.

    attempt: counts the claims of this run; a claim is void once another attempt has begun.
    trial: number of the trial that an earlier attempt created; None for the first attempt.
    """

    run: Run
    attempt: int
    owner: str
    trial: int | None


class Progress(NamedTuple):
    """How many runs of a phase are in which state."""

    waiting: int = 0
    running: int = 0
    done: int = 0

    @property
    def total(self) -> int:
        """All runs of the phase."""
        return sum(self)


class Ledger(NamedTuple):
    """The runs of one study."""

    database: Database
    study_id: int

    def plan(self, runs: Iterable[Run]) -> int:
        """Add the runs that are not in the list yet; how many those were."""
        with self.database.engine.begin() as connection:
            keys = select(_RUNS.c.phase, _RUNS.c.row, _RUNS.c.repeat).where(self._mine)
            known = {Run(*row) for row in connection.execute(keys)}
            new = [run for run in runs if run not in known]
            if new:
                rows = [
                    {"study_id": self.study_id, "state": WAITING, "attempt": 0, **run._asdict()}
                    for run in new
                ]
                connection.execute(insert(_RUNS), rows)
        return len(new)

    def claim(self, owner: str) -> Claim | None:
        """The next waiting run, now held by `owner`; None when nothing waits."""
        while True:
            with self.database.engine.begin() as connection:
                found = connection.execute(self._next()).first()
                if found is None:
                    return None
                taken = connection.execute(
                    update(_RUNS)
                    .where(self._is(Run(found.phase, found.row, found.repeat)))
                    .where(_RUNS.c.state == WAITING, _RUNS.c.attempt == found.attempt)
                    .values(
                        state=RUNNING,
                        attempt=found.attempt + 1,
                        owner=owner,
                        heartbeat=time.time(),
                    )
                )
            if taken.rowcount == 1:
                return _claim(found, owner)

    def note_trial(self, claim: Claim, trial: int) -> bool:
        """Write down the trial of a claim; False when the claim is void."""
        return self._change(claim, trial=trial)

    def finish(self, claim: Claim) -> bool:
        """Strike out a run; False when the claim is void."""
        return self._change(claim, state=DONE)

    def hand_back(self, claim: Claim) -> bool:
        """Let another worker, or a later start, run it; False when the claim is void."""
        return self._change(claim, state=WAITING, owner=None)

    def requeue(self, has_ended: Callable[[str], bool]) -> list[Claim]:
        """Hand back every run whose owner has ended; the claims that are void now."""
        with self.database.engine.connect() as connection:
            running = connection.execute(
                select(_RUNS).where(self._mine, _RUNS.c.state == RUNNING)
            ).all()
        held = [
            Claim(Run(row.phase, row.row, row.repeat), row.attempt, row.owner, row.trial)
            for row in running
            if has_ended(row.owner)
        ]
        return [claim for claim in held if self.hand_back(claim)]

    def progress(self) -> dict[str, Progress]:
        """The count of runs by phase and state, phases in their order."""
        counted = (
            select(_RUNS.c.phase, _RUNS.c.state, func.count())
            .where(self._mine)
            .group_by(_RUNS.c.phase, _RUNS.c.state)
        )
        with self.database.engine.connect() as connection:
            counts = {(phase, state): n for phase, state, n in connection.execute(counted)}
        phases = [phase for phase in PHASES if any(key[0] == phase for key in counts)]
        return {
            phase: Progress(*(counts.get((phase, state), 0) for state in (WAITING, RUNNING, DONE)))
            for phase in phases
        }

    @property
    def _mine(self) -> ColumnElement[bool]:
        return _RUNS.c.study_id == self.study_id

    def _is(self, run: Run) -> ColumnElement[bool]:
        return and_(
            self._mine,
            _RUNS.c.phase == run.phase,
            _RUNS.c.row == run.row,
            _RUNS.c.repeat == run.repeat,
        )

    def _next(self) -> Select[tuple[object, ...]]:
        order = case({phase: i for i, phase in enumerate(PHASES)}, value=_RUNS.c.phase)
        return (
            select(_RUNS)
            .where(self._mine, _RUNS.c.state == WAITING)
            .order_by(order, _RUNS.c.repeat, _RUNS.c.row)
            .limit(1)
        )

    def _change(self, claim: Claim, **values: object) -> bool:
        with self.database.engine.begin() as connection:
            changed = connection.execute(
                update(_RUNS)
                .where(self._is(claim.run))
                .where(_RUNS.c.state == RUNNING, _RUNS.c.attempt == claim.attempt)
                .values(heartbeat=time.time(), **values)
            )
        return changed.rowcount == 1


def open_ledger(database: Database, study_id: int) -> Ledger:
    """The ledger of a study; its table is made where there is none."""
    try:
        _RUNS.create(database.engine, checkfirst=True)
    except (OperationalError, IntegrityError):
        # Another worker made the table between the look and the making.
        _RUNS.create(database.engine, checkfirst=True)
    return Ledger(database, study_id)


def this_process() -> str:
    """The name that this process claims runs under: host, process and when that began."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def has_ended(owner: str) -> bool:
    """Whether the process of this name is known to have ended: only its own host can tell."""
    host, pid, started = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    return _started(int(pid)) != started


def _claim(row: Row[tuple[object, ...]], owner: str) -> Claim:
    return Claim(Run(row.phase, row.row, row.repeat), row.attempt + 1, owner, row.trial)


def _started(pid: int) -> str:
    """When a process began, in clock ticks since boot; empty when there is none.

    Process numbers are used again, so the number alone does not name a process.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "" if Path("/proc").is_dir() else _alive(pid)
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state == "Z" else fields[18]


def _alive(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "alive"
