"""The list of runs to do: one row per run, claimed by one worker at a time.

A row says which run (phase, row, repeat), never how: its configuration follows from the study's
seed and the row, or stands in the trial that its first attempt created.

A claim is void once another attempt at the run has begun, or the run was handed back: whoever
holds it then changes nothing any more (fencing by the number of the attempt).
"""

import random
import time
from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    and_,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.engine import Row
from sqlalchemy.sql.elements import ColumnElement

from training_factors.storage.database import Database, lock_study, make_table
from training_factors.storage.retry import retry

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
    Column("heartbeat", Double),
    Column("trial", Integer),
    # In the order in which runs are claimed: the next one is found, not searched for.
    Index("training_factor_runs_next", "study_id", "state", "phase", "attempt", "repeat", "row"),
)


def _in_order() -> Select[tuple[object, ...]]:
    """The first `rows` that wait: of each phase by the index, and of these the first phase's.

    What was begun before comes last in its phase: it may be what ended its worker.
    """
    firsts = [
        select(_RUNS, literal(i).label("precedence"))
        .where(_RUNS.c.study_id == bindparam("study"), _RUNS.c.state == WAITING)
        .where(_RUNS.c.phase == phase)
        .order_by(_RUNS.c.attempt, _RUNS.c.repeat, _RUNS.c.row)
        .limit(bindparam("rows", type_=Integer))
        .subquery()
        for i, phase in enumerate(PHASES)
    ]
    found = union_all(*(select(first) for first in firsts)).subquery()
    order = (found.c[name] for name in ("precedence", "attempt", "repeat", "row"))
    return select(found).order_by(*order).limit(bindparam("rows", type_=Integer))


_NEXT = _in_order()


class Run(NamedTuple):
    """One run of a study: the row of its phase, and which repetition of it."""

    phase: str
    row: int
    repeat: int = 0

    def __str__(self) -> str:
        return f"{self.phase} {self.row}" + (f" repeat {self.repeat}" if self.repeat else "")


class Claim(NamedTuple):
    """A run that a worker holds.

    attempt: counts the claims of this run.
    trial: number of the trial that an earlier attempt created; None for the first attempt.
    """

    run: Run
    attempt: int
    owner: str
    trial: int | None


class LostClaimError(Exception):
    """The run was handed to another worker, since its own seemed to have ended."""


class ActiveClaim(NamedTuple):
    """A running run as others see it; heartbeat: when its owner was last known to live.

    The heartbeat is by the clock of the machine that wrote it, in seconds since 1970: compare it
    with an earlier heartbeat, not with another machine's clock.
    """

    claim: Claim
    heartbeat: float


class PhaseProgress(NamedTuple):
    """How many runs of a phase are in which state."""

    waiting: int = 0
    running: int = 0
    done: int = 0

    @property
    def total(self) -> int:
        """All runs of the phase."""
        return sum(self)


class RunQueue(NamedTuple):
    """The runs of one study."""

    database: Database
    study_id: int

    def add(self, runs: Iterable[Run]) -> int:
        """Add the runs that are not in the list yet; how many those were."""
        wanted = list(runs)

        def attempt(again: bool) -> int:
            with self.database.engine.begin() as connection:
                lock_study(connection, self.study_id)
                keys = select(_RUNS.c.phase, _RUNS.c.row, _RUNS.c.repeat).where(self._mine)
                known = {Run(*row) for row in connection.execute(keys)}
                new = [
                    {"study_id": self.study_id, "state": WAITING, "attempt": 0, **run._asdict()}
                    for run in wanted
                    if run not in known
                ]
                if new:
                    connection.execute(insert(_RUNS), new)
            return len(new)

        return retry(self.database, attempt)

    def claim(self, owner: str) -> Claim | None:
        """The next waiting run, now held by `owner`; None when nothing waits.

        An owner holds one run at a time.
        """
        return retry(self.database, lambda again: self._claim(owner, again))

    def _claim(self, owner: str, again: bool) -> Claim | None:
        if again:
            # The database may have been lost between a commit and the word of it.
            for held in self.active_claims():
                if held.claim.owner == owner:
                    return held.claim
        lost = 0
        while True:
            with self.database.engine.begin() as connection:
                given = {"study": self.study_id, "rows": 1 + lost}
                found = connection.execute(_NEXT, given).all()
                if not found:
                    return None
                row = random.choice(found)
                taken = connection.execute(
                    update(_RUNS)
                    .where(self._is(Run(row.phase, row.row, row.repeat)))
                    .where(_RUNS.c.state == WAITING, _RUNS.c.attempt == row.attempt)
                    .values(
                        state=RUNNING,
                        attempt=row.attempt + 1,
                        owner=owner,
                        heartbeat=time.time(),
                    )
                )
            if taken.rowcount == 1:
                return _read_claim(row)._replace(attempt=row.attempt + 1, owner=owner)
            lost = 2 * lost + 1  # many workers at once: look further down, each somewhere else

    def update_claimed(self, connection: Connection, claim: Claim, **values: object) -> bool:
        """Change the row of a claim within a transaction; whether that is done already.

        Raises LostClaimError when the claim is void.
        """
        changed = connection.execute(
            update(_RUNS)
            .where(self._is(claim.run))
            .where(_RUNS.c.state == RUNNING, _RUNS.c.attempt == claim.attempt)
            .values(heartbeat=time.time(), **values)
        )
        if changed.rowcount == 1:
            return False
        row = connection.execute(select(_RUNS).where(self._is(claim.run))).first()
        if row is None or row.attempt != claim.attempt or row.state != values.get("state"):
            raise LostClaimError(str(claim.run))
        return True

    def trial_number(self, connection: Connection, claim: Claim) -> int | None:
        """The trial that is noted for a run by now."""
        noted = select(_RUNS.c.trial).where(self._is(claim.run))
        trial: int | None = connection.execute(noted).scalar()
        return trial

    def active_claims(self) -> list[ActiveClaim]:
        """All runs that are held."""

        def attempt(again: bool) -> list[ActiveClaim]:
            with self.database.engine.connect() as connection:
                rows = connection.execute(
                    select(_RUNS).where(self._mine, _RUNS.c.state == RUNNING)
                ).all()
            return [ActiveClaim(_read_claim(row), row.heartbeat) for row in rows]

        return retry(self.database, attempt)

    def record_heartbeat(self, owners: Collection[str]) -> None:
        """Say that these owners live."""
        if not owners:
            return

        def attempt(again: bool) -> None:
            with self.database.engine.begin() as connection:
                connection.execute(
                    update(_RUNS)
                    .where(self._mine, _RUNS.c.state == RUNNING, _RUNS.c.owner.in_(owners))
                    .values(heartbeat=time.time())
                )

        retry(self.database, attempt)

    def requeue(self, runs: Iterable[Run]) -> int:
        """Do runs again that ended, in new trials; how many those were."""
        keys = [self._is(run) for run in runs]
        if not keys:
            return 0

        def attempt(again: bool) -> int:
            with self.database.engine.begin() as connection:
                changed = connection.execute(
                    update(_RUNS)
                    .where(_RUNS.c.state == DONE, or_(*keys))
                    .values(state=WAITING, owner=None, trial=None)
                )
            return int(changed.rowcount)

        return retry(self.database, attempt)

    def progress(self) -> dict[str, PhaseProgress]:
        """The count of runs by phase and state, phases in their order."""
        counted = (
            select(_RUNS.c.phase, _RUNS.c.state, func.count())
            .where(self._mine)
            .group_by(_RUNS.c.phase, _RUNS.c.state)
        )

        def attempt(again: bool) -> dict[tuple[str, str], int]:
            with self.database.engine.connect() as connection:
                return {(phase, state): n for phase, state, n in connection.execute(counted)}

        counts = retry(self.database, attempt)
        phases = [phase for phase in PHASES if any(key[0] == phase for key in counts)]
        return {
            phase: PhaseProgress(
                *(counts.get((phase, state), 0) for state in (WAITING, RUNNING, DONE))
            )
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


def open_queue(database: Database, study_id: int) -> RunQueue:
    """The queue of a study; its table is made where there is none."""
    make_table(database, _RUNS)
    return RunQueue(database, study_id)


def _read_claim(row: Row[tuple[object, ...]]) -> Claim:
    return Claim(Run(row.phase, row.row, row.repeat), row.attempt, row.owner or "", row.trial)
