"""The data report of a study: what was done to the data, and how many samples each part has.

Nothing is done to data that is not in it. `plan`, the start of `run`, the page and JSON show it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

MAX_NAMES = 20
"""Maximum number of files or columns that a note lists by name; the others are counted."""

LEFT_OUT, CONVERTED, RESIZED, ENCODED, FILLED, LABELS, PARTS, WARNING = KINDS = (
    "left out", "converted", "resized", "encoded", "filled", "labels", "parts", "warning",
)  # fmt: skip


class DataNote(NamedTuple):
    """One thing that was done to the data, or that its user should know.

    kind: one of `KINDS`. text: what was done and why, without a full stop at the end. names: of
    the first `MAX_NAMES` files or columns that it concerns. total: number of all of them; 0 where
    the note is about the data as a whole.
    """

    kind: str
    text: str
    names: tuple[str, ...] = ()
    total: int = 0

    def __str__(self) -> str:
        """Return the note in a line: `left out: 3 files are no images (a.txt, b.txt, c.txt)`."""
        if not self.names:
            return f"{self.kind}: {self.text}"
        shown = ", ".join(self.names[:3])
        more = f" and {self.total - 3} more" if self.total > 3 else ""
        return f"{self.kind}: {self.text} ({shown}{more})"


def data_note(kind: str, text: str, names: Sequence[str] = ()) -> DataNote:
    """Return a note about these files or columns, all of which are counted."""
    return DataNote(kind, text, tuple(names[:MAX_NAMES]), len(names))


class PartCount(NamedTuple):
    """One part of the data.

    name: `training`, `validation` or `test`. origin: where it came from, in words. samples: number
    of its samples. classes: number of samples of each class; empty for regression.
    """

    name: str
    origin: str
    samples: int
    classes: tuple[int, ...] = ()


class DataReport(NamedTuple):
    """Lists what was done to the data of a study, and the parts that it was divided into."""

    notes: tuple[DataNote, ...] = ()
    parts: tuple[PartCount, ...] = ()

    def as_document(self) -> dict[str, Any]:
        """Return the report as JSON, which `read_data_report` reads."""
        return {
            "notes": [note._asdict() for note in self.notes],
            "parts": [part._asdict() for part in self.parts],
        }

    def lines(self) -> list[str]:
        """Return the report as lines of text: the parts in one line, then a line per note."""
        parts = [f"{part.name} {part.samples:,} ({part.origin})" for part in self.parts]
        first = [f"parts: {', '.join(parts)}"] if parts else []
        return [*first, *map(str, self.notes)]


def describe_classes(report: DataReport, names: Sequence[str]) -> str:
    """Return the samples of each class in each part: `cat 6 + 2 + 2, dog 6 + 2 + 2`."""
    columns = [part.classes for part in report.parts if part.classes]
    counts = zip(names, *columns, strict=False)
    return ", ".join(f"{name} {' + '.join(map(str, each))}" for name, *each in counts if each)


def read_data_report(document: Mapping[str, Any]) -> DataReport:
    """Read a report from its JSON document; an empty one is that of an earlier version."""
    notes = [DataNote(**{**note, "names": tuple(note["names"])})
             for note in document.get("notes", ())]  # fmt: skip
    parts = [PartCount(**{**part, "classes": tuple(part["classes"])})
             for part in document.get("parts", ())]  # fmt: skip
    return DataReport(tuple(notes), tuple(parts))
