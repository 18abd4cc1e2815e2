"""What a study is: written once when it is created, compared before a worker's first run."""

from collections.abc import Mapping
from typing import Any

Stamp = dict[str, Any]

LONGEST = 40
"""Characters of a value that are shown; digests are longer, and only their difference counts."""

COMPARED = ("data", "space", "model", "objective", "epochs", "seed")
"""What must not differ among the runs of a study: their results would not be comparable."""


def differences(stored: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """What differs between two stamps, a short line each: `epochs: 15 there, 20 here`."""
    lines: list[str] = []
    for key in COMPARED:
        _compare(key, stored.get(key), current.get(key), lines)
    if stored.get("space") != current.get("space"):
        lines = [line for line in lines if not line.startswith("space:")]
        lines.insert(0, f"space: {', '.join(_factors(stored, current)) or 'its definition'}")
    return lines


def _factors(stored: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """The names of factors that two stamps describe differently."""
    there, here = (
        {one["name"]: _meaning(one) for one in stamp.get("described", {}).get("factors", [])}
        for stamp in (stored, current)
    )
    return [name for name in {**there, **here} if there.get(name) != here.get(name)]


def _meaning(factor: Mapping[str, Any]) -> list[Any]:
    """What decides what a configuration means; words are not in it."""
    return [
        [option["name"], [{**knob, "where": None} for knob in option["knobs"]]]
        for option in factor["options"]
    ]


def _compare(path: str, stored: Any, current: Any, lines: list[str]) -> None:
    if isinstance(stored, Mapping) and isinstance(current, Mapping):
        for key in sorted({*stored, *current}):
            _compare(f"{path}.{key}", stored.get(key), current.get(key), lines)
    elif stored != current:
        lines.append(f"{path}: {_short(stored)} there, {_short(current)} here")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:8]}…"
