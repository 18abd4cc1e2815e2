"""The command lines of the checks of a study."""

from collections.abc import Sequence

from training_factors.search_spaces.user_code import GIVEN
from training_factors.storage.definition import Definition
from training_factors.storage.studies import Study
from training_factors.study.analysis.checks import Check
from training_factors.study.api.command_lines import (
    command_words,
    program_words,
    size_options,
    storage_words,
)
from training_factors.study.api.own_configuration_files import own_configuration_words
from training_factors.study.api.space_changes import CHANGES, changed_values
from training_factors.study.reporting.recommendation_table import definition_options


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
    definition = changed_definition(study.stamp.definition, check)
    if any(name.startswith(GIVEN) for name in (definition.source, definition.model)):
        return None  # a command line cannot name an object of a Python program
    return [
        *program_words(), *definition_options(definition), *size_options(study),
        *_own_configurations(study, check), *storage_words(study, storage),
    ]  # fmt: skip


def _own_configurations(study: Study, check: Check) -> list[str]:
    """Return the options that keep the user's configurations, unless the space may lose them."""
    changes_space = any(_field(option) in CHANGES for option in check.options[::2])
    return [] if changes_space else own_configuration_words(study)


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
