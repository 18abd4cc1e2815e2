"""Change the search space of a definition that has changes already."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from training_factors.search_spaces.description import parse_parameter

CHANGES = ("fix", "drop", "range", "choices")
"""Settings that change a factor; each is a list of texts that begin with a path."""


def changed_values(values: Mapping[str, Any], changes: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the values of a definition with further changes, each a field and a text.

    What a change replaces is left out: an earlier change of the same path, and changes of options
    that are no longer chosen.
    """
    added = list(changes)
    changed = dict(values)
    for field in CHANGES:
        earlier: Sequence[str] = changed.get(field, ())
        kept = [text for text in earlier if not any(_is_void(field, text, *one) for one in added)]
        new = [text for name, text in added if name == field]
        if kept or new or field in changed:
            changed[field] = (*kept, *new)
    return changed


def _is_void(other: str, earlier: str, field: str, text: str) -> bool:
    """Return whether a change, such as ("choices", "optimizer=sgd,adam"), voids an earlier one.

    other, earlier: the field and the text of the earlier change.
    """
    path, _, value = text.partition("=")
    before = parse_parameter(earlier.partition("=")[0].strip())
    if str(before) == path.strip():
        # A dropped factor is held at the first of its choices.
        return (field, other) != ("drop", "choices")
    if before.factor != path.strip() or before.option is None:
        return False
    return other == "fix" if field == "drop" else before.option not in value.split(",")
