"""Read the columns of a table: numbers as they are written, dates, and categories."""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "<na>", "nat", "null", "none", "?", "-"})
"""Texts, in lower case, that stand for a missing value."""

MAX_MISSING = max(map(len, MISSING))
"""Number of characters of the longest of these texts."""

NESTED = (list, dict, tuple, set, np.ndarray)
"""Types of cells that hold several values."""

MAX_CATEGORIES = 100
"""Maximum number of different texts in a column; with more it says too little about each."""

MOSTLY = 0.5
"""Part of the cells from which a column of numbers and other texts is one of numbers."""

MIN_NUMBERS = 20
"""Number of different cells from which such a column is refused instead of taken as categories."""

AS_WRITTEN, TRUTH, WRITTEN, DATES, CODES, TEXTS = FORMS = (
    "numbers", "truth values", "written numbers", "dates", "codes", "texts",
)  # fmt: skip
"""What the cells of a column are."""

NUMBER = re.compile(
    r"(?P<about>~|≈|ca\.?|approx\.?)?\s*(?P<sign>[-−+(])?\s*"
    r"(?P<before>[$€£¥]|EUR|USD|GBP|CHF)?\s*"
    r"(?P<number>[-−+]?(?:\d{1,3}(?:[ '’\u00a0\u202f]\d{3})+(?:[.,]\d+)?"
    r"|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+(?:,\d+)?"
    r"|\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?)(?P<end>[-)])?\s*"
    r"(?P<after>[^\d\s.,+\-()/:'’][^\d:/]{0,14})?"
)
"""A number as people write it: `0,31`, `1,234.5`, `12 kg`, `~5`, `-$30`, `45 %`, `(12.50)`."""

THOUSANDS = r"[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?"
"""A number with points between its thousands."""

DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T].*)?|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})( .*)?"
    r"|\d{1,2} [A-Za-z]{3,9} \d{4}|[A-Za-z]{3,9} \d{1,2}, ?\d{4}"
)
"""A text that may be a date, in one of `DATE_FORMATS`."""

DATE_FORMATS = (
    "ISO8601", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d-%m-%Y",
    "%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y",
)  # fmt: skip
"""Formats of dates; the first with which all cells are dates is taken."""

TIME_FORMATS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
"""What may follow a date, besides ISO 8601."""

TIME = r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?"
"""A time of day, or a duration: `12:30`, `0:45:10.5`."""


class Column(NamedTuple):
    """Holds the values of one column.

    name: of the column. form: one of `FORMS`. numbers: (rows,) float64, nan where missing; None
    for codes and texts. texts: (rows,), None where missing; None for all other forms.
    about: how the cells were read, for a note. first_day: of dates, in UTC and ISO 8601.
    """

    name: str
    form: str
    numbers: NDArray[np.float64] | None = None
    texts: pd.Series | None = None
    about: str = ""
    first_day: str = ""

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Return which values are missing: (rows,)."""
        if self.numbers is not None:
            return np.isnan(self.numbers)
        assert self.texts is not None
        return self.texts.isna().to_numpy()

    @property
    def codes(self) -> NDArray[np.int64]:
        """Return equal numbers for equal values, counted as they appear; -1 where missing."""
        values = self.texts if self.numbers is None else pd.Series(self.numbers)
        assert values is not None
        return np.asarray(pd.factorize(values)[0], dtype=np.int64)


def read_column(cells: pd.Series, name: str, source: str, decimal_comma: bool = False) -> Column:
    """Read one column of a table, of texts or of any type of pandas'.

    decimal_comma: whether other columns of the table have decimal commas, so that the point in
    1.200 separates thousands.

    Raises ValueError for values that are lists or infinite, and for numbers among other texts.
    """
    return read_clean_column(clean(cells), name, source, decimal_comma)


def read_clean_column(
    cells: pd.Series, name: str, source: str, decimal_comma: bool = False
) -> Column:
    """Read one column that `clean` has cleaned; see `read_column`."""
    label = f"column {name!r} of {source!r}"
    kind = cells.dtype.kind
    if kind == "M" or isinstance(cells.dtype, pd.DatetimeTZDtype):
        return _from_dates(name, pd.to_datetime(cells, utc=True), "")
    if kind == "m":
        return Column(name, AS_WRITTEN, cells.dt.total_seconds().to_numpy(np.float64) / 86400)
    if kind == "b":
        return Column(name, TRUTH, cells.to_numpy(np.float64, na_value=np.nan))
    if kind in "iuf":
        numbers = cells.to_numpy(np.float64, na_value=np.nan)
        return Column(name, AS_WRITTEN, _finite(numbers, cells, label))
    if kind == "c":
        raise ValueError(f"{label} holds complex numbers; leave it out with --ignore {name!r}")
    if any(isinstance(cell, NESTED) for cell in cells.to_numpy(dtype=object)):
        raise ValueError(f"{label} holds lists or records; leave it out with --ignore {name!r}")
    return _read_texts(cells, name, label, decimal_comma)


def has_decimal_commas(cells: pd.Series) -> bool:
    """Return whether a clean column can only be one of numbers with decimal commas."""
    if cells.dtype != object:
        return False
    present = cells.dropna()
    with_comma = [cell for cell in present if isinstance(cell, str) and "," in cell]
    if not with_comma or not all(NUMBER.fullmatch(str(cell)) for cell in present):
        return False
    return not all(re.search(r"[1-9]\d{0,2},\d{3}(?!\d)", cell) for cell in with_comma)


def clean(cells: pd.Series) -> pd.Series:
    """Return a column of texts without spaces around them and with None where one is missing.

    Columns of numbers, dates and truth values stay as they are, and so do lists.
    """
    if cells.dtype.kind in "biufcmM" or isinstance(cells.dtype, pd.DatetimeTZDtype):
        return cells
    values = cells.to_numpy(dtype=object)
    if pd.api.types.infer_dtype(values, skipna=False) == "string":
        texts = map(str.strip, values)  # the usual case, several times faster
        cleaned: list[object] = [
            None if len(text) <= MAX_MISSING and text.lower() in MISSING else text for text in texts
        ]
    else:
        cleaned = [_clean(cell) for cell in values]
    return pd.Series(cleaned, cells.index, object, cells.name)


def as_texts(cells: pd.Series) -> pd.Series:
    """Return all cells as texts without spaces around them, None where missing."""
    return clean(cells.astype(object)).map(str, na_action="ignore")


def _clean(cell: object) -> object:
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "replace")
    if isinstance(cell, str):
        text = cell.strip()
        return None if len(text) <= MAX_MISSING and text.lower() in MISSING else text
    if isinstance(cell, NESTED):
        return cell
    return None if pd.isna(cell) else str(cell)  # type: ignore[call-overload]


def _read_texts(texts: pd.Series, name: str, label: str, decimal_comma: bool) -> Column:
    present = texts.dropna()
    if present.empty:
        return Column(name, AS_WRITTEN, np.full(len(texts), np.nan))
    plain = pd.to_numeric(present, errors="coerce")
    if plain.notna().all():
        if all(map(str.isdigit, present)) and present.str.fullmatch(r"0\d+").any():
            return Column(name, CODES, texts=texts)
        points = present.str.contains(".", regex=False) if decimal_comma else plain.isna()
        if not points.any() or not present[points].str.fullmatch(THOUSANDS).all():
            numbers = plain.reindex(texts.index).to_numpy(np.float64)
            return Column(name, AS_WRITTEN, _finite(numbers, texts, label))
    written = present.str.extract(f"^{NUMBER.pattern}$")
    is_written = written["number"].notna()
    units = written.loc[is_written, ["before", "after"]].fillna("")
    units = units.apply(lambda unit: unit.str.strip()).drop_duplicates()
    if is_written.all() and len(units) == 1:
        parsed, how = _parse_numbers(written, decimal_comma)
        if parsed is not None:
            unit = " ".join(filter(None, units.iloc[0]))
            example = f"{present.iloc[0]} read as {parsed.iloc[0]:g}"
            about = ", ".join(filter(None, [how, unit and f"in {unit}"])) or example
            numbers = _finite(parsed.reindex(texts.index).to_numpy(np.float64), texts, label)
            return Column(name, WRITTEN, numbers, about=about)
    if present.str.fullmatch(DATE.pattern).all():
        for time in TIME_FORMATS:
            for day in DATE_FORMATS:
                # pandas refuses "ISO8601" with anything behind it.
                form = day if day == "ISO8601" else f"{day}{time}"
                dates = pd.to_datetime(present, format=form, errors="coerce", utc=True)
                if dates.notna().all():
                    return _from_dates(name, dates.reindex(texts.index), form)
    if present.str.fullmatch(TIME).all():
        parts = present.str.split(":", expand=True).astype(np.float64)
        hours = (parts / 60.0 ** np.arange(parts.shape[1])).sum(axis=1)
        return Column(name, DATES, hours.reindex(texts.index).to_numpy(), about="in hours")
    if is_written.mean() >= MOSTLY and present.nunique() >= MIN_NUMBERS:
        what = "numbers with both decimal commas and points"
        if not is_written.all():
            what = f"numbers and {present[~is_written].iloc[0]!r} among them"
        elif len(units) > 1:
            one, other = (" ".join(filter(None, unit)) for unit in units.to_numpy()[:2])
            what = f"numbers in several units, {one!r} and {other!r}"
        raise ValueError(
            f"{label} holds {what}; correct these cells, or leave the column out with "
            f"--ignore {name!r}"
        )
    return Column(name, TEXTS, texts=texts)


def _finite(numbers: NDArray[np.float64], cells: pd.Series, label: str) -> NDArray[np.float64]:
    infinite = np.flatnonzero(np.isinf(numbers))
    if infinite.size:
        raise ValueError(
            f"{label} has {cells.iloc[infinite[0]]!s} in data row {cells.index[infinite[0]] + 1}; "
            "fill it, or leave the column out with --ignore"
        )
    return numbers


def _parse_numbers(written: pd.DataFrame, decimal_comma: bool) -> tuple[pd.Series | None, str]:
    """Return the numbers, and how their marks were read; None where marks contradict one another.

    A comma is a decimal one unless three digits follow it everywhere, and then still if other
    columns have decimal commas; a point likewise where it is there several times.

    written: the groups of `NUMBER`, one row for each cell.
    """
    bare = written["number"].str.replace(r"[\s'’]", "", regex=True).str.replace("−", "-")
    commas, points = bare.str.count(","), bare.str.count(r"\.")
    by_comma = bare.str.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
    by_point = bare.str.fullmatch(THOUSANDS)
    is_open = bool((points == 0).all() and (commas <= 1).all())
    if (
        (by_comma | (commas == 0)).all() and (commas > 0).any() and not (decimal_comma and is_open)
    ):  # fmt: skip
        how = f"{bare[commas > 0].iloc[0]} read as {bare[commas > 0].iloc[0].replace(',', '')}"
        bare = bare.str.replace(",", "")
    elif (
        (by_point | (points == 0)).all()
        and (points > 0).any()
        and ((points > 1) | (commas > 0) | decimal_comma).any()
    ):
        how = "with decimal commas" if (commas > 0).any() else "points between thousands"
        bare = bare.str.replace(".", "").str.replace(",", ".")
    elif (commas > 0).any() and (points == 0).all():
        how = "with decimal commas"
        bare = bare.str.replace(",", ".")
    else:
        how = ""
    numbers = pd.to_numeric(bare, errors="coerce").astype(np.float64)
    is_negative = written["sign"].isin(["-", "−", "("]) | (written["end"] == "-")
    numbers = numbers.where(~is_negative, -numbers)
    return (None, "") if numbers.isna().any() else (numbers, how)


def _from_dates(name: str, dates: pd.Series, form: str) -> Column:
    """Return days since the first date; `about` says what is read as the day where it is open."""
    first = dates.min()
    days = (dates - first).dt.total_seconds().to_numpy(np.float64) / 86400
    about = f"days since {first:%Y-%m-%d}" if pd.notna(first) else ""
    if "%y" in form:
        about += f", years of two digits read as {first:%Y} to {dates.max():%Y}"
    if form.startswith(("%m/%d", "%m-%d")):
        about += ", month before day"
    elif form.startswith(("%d/%m", "%d-%m")):
        about += ", day before month"
    first_day = first.tz_localize(None).isoformat() if pd.notna(first) else ""
    return Column(name, DATES, days, about=about, first_day=first_day)
