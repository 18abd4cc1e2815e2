"""Say whether an answer and that of the same study run again are the same, or what differs."""

from collections.abc import Iterator
from typing import Any

from training_factors.study.analysis.answer import as_plain
from training_factors.study.analysis.verification import (
    ComparedRuns,
    RunDifference,
    Verification,
)
from training_factors.study.reporting.formatting import decimals, percent, percents, plural

MAX_LISTED = 3
"""Maximum number of runs and shares that differ and are named; the others are counted."""


def describe_verification(found: Verification) -> list[str]:
    """Return the comparison as lines: whether it is the same, what differs, and why it may."""
    lines = [_headline(found)]
    if not found.same:
        lines += _differences(found)
    lines += _best(found)
    lines += _not_repeated(found)
    return lines if found.same else [*lines, f"other than then: {_explanation(found)}"]


def verification_document(found: Verification) -> dict[str, Any]:
    """Return the comparison as a JSON document."""
    document: dict[str, Any] = as_plain(
        {
            "schema": 1,
            "study": found.study,
            "same": found.same,
            "within_noise": found.within_noise,
            **found._asdict(),
            "runs": _runs_document(found.runs),
            "best": None if found.best is None else _run_document(found.best),
            "confirmed": None if found.confirmed is None else _runs_document(found.confirmed),
        }
    )
    return document


def _headline(found: Verification) -> str:
    if found.same:
        return f"the same: {_parts(found)} are equal to the last digit"
    noise = "but within noise" if found.within_noise else "and beyond noise"
    if found.runs.same and (found.confirmed is None or found.confirmed.same):
        noise = "though all measured runs are equal"
    return f"not the same, {noise}: {_parts(found)} differ"


def _parts(found: Verification) -> str:
    """Return what was compared, and how much of it differs where something does."""
    parts = [
        _part(len(found.runs.differences), found.runs.total, "run", found.same),
        _part(_differing_shares(found), len(found.shares), "share", found.same),
    ]
    if found.confirmed is not None:
        one = found.confirmed
        part = _part(len(one.differences), one.total, "run", found.same)
        parts.append(f"{part} of the confirmation")
    others = found.entries - len(found.shares)
    differing = len(found.differing) - _differing_shares(found)
    shown = f"{others:,}" if found.same else f"{differing:,} of {others:,}"
    return f"{', '.join(parts)} and {shown} other entries of the answer"


def _part(differing: int, count: int, noun: str, is_same: bool) -> str:
    return plural(count, noun) if is_same else f"{differing:,} of {plural(count, noun)}"


def _differing_shares(found: Verification) -> int:
    return sum(share.then != share.now for share in found.shares)


def _differences(found: Verification) -> Iterator[str]:
    """Yield a line for the verdict, and one each for runs and shares where some differ."""
    if found.verdict.same:
        yield f"the verdict is the same: {found.verdict.now}"
    else:
        yield f"verdict then: {found.verdict.then}"
        yield f"verdict now: {found.verdict.now}"
    yield from _runs_line("runs", found.runs)
    if found.confirmed is not None:
        yield from _runs_line("runs of the confirmation", found.confirmed)
    differing = [share for share in found.shares if share.then != share.now]
    outside = [share for share in found.shares if not share.within_interval]
    if differing:
        named = [
            f"{share.factor} {percent(share.then)} % then, "
            f"{'none' if share.now is None else f'{percent(share.now)} %'} now "
            f"(95 % interval then {percents(share.interval)})"
            for share in (outside or differing)[:MAX_LISTED]
        ]
        place = f"{len(outside)} outside the interval of then" if outside else (
            "all inside the intervals of then"
        )  # fmt: skip
        yield f"shares: {place}; {'; '.join(named)}"


def _runs_line(name: str, runs: ComparedRuns) -> Iterator[str]:
    if runs.same:
        return
    named = "; ".join(_run_words(one) for one in runs.differences[:MAX_LISTED])
    if runs.against_seeds is None:
        yield f"{name}: {named}"
        return
    judged = "no larger than" if runs.within_noise else "larger than"
    yield (
        f"{name}: the largest differences are {named}; all together they are {judged} those "
        f"between two seeds ({runs.against_seeds:.2g} times these)"
    )


def _run_words(one: RunDifference) -> str:
    return f"{one.run} {_value(one.then)} then, {_value(one.now)} now"


def _value(value: float | None) -> str:
    return "failed" if value is None else decimals(value)


def _best(found: Verification) -> Iterator[str]:
    best = found.best
    if best is None:
        return
    words = "equal" if best.then == best.now else "not equal"
    yield (
        f"the best run of the search, trained again: stored {_value(best.then)}, now "
        f"{_value(best.now)}: {words}"
    )


def _not_repeated(found: Verification) -> Iterator[str]:
    if found.searched:
        yield (
            f"not repeated: {plural(found.searched, 'run')} of the search; what it proposes "
            "depends on the order in which runs end, and no share depends on it"
        )
    if found.not_confirmed:
        yield (
            f"not repeated: {plural(found.not_confirmed, 'run')} of the confirmation; --confirm "
            "repeats them"
        )


def _explanation(found: Verification) -> str:
    if found.changes:
        return "; ".join(
            f"{name} {pair.then}, now {pair.now}" for name, pair in found.changes.items()
        )
    if found.runs.same:
        return "nothing that was recorded, and all runs are equal; was the file changed by hand?"
    return (
        "nothing that was recorded; operations that are not deterministic, another build of a "
        "package, or a file that was changed by hand may be the reason"
    )


def _runs_document(runs: ComparedRuns) -> dict[str, Any]:
    differences = [_run_document(one) for one in runs.differences]
    return {**runs._asdict(), "same": runs.same, "differences": differences}


def _run_document(one: RunDifference) -> dict[str, Any]:
    return {**one._asdict(), "run": str(one.run)}
