"""Answers kept with the study that they belong to: a second look costs nothing."""

from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import Column, Integer, MetaData, String, Table, Text, and_, delete, insert, select
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from training_factors.storage.database import make_table
from training_factors.storage.retry import retry
from training_factors.storage.studies import Study

_ANSWERS = Table(
    "training_factor_answers",
    MetaData(),
    Column("study_id", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(32), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("text", Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb"), nullable=False),
)


class CachedAnswer(NamedTuple):
    """Where a study keeps its answer to one kind of question; digest: of what it depends on."""

    study: Study
    kind: str
    digest: str

    def read(self) -> str | None:
        """The text that was kept; None when there is none or it belongs to other evidence."""
        make_table(self.study.database, _ANSWERS)
        wanted = select(_ANSWERS.c.text).where(self._mine, _ANSWERS.c.digest == self.digest)

        def attempt(again: bool) -> str | None:
            with self.study.database.engine.connect() as connection:
                text: str | None = connection.execute(wanted).scalar()
            return text

        return retry(self.study.database, attempt)

    def write(self, text: str) -> None:
        """Keep the text, in place of an earlier one of this kind.

        Of two that are written at the same moment one is kept.
        """
        make_table(self.study.database, _ANSWERS)
        row = {
            "study_id": self.study.study_id, "kind": self.kind, "digest": self.digest,
            "text": text,
        }  # fmt: skip

        def attempt(again: bool) -> None:
            with suppress(IntegrityError), self.study.database.engine.begin() as connection:
                connection.execute(delete(_ANSWERS).where(self._mine))
                connection.execute(insert(_ANSWERS).values(row))

        retry(self.study.database, attempt)

    @property
    def _mine(self) -> ColumnElement[bool]:
        return and_(_ANSWERS.c.study_id == self.study.study_id, _ANSWERS.c.kind == self.kind)
