"""What there is to say of one run, as Markdown: what it was for, how it ended, what differs."""

import re
from collections.abc import Mapping
from typing import Any

from storage.stamp import Stamp
from storage.tables import Trial
from study.reporting.overview import changes, outcome

_MARKS = re.compile(r"([\\`*_\[\]<>|~&!#$])")
"""What Markdown reads as more than itself within a line."""

_PURPOSES = {
    "baseline": "gains are seen against it; it does not count for importance",
    "measure": "counts for importance",
    "search": "its settings were chosen by results, so that it does not count for importance",
    "confirm": "compared with the other arms of the same seed",
}
"""Of every phase."""


def escaped(text: object) -> str:
    """Text that Markdown shows as it is, in one line."""
    return _MARKS.sub(r"\\\1", " ".join(str(text).split()))


def note_of(trial: Trial, stamp: Stamp, picture: str = "") -> str:
    """The note of a run that has ended. stamp: of its study. picture: where its curve is shown."""
    lines = [
        f"- **{escaped(_run(trial))}**: {_purpose(trial)}",
        f"- **{escaped(outcome(trial))}**{_result(trial, stamp)}",
        *_differences(trial, stamp.get("described", {})),
    ]
    if picture:
        lines += ["", f"![validation {escaped(stamp.get('objective'))} by epoch]({picture})"]
    return "\n".join(lines) + "\n"


def _run(trial: Trial) -> str:
    repeat = f", repeat {trial.repeat} with a fresh seed" if trial.repeat else ""
    row = "" if trial.phase == "baseline" else f", {_row(trial)} {trial.row}"
    return f"{trial.phase or 'run'}{row}{repeat}"


def _row(trial: Trial) -> str:
    return "arm" if trial.phase == "confirm" else "row"


def _purpose(trial: Trial) -> str:
    if trial.phase == "measure" and not trial.complete:
        return "without a result it does not count for importance"
    return _PURPOSES.get(trial.phase, "made by another program")


def _result(trial: Trial, stamp: Stamp) -> str:
    """The objective with its seconds, or why there is none."""
    time = "" if trial.time_s is None else f" after {trial.time_s:.1f} s"
    if trial.state == "FAIL":
        return f"{time}: {escaped(trial.attributes.get('reason', 'for no known reason'))}"
    objective = escaped(stamp.get("objective", "objective"))
    parts = (("validation", trial.value), ("test", trial.test_value))
    shown = [f"{part} {objective} {value:.4f}" for part, value in parts if value is not None]
    return f"{time}: {', '.join(shown)}" if shown else time


def _differences(trial: Trial, space: Mapping[str, Any]) -> list[str]:
    """The options that are not the baseline's, a line each."""
    baseline = {one["name"]: one["options"][0]["name"] for one in space.get("factors", ())}
    found = changes(trial.parameters, baseline).items()
    if not found:
        return ["- all options are the baseline's"]
    lines = (f"  - {escaped(name)}: {escaped(option)}" for name, option in found)
    return ["- differs from the baseline:", *lines]
