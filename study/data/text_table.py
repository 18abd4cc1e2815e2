"""Read a text file as a table of texts: find its encoding, its separator and its header."""

import bz2
import codecs
import csv
import gzip
import io
import lzma
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple, cast

import pandas as pd

from training_factors.storage.data_report import CONVERTED, LABELS, LEFT_OUT, DataNote, data_note
from training_factors.study.data.columns import MISSING

TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".data")
"""Endings, in lower case, of the names of text files that hold a table."""

COMPRESSED_SUFFIXES = (".gz", ".bz2", ".xz", ".zip")
"""Endings, in lower case, that a compressed file's name has besides."""

SEPARATORS = ("\t", ";", "|", ",")
"""Separators of cells; of several that fit equally well the first is taken."""

WHITESPACE = r"\s+"
"""The separator of tables whose cells are separated by any number of spaces, for pandas."""

SAMPLED_LINES = 200
"""Number of lines from which separator and header are found."""

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class TextTable(NamedTuple):
    """Holds the cells of a text file as they are written, and notes about how it was read."""

    cells: pd.DataFrame
    notes: tuple[DataNote, ...]


class Layout(NamedTuple):
    """Says how to read a file.

    separator: one of `SEPARATORS`, or `WHITESPACE`. skipped_lines: number of lines above the first
    row of cells. names: of the columns.
    """

    encoding: str
    separator: str
    skipped_lines: int
    names: tuple[str, ...]


def is_text_table(path: Path) -> bool:
    """Return whether the file's name says that it holds a table as text, compressed or not."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED_SUFFIXES:
        suffixes.pop()
    return bool(suffixes) and suffixes[-1] in TEXT_SUFFIXES


def read_text_table(source: str, wanted: Sequence[str] = ()) -> TextTable:
    """Read a table in any common encoding, with commas, semicolons, tabs, bars or spaces.

    wanted: names of columns that the user asks for; a first line with one of them is a header.

    Raises ValueError for a file that is no text, or a row of another length than the others.
    """
    path = Path(source)
    try:
        encoding = _find_encoding(path, source)
        layout, notes = _find_layout(path, encoding, source, wanted)
        _refuse_other_lengths(path, layout, source)
        with _open_text(path, encoding) as file:
            for _ in range(layout.skipped_lines):
                file.readline()
            cells = pd.read_csv(
                file,
                sep=layout.separator,
                header=None,
                names=list(layout.names),
                usecols=range(len(layout.names)),
                index_col=False,
                dtype=str,
                na_filter=False,
                skipinitialspace=True,
            )
    except UnicodeDecodeError:
        raise ValueError(f"file {source!r} is no text; save it as CSV UTF-8") from None
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zipfile.BadZipFile):
        raise ValueError(f"file {source!r} is damaged; copy or compress it again") from None
    except csv.Error as error:
        raise ValueError(f"file {source!r} is not a table ({error}); save it again") from None
    except pd.errors.EmptyDataError:
        cells = pd.DataFrame(columns=list(layout.names), dtype=str)
    if cells.empty:
        raise ValueError(f"file {source!r} has no rows below its header; add some")
    return TextTable(cells, notes)


def _open_bytes(path: Path) -> IO[bytes]:
    """Open a file; a compressed one is decompressed while it is read."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    if suffix == ".bz2":
        return bz2.open(path, "rb")
    if suffix == ".xz":
        return lzma.open(path, "rb")
    if suffix == ".zip":
        archive = zipfile.ZipFile(path)
        members = [name for name in archive.namelist() if not name.startswith("__MACOSX")]
        if len(members) != 1:
            raise ValueError(f"file {str(path)!r} holds {len(members)} files; unpack it, name one")
        return archive.open(members[0])
    return path.open("rb")


def _open_text(path: Path, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(_open_bytes(path), encoding=encoding, newline="")


def _find_encoding(path: Path, source: str) -> str:
    """Return the encoding: that of a byte order mark, UTF-16, UTF-8, or else Windows' or Latin-1.

    The last two can read any file, so they may read one of another encoding wrongly; a note says
    so.
    """
    with _open_bytes(path) as file:
        start = file.read(4096)
        for mark, encoding in BYTE_ORDER_MARKS:
            if start.startswith(mark):
                return encoding
        if b"\0" in start:
            # Text in UTF-16 without a mark has a zero in every second byte, but for rare letters.
            zeros = [start[i::2].count(0) for i in (0, 1)]
            if min(zeros) * 10 > max(zeros):
                raise ValueError(f"file {source!r} is no text; save it as CSV UTF-8")
            return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
        candidates = {name: codecs.getincrementaldecoder(name)() for name in ("utf-8", "cp1252")}
        block = start
        while block:
            for name, decoder in list(candidates.items()):
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    del candidates[name]
            block = file.read(2**20)
    return next(iter(candidates), "latin-1")


def _find_layout(
    path: Path, encoding: str, source: str, wanted: Sequence[str]
) -> tuple[Layout, tuple[DataNote, ...]]:
    """Find separator, names and first row of cells from the first `SAMPLED_LINES` lines."""
    notes = []
    with _open_text(path, encoding) as file:
        lines = list(islice(file, SAMPLED_LINES))
    is_cut = len(lines) == SAMPLED_LINES
    if encoding in ("cp1252", "latin-1"):
        text = f"the text is not UTF-8, read as {encoding}; save it as UTF-8 if letters are wrong"
        notes.append(data_note(CONVERTED, text))
    given = re.fullmatch(r"sep=(.)\s*", lines[0]) if lines else None
    skipped = 1 if given else 0
    while skipped < len(lines) and (lines[skipped].startswith("#") or not lines[skipped].strip()):
        skipped += 1
    comments = [line for line in lines[:skipped] if line.startswith("#")]
    separator = given[1] if given else _find_separator(lines[skipped:], is_cut)
    titles = _title_lines(lines[skipped:], separator, is_cut)
    if titles:
        skipped += titles
        notes.append(
            data_note(LEFT_OUT, f"{titles} lines above the header".replace("1 lines", "1 line"))
        )
    rows = [row for row in _split(lines[skipped:], separator) if any(row)]
    if not rows:
        raise ValueError(f"file {source!r} has no rows below its header; add some")
    first, below = rows[0], rows[1:]
    commented = next(_split([comments[-1].lstrip("# ")], separator), []) if comments else []
    if len(commented) == len(first) and (
        set(commented) & set(wanted) or not _is_header(first, below, wanted)
    ):
        names = _unique(commented, notes, source, wanted)
        return Layout(encoding, separator, skipped, names), tuple(notes)
    if comments:
        text = "1 line of comments" if len(comments) == 1 else f"{len(comments)} lines of comments"
        notes.append(data_note(LEFT_OUT, f"{text} at the start of the file"))
    if not _is_header(first, below, wanted):
        text = "the file has no header line; its columns are called 1, 2, 3, …"
        notes.append(data_note(LABELS, text))
        names = tuple(str(i) for i in range(1, len(first) + 1))
        return Layout(encoding, separator, skipped, names), tuple(notes)
    whole = below[:-1] if is_cut else below
    if any(row[-1] for row in whole) and all(len(row) == len(first) + 1 for row in whole):
        first = ["row name", *first]  # as R writes tables
    names = _unique(first, notes, source, wanted)
    return Layout(encoding, separator, skipped + _header_lines(lines[skipped:]), names), tuple(
        notes
    )


def _header_lines(lines: Sequence[str]) -> int:
    """Return the number of lines of a header: a name in quotes may have line breaks."""
    start = next(i for i, line in enumerate(lines) if line.strip())
    ends = range(start + 1, len(lines))
    return next((n for n in ends if "".join(lines[:n]).count('"') % 2 == 0), len(lines))


def _title_lines(lines: Sequence[str], separator: str, is_cut: bool) -> int:
    """Return the number of lines above the header that hold one cell, where rows hold several."""
    width, _ = _usual_width(list(_split(lines, separator)), is_cut)
    count = 0
    while count < len(lines) - 1 and width > 2:
        row = next(_split([lines[count]], separator), [])
        if (len(row) == width and sum(map(bool, row)) > 1) or '"' in lines[count]:
            break
        if sum(map(bool, row)) > 1 or len(row) == width - 1:
            break
        count += 1
    return count


def _split(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    """Return the cells of each row, without spaces around them; none for a blank line."""
    if separator == WHITESPACE:
        lines, separator = (line.replace("\t", " ").strip() for line in lines), " "
    rows = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    return ([cell.strip() for cell in row] for row in rows)


def _usual_width(rows: Sequence[Sequence[str]], is_cut: bool) -> tuple[int, float]:
    """Return the most common number of cells, and the part of the rows that have it.

    is_cut: whether the last row may be incomplete.
    """
    filled = [row for row in rows if any(row)]
    widths = Counter(len(row) for row in (filled[:-1] if is_cut and len(filled) > 1 else filled))
    if not widths:
        return 0, 0.0
    width, count = widths.most_common(1)[0]
    return width, count / widths.total()


def _find_separator(lines: Sequence[str], is_cut: bool) -> str:
    """Return the separator with which most rows have the same number of cells.

    The comma comes last of equals, since it may be a decimal one, and then the number of cells
    decides. Spaces are taken where nothing else fits as well, and between numbers.
    """
    best: tuple[float, bool, int] = (0.0, False, 0)
    found = ","
    for separator in SEPARATORS:
        width, part = _usual_width(list(_split(lines, separator)), is_cut)
        score = (part, separator != ",", width)
        if width > 1 and score > best:
            best, found = score, separator
    rows = [row for row in _split(lines, WHITESPACE) if any(row)]
    width, part = _usual_width(rows, is_cut)
    # Texts with a space each are no columns: the header shows it.
    if (
        width > 1
        and len(rows[0]) > 1
        and (part > best[0] or (part == best[0] and _holds_numbers(lines, found)))
    ):
        return WHITESPACE
    return found


def _holds_numbers(lines: Sequence[str], separator: str) -> bool:
    """Return whether most rows have a cell that holds several numbers with spaces between them."""
    rows = [row for row in _split(lines, separator) if any(row)]
    several = [
        any(len(cell.split()) > 2 and all(map(_is_number, cell.split()[:3])) for cell in row)
        for row in rows
    ]
    return sum(several) > len(several) / 2


def _is_header(first: Sequence[str], below: Sequence[Sequence[str]], wanted: Sequence[str]) -> bool:
    """Return whether the first row holds names: some column of numbers has none in it.

    Without a column of numbers it is a header too, unless only numbers of columns are wanted, and
    so are names that count 0, 1, 2, ….
    """
    counts = [[str(i + start) for i in range(len(first))] for start in (0, 1)]
    if list(first) in counts or any(name in first and not _is_number(name) for name in wanted):
        return True
    numeric = [
        i
        for i in range(len(first))
        if (cells := [row[i] for row in below if len(row) > i and row[i].lower() not in MISSING])
        and sum(map(_is_number, cells)) > len(cells) / 2
    ]
    if not numeric:
        columns = [name for name in wanted if name.isdigit() and 1 <= int(name) <= len(first)]
        return not wanted or len(columns) < len(wanted) or bool(set(first) & set(wanted))
    cells = [first[i] for i in numeric]
    is_row = all(_is_number(cell) or cell.lower() in MISSING for cell in cells)
    return not (is_row and any(map(_is_number, cells)))


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?", cell))


def _unique(
    header: Sequence[str], notes: list[DataNote], source: str, wanted: Sequence[str]
) -> tuple[str, ...]:
    """Return names for all columns, each of them once.

    Raises ValueError when a name that the user asks for is there twice.
    """
    names: list[str] = []
    renamed = []
    for i, name in enumerate(header, 1):
        unique = name or f"column {i}"
        if unique in names:
            if unique in wanted:
                raise ValueError(
                    f"{source!r} has two columns {unique!r}; rename one in its header line"
                )
            again = 1
            while f"{unique}.{again}" in (*names, *header):
                again += 1
            unique = f"{unique}.{again}"
            renamed.append(unique)
        names.append(unique)
    if renamed:
        notes.append(data_note(LABELS, "columns of the same name, told apart by a number", renamed))
    return tuple(names)


def _refuse_other_lengths(path: Path, layout: Layout, source: str) -> None:
    """Raise ValueError for a row with more or fewer cells than names; pandas would fill or cut it.

    Empty cells at the end of a row may be too many.
    """
    width = len(layout.names)
    with _open_text(path, layout.encoding) as file:
        for _ in range(layout.skipped_lines):
            file.readline()
        number = 0
        for row in _split(file, layout.separator):
            if not any(row):
                continue
            number += 1
            if len(row) != width and (len(row) < width or any(row[width:])):
                cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
                raise ValueError(
                    f"data row {number} of {source!r} has {cells}, but there are {width} columns; "
                    "correct or remove it"
                )
