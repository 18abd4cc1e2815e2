"""Say whether a run that was trained again gave the same result, or how far apart the two are."""

from typing import Any

from training_factors.study.analysis.answer import as_plain
from training_factors.study.analysis.reproduction import Reproduction
from training_factors.study.reporting.formatting import decimals


def describe_reproduction(found: Reproduction, objective: str) -> list[str]:
    """Return the comparison as lines: the objective on either part, and what may explain it."""
    head = f"run #{found.number} ({found.phase}, seed {found.seed})"
    lines = [f"{head}: validation {objective} {_values(found.stored, found.now)}"]
    if found.stored_test is not None and found.now_test is not None:
        lines.append(f"on the test part: {objective} {_values(found.stored_test, found.now_test)}")
    if found.is_equal:
        return lines
    if found.stored != found.now:
        lines.append(_against_noise(found))
    if found.metrics_differ:
        lines.append(f"metrics that differ: {', '.join(found.metrics_differ)}")
    return [*lines, _explanation(found)]


def reproduction_document(found: Reproduction, study: str) -> dict[str, Any]:
    """Return the comparison as a JSON document."""
    document: dict[str, Any] = as_plain(
        {"schema": 1, "study": study, **found._asdict(), "equal": found.is_equal}
    )
    return document


def _values(stored: float, now: float) -> str:
    end = "equal" if stored == now else "not equal"
    return f"stored {decimals(stored)}, now {decimals(now)}: {end}"


def _against_noise(found: Reproduction) -> str:
    difference = abs(found.now - found.stored)
    if not found.seed_deviation:
        return f"the difference is {difference:.4g}; no row was repeated to compare it with"
    times = difference / found.seed_deviation
    return (
        f"the difference is {difference:.4g}, {times:.2g} times the standard deviation that "
        f"another seed causes ({found.seed_deviation:.4g})"
    )


def _explanation(found: Reproduction) -> str:
    """Return what differs between then and now, as far as it is known."""
    changes = [f"{name} {then}, now {now}" for name, (then, now) in found.versions.items()]
    if found.device[0] != found.device[1]:
        changes.append(f"device {found.device[0]}, now {found.device[1]}")
    if changes:
        return f"other than then: {'; '.join(changes)}"
    return (
        "versions and device are those of then; another processor, other files of your own code, "
        "or operations that are not deterministic may be the reason"
    )
