"""The tables of this tool, beside those of Optuna; their rows are bound to a study's random key."""

from sqlalchemy import Column, Double, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects.mysql import MEDIUMTEXT

STUDY_KEY = "study_key"
"""Name of the column, and of the study attribute, that hold a study's key: 32 hex digits."""

METADATA = MetaData()

RUNS = Table(
    "training_factor_queue",
    METADATA,
    Column(STUDY_KEY, String(32), primary_key=True),
    Column("phase", String(16), primary_key=True),
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("repeat", Integer, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("owner", String(255)),
    Column("heartbeat", Double),
    Column("trial", Integer),
    # In the order in which runs are claimed, so that finding the next one reads no other rows.
    Index("training_factor_queue_next", STUDY_KEY, "state", "phase", "attempt", "repeat", "row"),
)
"""The runs of each study; see `run_queue`."""

ANSWERS = Table(
    "training_factor_cache",
    METADATA,
    Column(STUDY_KEY, String(32), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("text", Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb"), nullable=False),
)
"""The computed answers of each study; see `answer_cache`."""

STOPS = Table(
    "training_factor_stop_requests",
    METADATA,
    Column(STUDY_KEY, String(32), primary_key=True),
    Column("asked", Integer, nullable=False),
)
"""The number of stop requests to each study; see `stop_requests`."""

EARLIER_NAMES = {
    "training_factor_runs": RUNS,
    "training_factor_answers": ANSWERS,
    "training_factor_stops": STOPS,
}
"""Name of a table of an earlier version, which bound rows to Optuna's id of the study -> table."""
