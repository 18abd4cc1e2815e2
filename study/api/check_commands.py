"""The command lines of the checks of a study."""

from collections.abc import Sequence

from training_factors.storage.definition import Definition
from training_factors.storage.studies import Study
from training_factors.study.analysis.checks import Check
from training_factors.study.api.command_lines import command_words
from training_factors.study.api.repeating import repeating_words
from training_factors.study.api.space_changes import CHANGES, changed_values


def check_commands(
    study: Study, checks: Sequence[Check], storage: str | None
) -> tuple[list[str] | None, ...]:
    """Return the command of every check, as words; None where no command helps.

    storage: URL of the database as the user gave it.
    """
    return tuple(_command(study, check, storage) for check in checks)


def _command(study: Study, check: Check, storage: str | None) -> list[str] | None:
    if not check.verb:
        return None
    if not check.needs_new_study:
        return command_words(check.verb, study, storage, *check.options)
    # A changed space may no longer have the user's configurations.
    changes_space = any(_field(option) in CHANGES for option in check.options[::2])
    definition = changed_definition(study.stamp.definition, check)
    return repeating_words(study, definition, storage, keeps_own=not changes_space)


def changed_definition(definition: Definition, check: Check) -> Definition:
    """Return the definition of the study that a check proposes.

    What a change replaces is left out: an earlier change of the same path, and changes of options
    that are no longer chosen.
    """
    values = dict(definition)
    changes = []
    for option in check.leaves_out:
        values[_field(option)] = Definition.model_fields[_field(option)].default
    for option, text in zip(check.options[::2], check.options[1::2], strict=True):
        field = _field(option)
        if field in CHANGES:
            changes.append((field, text))
        else:
            values[field] = text
    return Definition.model_validate(changed_values(values, changes))


def _field(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")
