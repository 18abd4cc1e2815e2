"""The queue of a study's runs: one row per run, which one worker at a time claims.

The queue holds the key of a run (phase, row number, repetition), not its configuration. That
follows from the study's seed and the row number, or is stored in the trial that the run's first
attempt created.

Rows are bound to the random key of their study, not to Optuna's id of it, which SQLite hands out
again after a deletion. While no study of that id has that key, because it was deleted or renamed,
the queue is empty and all claims are void.

A claim is void once its run was released or claimed again. The holder of a void claim cannot change
anything any more: each update checks the number of the attempt (a fencing token).
"""

import json
import random
import time
from collections.abc import Collection, Iterable
from functools import cache
from typing import NamedTuple

from optuna.storages._rdb import models
from sqlalchemy import (
    Connection,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    delete,
    exists,
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
from sqlalchemy.sql.selectable import Exists

from training_factors.storage.database import Database, create_table, lock_study
from training_factors.storage.retry import retry
from training_factors.storage.tables import RUNS, STUDY_KEY

DIVISION = "division"
"""Phase of the runs that repeat measured rows under other divisions of the data.

`row` is that of the design, `repeat` the number of the row's other division, from 1 on. These runs
tell how much the division matters, and nothing else: their validation part is another one, so their
results cannot be compared with those of all other runs.
"""

PHASES = ("baseline", "measure", "also", "search", DIVISION, "confirm")
"""Phases of a study, in the order in which their runs are claimed."""

EXTENSIBLE_PHASES = ("measure", "search")
"""Phases that may have any number of rows, so that a study can be larger or smaller."""

WAITING, RUNNING, DONE = "waiting", "running", "done"
"""States of a run in the queue. DONE includes pruned and failed runs."""


@cache
def _is_there(study_id: ColumnElement[int] | int, key: ColumnElement[str] | str) -> Exists:
    """Return the condition that the study of this id has this key, written as JSON."""
    attributes = models.StudyUserAttributeModel.__table__
    return exists().where(
        attributes.c.study_id == study_id,
        attributes.c.key == STUDY_KEY,
        attributes.c.value_json == key,
    )


def _next_runs() -> Select[tuple[object, ...]]:
    """Return the query for the next waiting runs.

    Its parameters are `id`, `key` and `json_key` of the study and `rows`, the maximum number of
    runs. It takes the first `rows` waiting runs of every phase from the index, and keeps the first
    `rows` of all, in the order of PHASES. Retried runs go last in their phase; they may have
    crashed the previous worker.
    """
    first_runs = [
        select(RUNS, literal(i).label("precedence"))
        .where(RUNS.c.study_key == bindparam("key"), RUNS.c.state == WAITING)
        .where(RUNS.c.phase == phase)
        .order_by(RUNS.c.attempt, RUNS.c.repeat, RUNS.c.row)
        .limit(bindparam("rows", type_=Integer))
        .subquery()
        for i, phase in enumerate(PHASES)
    ]
    candidates = union_all(*(select(runs) for runs in first_runs)).subquery()
    order = (candidates.c[name] for name in ("precedence", "attempt", "repeat", "row"))
    is_there = _is_there(bindparam("id", type_=Integer), bindparam("json_key", type_=Text))
    return (
        select(candidates).where(is_there).order_by(*order).limit(bindparam("rows", type_=Integer))
    )


_NEXT_RUNS = _next_runs()
"""The query for the next runs, built once rather than at each claim."""


class Run(NamedTuple):
    """The key of a run in a study: its phase, its row within the phase, and its repetition."""

    phase: str
    row: int
    repeat: int = 0

    def __str__(self) -> str:
        return f"{self.phase} {self.row}" + (f" repeat {self.repeat}" if self.repeat else "")


class Claim(NamedTuple):
    """The right of one worker to execute a run.

    attempt: number of times that the run has been claimed, this one included.
    trial: number of the trial that an earlier attempt created; None if there is none to resume.
    """

    run: Run
    attempt: int
    owner: str
    trial: int | None


class StudyGoneError(LookupError):
    """Raised when the study was deleted or renamed after it was opened."""


class LostClaimError(Exception):
    """Raised when a claim is void: the run was released, or another worker has claimed it."""


class ActiveClaim(NamedTuple):
    """The claim of a running run, with the time of its last heartbeat.

    heartbeat: seconds since 1970, by the clock of the machine that wrote it. Compare it with an
    earlier heartbeat, not with the clock of another machine.
    """

    claim: Claim
    heartbeat: float


class PhaseProgress(NamedTuple):
    """The number of a phase's runs in each state."""

    waiting: int = 0
    running: int = 0
    done: int = 0

    @property
    def total(self) -> int:
        """The number of all runs of the phase."""
        return sum(self)


class RunQueue(NamedTuple):
    """The queue of a study's runs. study_id: Optuna's. key: the study's own, random."""

    database: Database
    study_id: int
    key: str

    def add(self, runs: Iterable[Run]) -> int:
        """Add the runs that are not in the queue yet; return their number.

        Raises StudyGoneError if the study was deleted or renamed.
        """
        planned = list(runs)

        def attempt(is_retry: bool) -> int:
            with self.database.engine.begin() as connection:
                lock_study(connection, self.study_id)
                if not connection.execute(select(self._is_there)).scalar():
                    raise StudyGoneError("the study was deleted or renamed meanwhile")
                keys = select(RUNS.c.phase, RUNS.c.row, RUNS.c.repeat).where(self._in_study)
                known = {Run(*row) for row in connection.execute(keys)}
                new = [
                    {"study_key": self.key, "state": WAITING, "attempt": 0, **run._asdict()}
                    for run in planned
                    if run not in known
                ]
                if new:
                    connection.execute(insert(RUNS), new)
            return len(new)

        return retry(self.database, attempt)

    def withdraw(self) -> int:
        """Take the measured and searched runs out that nobody has begun; return their number.

        A run is nothing but its key, so that it can be added again at any time.
        """

        def attempt(is_retry: bool) -> int:
            with self.database.engine.begin() as connection:
                deleted = connection.execute(
                    delete(RUNS).where(
                        self._in_study,
                        RUNS.c.phase.in_(EXTENSIBLE_PHASES),
                        RUNS.c.state == WAITING,
                        RUNS.c.attempt == 0,
                    )
                )
            return int(deleted.rowcount)

        return retry(self.database, attempt)

    def claim(self, owner: str) -> Claim | None:
        """Claim the next waiting run; return None if there is none.

        An owner holds one claim at a time.
        """
        return retry(self.database, lambda is_retry: self._claim(owner, is_retry))

    def _claim(self, owner: str, is_retry: bool) -> Claim | None:
        if is_retry:
            # An earlier call may have committed a claim before the connection was lost.
            for active in self.active_claims():
                if active.claim.owner == owner:
                    return active.claim
        extra_candidates = 0
        while True:
            with self.database.engine.begin() as connection:
                parameters = {
                    "id": self.study_id, "key": self.key, "json_key": json.dumps(self.key),
                    "rows": 1 + extra_candidates,
                }  # fmt: skip
                candidates = connection.execute(_NEXT_RUNS, parameters).all()
                if not candidates:
                    return None
                row = random.choice(candidates)
                updated = connection.execute(
                    update(RUNS)
                    .where(self._has_key(Run(row.phase, row.row, row.repeat)))
                    .where(RUNS.c.state == WAITING, RUNS.c.attempt == row.attempt)
                    .values(
                        state=RUNNING,
                        attempt=row.attempt + 1,
                        owner=owner,
                        heartbeat=time.time(),
                    )
                )
            if updated.rowcount == 1:
                return _read_claim(row)._replace(attempt=row.attempt + 1, owner=owner)
            # Another worker took the run: choose among more runs, so that workers spread out.
            extra_candidates = 2 * extra_candidates + 1

    def update_claimed(self, connection: Connection, claim: Claim, **values: object) -> bool:
        """Update the queue's row of a claim within a transaction.

        Returns whether the run had the new state already, set by an earlier try of the same
        transaction; False if this call updated it.

        Raises LostClaimError if the claim is void.
        """
        updated = connection.execute(
            update(RUNS)
            .where(self._has_key(claim.run))
            .where(RUNS.c.state == RUNNING, RUNS.c.attempt == claim.attempt)
            .values(heartbeat=time.time(), **values)
        )
        if updated.rowcount == 1:
            return False
        row = connection.execute(select(RUNS).where(self._has_key(claim.run))).first()
        if row is None or row.attempt != claim.attempt or row.state != values.get("state"):
            raise LostClaimError(f"the claim of {claim.run} is void")
        return True

    def trial_number(self, connection: Connection, claim: Claim) -> int | None:
        """Return the number of the trial that the queue holds for the run of a claim."""
        query = select(RUNS.c.trial).where(self._has_key(claim.run))
        number: int | None = connection.execute(query).scalar()
        return number

    def active_claims(self) -> list[ActiveClaim]:
        """Return the claims of all running runs."""

        def attempt(is_retry: bool) -> list[ActiveClaim]:
            with self.database.engine.connect() as connection:
                rows = connection.execute(
                    select(RUNS).where(self._in_study, RUNS.c.state == RUNNING)
                ).all()
            return [ActiveClaim(_read_claim(row), row.heartbeat) for row in rows]

        return retry(self.database, attempt)

    def record_heartbeat(self, owners: Collection[str]) -> None:
        """Set the heartbeat of the claims of these owners to the current time."""
        if not owners:
            return

        def attempt(is_retry: bool) -> None:
            with self.database.engine.begin() as connection:
                connection.execute(
                    update(RUNS)
                    .where(self._in_study, RUNS.c.state == RUNNING, RUNS.c.owner.in_(owners))
                    .values(heartbeat=time.time())
                )

        retry(self.database, attempt)

    def requeue(self, runs: Iterable[Run]) -> int:
        """Queue finished runs again, to be run in new trials; return how many were finished."""
        keys = [self._has_key(run) for run in runs]
        if not keys:
            return 0

        def attempt(is_retry: bool) -> int:
            with self.database.engine.begin() as connection:
                updated = connection.execute(
                    update(RUNS)
                    .where(RUNS.c.state == DONE, or_(*keys))
                    .values(state=WAITING, owner=None, trial=None)
                )
            return int(updated.rowcount)

        return retry(self.database, attempt)

    def progress(self) -> dict[str, PhaseProgress]:
        """Return the progress of each phase that has runs, in the order of PHASES."""
        query = (
            select(RUNS.c.phase, RUNS.c.state, func.count())
            .where(self._in_study)
            .group_by(RUNS.c.phase, RUNS.c.state)
        )

        def attempt(is_retry: bool) -> dict[tuple[str, str], int]:
            with self.database.engine.connect() as connection:
                return {(phase, state): n for phase, state, n in connection.execute(query)}

        counts = retry(self.database, attempt)
        phases = [phase for phase in PHASES if any(key[0] == phase for key in counts)]
        return {
            phase: PhaseProgress(
                *(counts.get((phase, state), 0) for state in (WAITING, RUNNING, DONE))
            )
            for phase in phases
        }

    def rows(self, phase: str) -> int:
        """Return the number of different rows of a phase; rows are numbered from 0."""
        query = select(func.count(RUNS.c.row.distinct())).where(
            self._in_study, RUNS.c.phase == phase
        )

        def attempt(is_retry: bool) -> int:
            with self.database.engine.connect() as connection:
                return int(connection.execute(query).scalar() or 0)

        return retry(self.database, attempt)

    def repeated_rows(self) -> list[int]:
        """Return the rows of the phase measure that are repeated with other seeds, in order."""
        query = (
            select(RUNS.c.row)
            .distinct()
            .where(self._in_study, RUNS.c.phase == "measure", RUNS.c.repeat > 0)
            .order_by(RUNS.c.row)
        )

        def attempt(is_retry: bool) -> list[int]:
            with self.database.engine.connect() as connection:
                return list(connection.execute(query).scalars())

        return retry(self.database, attempt)

    def is_there(self) -> bool:
        """Return whether the study of this queue is there: neither deleted nor renamed."""

        def attempt(is_retry: bool) -> bool:
            with self.database.engine.connect() as connection:
                return bool(connection.execute(select(self._is_there)).scalar())

        return retry(self.database, attempt)

    def trial_numbers(self) -> set[int]:
        """Return the numbers of the trials of this queue's runs, one for each run at most."""
        query = select(RUNS.c.trial).where(self._in_study, RUNS.c.trial.is_not(None))

        def attempt(is_retry: bool) -> set[int]:
            with self.database.engine.connect() as connection:
                return set(connection.execute(query).scalars())

        return retry(self.database, attempt)

    @property
    def _in_study(self) -> ColumnElement[bool]:
        """The condition for rows of this study, while it is there."""
        return and_(RUNS.c.study_key == self.key, self._is_there)

    @property
    def _is_there(self) -> Exists:
        return _is_there(self.study_id, json.dumps(self.key))

    def _has_key(self, run: Run) -> ColumnElement[bool]:
        """Return the condition for the row of a run."""
        return and_(
            self._in_study,
            RUNS.c.phase == run.phase,
            RUNS.c.row == run.row,
            RUNS.c.repeat == run.repeat,
        )


def open_queue(database: Database, study_id: int, key: str) -> RunQueue:
    """Return the queue of a study; create its table if missing."""
    create_table(database, RUNS)
    return RunQueue(database, study_id, key)


def _read_claim(row: Row[tuple[object, ...]]) -> Claim:
    return Claim(Run(row.phase, row.row, row.repeat), row.attempt, row.owner or "", row.trial)
