"""Group the parameters of an Optuna study into factors, by their names or as a user says."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

NamedGroups = Mapping[str, str | Sequence[str]]
"""Name of a group -> the parameters in it: their names, or what their names begin with."""

SEPARATORS = "./"
"""Characters that end the part of a parameter's name which names its group."""


def read_groups(path: Path) -> dict[str, tuple[str, ...]]:
    """Read groups from a TOML file: `name = ["lr", "optimizer"]`, in a table `[groups]` or alone.

    Raises ValueError when the file cannot be read or is no TOML, or when a group is not a name or a
    list of names.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"groups {str(path)!r} cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is no TOML: {error}") from None
    table = document.get("groups", document)
    if not isinstance(table, dict):
        raise ValueError(f"groups of {path} must be a table, [groups], got {table!r}")
    return {group: _names_in(group, names) for group, names in table.items()}


def group_parameters(
    names: Sequence[str], parents: Mapping[str, str], groups: NamedGroups | None = None
) -> dict[str, str]:
    """Return the group of every parameter.

    names: of all parameters, parents before those that depend on them. parents: parameter -> the
    one whose value decides whether it is present.

    A group of `groups` has the parameters that it names, and those whose names begin with what it
    names and go on after a separator: `optimizer` holds `optimizer.lr`. What ends in a punctuation
    mark holds all names that begin with it: `sgd_` holds `sgd_momentum`. Any other parameter is in
    the group of its parent, since a factor is a decision with its hyperparameters. One without a
    parent is in the group that its own name begins with, up to the first separator.

    Raises ValueError for a name that no parameter has, for a parameter in two groups, and for a
    group with the name of another one that was not given.
    """
    given = _given(names, groups or {})
    found: dict[str, str] = {}
    for name in names:
        if name in given:
            found[name] = given[name]
        elif name in parents:
            found[name] = found[parents[name]]
        else:
            found[name] = re.split(f"[{re.escape(SEPARATORS)}]", name, maxsplit=1)[0] or name
            if found[name] in (groups or {}):
                raise ValueError(
                    f"group {found[name]!r} does not hold the parameter {name!r}; add it to the "
                    "group, or give the group another name"
                )
    return found


def unknown_name(word: str, name: str, known: Iterable[str]) -> ValueError:
    """Return the error for a name that is not known, with the most similar one that is."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    remedy = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names) or 'none'}"
    return ValueError(f"{word} {name!r} is none of the study's parameters; {remedy}")


def _given(names: Sequence[str], groups: NamedGroups) -> dict[str, str]:
    """Return the group of every parameter that the groups name."""
    given: dict[str, str] = {}
    for group, entries in groups.items():
        for entry in _names_in(group, entries):
            held = [name for name in names if _holds(entry, name)]
            if not held:
                raise unknown_name(f"group {group!r}:", entry, names)
            for name in held:
                if given.setdefault(name, group) != group:
                    raise ValueError(
                        f"parameter {name!r} is in the groups {given[name]!r} and {group!r}; a "
                        "parameter belongs to one group"
                    )
    return given


def _holds(entry: str, name: str) -> bool:
    if name == entry or (entry and not entry[-1].isalnum() and name.startswith(entry)):
        return True
    return name.startswith(tuple(entry + separator for separator in SEPARATORS))


def _names_in(group: str, names: object) -> tuple[str, ...]:
    """Return the names in a group. Raises ValueError when it holds anything else."""
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, Sequence) or not all(isinstance(name, str) for name in listed):
        raise ValueError(
            f"group {group!r} must be the name of a parameter or a list of names, got {names!r}"
        )
    return tuple(listed)
