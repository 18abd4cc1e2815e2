"""A cache of computed answers in the database, one per study and kind of answer."""

from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import and_, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from training_factors.storage.database import create_table
from training_factors.storage.retry import ReadOnlyError, retry
from training_factors.storage.studies import Study
from training_factors.storage.tables import ANSWERS


class CachedAnswer(NamedTuple):
    """The cache entry for one kind of answer of a study.

    digest: cache key, a digest of everything that the answer depends on.
    """

    study: Study
    kind: str
    digest: str

    def read(self) -> str | None:
        """Return the stored text; None if there is none, or only one with another digest."""
        if not create_table(self.study.database, ANSWERS):
            return None
        query = select(ANSWERS.c.text).where(self._is_this_kind, ANSWERS.c.digest == self.digest)

        def attempt(is_retry: bool) -> str | None:
            with self.study.database.engine.connect() as connection:
                text: str | None = connection.execute(query).scalar()
            return text

        return retry(self.study.database, attempt)

    def write(self, text: str) -> None:
        """Store the text, in place of an earlier one of this kind, whatever its digest.

        If two processes write at the same moment, one of the texts is kept. Nothing is stored where
        the database may only be read: the answer is computed again when it is needed again.
        """
        if self.study.database.is_read_only or not create_table(self.study.database, ANSWERS):
            return
        row = {
            "study_key": self.study.key, "kind": self.kind, "digest": self.digest,
            "text": text,
        }  # fmt: skip

        def attempt(is_retry: bool) -> None:
            with suppress(IntegrityError), self.study.database.engine.begin() as connection:
                connection.execute(delete(ANSWERS).where(self._is_this_kind))
                connection.execute(insert(ANSWERS).values(row))

        with suppress(ReadOnlyError):
            retry(self.study.database, attempt)

    @property
    def _is_this_kind(self) -> ColumnElement[bool]:
        return and_(ANSWERS.c.study_key == self.study.key, ANSWERS.c.kind == self.kind)
