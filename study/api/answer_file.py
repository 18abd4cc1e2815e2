"""Write the answer of a study to a JSON file, and read such a file.

The file holds what `importance --json` prints: the answer, and all that is needed to run the study
again.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from training_factors.storage.files import REPORT, write_atomically
from training_factors.storage.provenance import Provenance, read_provenance
from training_factors.storage.studies import Study
from training_factors.study.analysis.intervals import Interval
from training_factors.study.api.check_commands import check_commands
from training_factors.study.reporting.checks_table import checks_document
from training_factors.study.reporting.report import Report
from training_factors.study.reporting.summary import report_document

ANSWER_FILE = "answer.json"
"""Name of the file in the study's folder."""

SCHEMA = 1
"""Newest version of the document that can be read."""

_REMEDY = "name a file that importance --json has printed, such as runs/STUDY/answer.json"


class AnswerFile(NamedTuple):
    """An answer that was read from a file: its JSON document, and the provenance in it."""

    path: Path
    document: Mapping[str, Any]
    provenance: Provenance


def answer_document(study: Study, report: Report, storage: str | None) -> dict[str, Any]:
    """Return the answer of a study as a JSON document.

    storage: URL of the database as the user gave it, for the commands in it. Raises NoAnswer when
    too few rows were measured.
    """
    commands = check_commands(study, report.checks, storage)
    return {
        **report_document(report),
        "checks": checks_document(report.checks, commands),
        "provenance": report.provenance.as_document(),
    }


def write_answer(study: Study, report: Report, storage: str | None) -> Path:
    """Write the answer into the study's folder; return the file."""
    path = study.folder / ANSWER_FILE
    text = json.dumps(answer_document(study, report, storage), indent=2) + "\n"
    write_atomically(path, text.encode(), REPORT)
    return path


def read_answer_file(path: Path) -> AnswerFile:
    """Read a file with an answer.

    Raises ValueError, one line that names the file and the remedy, when it holds none, or one that
    does not say how its study was run.
    """
    document = _read_json(path)
    if not isinstance(document, dict) or not _is_answer(document):
        raise ValueError(f"{str(path)!r} holds no answer of a study; {_REMEDY}")
    if document["schema"] > SCHEMA:
        raise ValueError(
            f"a newer version of training-factors wrote {str(path)!r}; update training-factors "
            "on this machine"
        )
    if "provenance" not in document:
        raise ValueError(
            f"{str(path)!r} does not say how its study was run: an earlier version wrote it, or "
            "importance --of or --from; write it anew with importance --json"
        )
    try:
        return AnswerFile(path, document, read_provenance(document["provenance"]))
    except ValueError as error:
        raise ValueError(f"{str(path)!r} cannot be verified: {error}") from error


class _Verdict(BaseModel):
    sentence: str


class _Factor(BaseModel):
    name: str
    share: float
    interval: Interval


class _Answer(BaseModel):
    """The fields that every answer has had since the first version."""

    version: int = Field(alias="schema")
    study: str
    verdict: _Verdict
    factors: list[_Factor]


def _is_answer(document: Mapping[str, Any]) -> bool:
    try:
        _Answer.model_validate(document)
    except ValidationError:
        return False
    return True


def _read_json(path: Path) -> object:
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder; {_REMEDY}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{str(path)!r} does not exist; {_REMEDY}") from None
    except OSError as error:
        raise ValueError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError):
        raise ValueError(f"{str(path)!r} is no JSON; {_REMEDY}") from None
