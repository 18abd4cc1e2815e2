"""Write the results of a study as tables: CSV or Parquet files."""

import io
from pathlib import Path

import pandas as pd

from training_factors.storage.files import REPORT, check_parent, write_atomically
from training_factors.study.reporting import frames
from training_factors.study.reporting.analyses import StudyData
from training_factors.study.reporting.recommendation_table import recommendation_of

FORMATS = ("csv", "parquet")
"""Formats of exported tables; .parquet needs the extra [parquet]."""


def tables_of(data: StudyData) -> dict[str, pd.DataFrame]:
    """Return the tables of a study by name, those that it has by now.

    trials; confirmation_trials, contrasts and path of its confirmation; factors, variance,
    hyperparameters, topics, effects, interactions and settings once there is an answer.
    """
    space = data.study.stamp.space
    tables = {"trials": frames.trials_frame(data.trials, space)}
    if data.answer is not None:
        tables |= {
            "factors": frames.factors_frame(data.answer),
            "variance": frames.variance_frame(data.answer),
            "hyperparameters": frames.hyperparameters_frame(data.answer),
            "topics": frames.topics_frame(data.answer),
            "effects": frames.effects_frame(data.answer),
            "interactions": frames.interactions_frame(data.answer),
            "settings": frames.settings_frame(recommendation_of(data).settings),
        }
    if data.confirmation is not None:
        tables["confirmation_trials"] = frames.trials_frame(data.confirmation.trials, space)
    if data.confirmed is not None:
        tables["contrasts"] = frames.contrasts_frame(data.confirmed)
        if data.confirmed.path is not None:
            tables["path"] = frames.path_frame(data.confirmed.path)
    return tables


def write_tables(tables: dict[str, pd.DataFrame], folder: Path, form: str) -> list[Path]:
    """Write every table that is not empty to `NAME.csv` or `NAME.parquet`; return the files.

    folder: is created if missing; the folder that holds it must exist. form: one of `FORMATS`.
    Raises ValueError for another one, for a missing package, and without the folder that holds it.
    """
    if form not in FORMATS:
        raise ValueError(f"tables are written as {' or '.join(FORMATS)}, not as {form!r}")
    check_parent(folder)
    encoded = {
        folder / f"{name}.{form}": _encode(table, form)
        for name, table in tables.items()
        if not table.empty
    }
    for path, content in encoded.items():
        write_atomically(path, content, REPORT)
    return list(encoded)


def _encode(table: pd.DataFrame, form: str) -> bytes:
    """Return a table as the content of a file."""
    has_names = table.index.name is not None
    if form == "csv":
        return table.to_csv(index=has_names, lineterminator="\n").encode()
    content = io.BytesIO()
    try:
        _one_type(table).to_parquet(content, index=has_names)
    except ImportError:
        raise ValueError(
            "writing .parquet needs a package; pip install 'training-factors[parquet]', or write "
            "csv"
        ) from None
    return content.getvalue()


def _one_type(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with columns of mixed values, such as texts and numbers, as texts."""
    mixed = [
        name
        for name, column in table.items()
        if column.dtype == object and column.dropna().map(type).nunique() > 1
    ]
    texts = {str(name): table[name].map(str, na_action="ignore") for name in mixed}
    return table.assign(**texts)
