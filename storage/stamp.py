"""What a study is: written once when it is created, compared before a worker's first run."""

from collections.abc import Mapping
from typing import Any

Stamp = dict[str, Any]

COMPARED = ("data", "space", "model", "objective", "epochs", "seed")
"""What must not differ among the runs of a study: their results would not be comparable."""


def differences(stored: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """What differs between two stamps, a short line each: `epochs: 15 there, 20 here`."""
    lines: list[str] = []
    for key in COMPARED:
        _compare(key, stored.get(key), current.get(key), lines)
    return lines


def _compare(path: str, stored: Any, current: Any, lines: list[str]) -> None:
    if isinstance(stored, Mapping) and isinstance(current, Mapping):
        for key in sorted({*stored, *current}):
            _compare(f"{path}.{key}", stored.get(key), current.get(key), lines)
    elif stored != current:
        lines.append(f"{path}: {stored} there, {current} here")
