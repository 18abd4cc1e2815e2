"""The command line that begins a study anew, as it was or with another definition."""

from pathlib import Path

from training_factors.search_spaces.user_code import GIVEN
from training_factors.storage.definition import Definition
from training_factors.storage.files import REPORT, write_atomically
from training_factors.storage.own_configurations import read_own_configurations
from training_factors.storage.studies import Study
from training_factors.storage.study_file_text import complete_settings, fixed_study_file
from training_factors.study.api.command_lines import program_words, size_options, storage_words
from training_factors.study.reporting.formatting import slug
from training_factors.study.reporting.recommendation_table import definition_options, list_word


def repeating_words(
    study: Study,
    definition: Definition,
    storage: str | None,
    *,
    name: str | None = None,
    keeps_own: bool = True,
) -> list[str] | None:
    """Return the words of the command line that makes a study like this one from nothing.

    None where data, model or a factor is an object of a Python program, which no command line can
    name.

    definition: of the new study. storage: the database's URL as the user gave it. name: of the new
    study; None for its default name. keeps_own: whether the user's own configurations take part;
    they are then written into the study's folder.
    """
    sources = (factor.source for factor in study.stamp.space.factors)
    if any(name.startswith(GIVEN) for name in (definition.source, definition.model, *sources)):
        return None
    words = [*program_words(), *definition_options(definition), *size_options(study)]
    for path in _write_own_configurations(study) if keeps_own else ():
        words += ["--also", list_word(str(path))]
    named = [] if name is None else ["--study", name]
    return [*words, *named, *storage_words(study, storage)]


def _write_own_configurations(study: Study) -> list[Path]:
    """Write each of the user's configurations that a study has as a study file; return the paths.

    A file's name is that of the configuration, so that it keeps it.
    """
    folder = study.folder / "also"
    paths: list[Path] = []
    for name, config in read_own_configurations(study):
        settings = complete_settings(config, study.stamp.space)
        text = fixed_study_file(study.stamp.definition, settings)
        path = folder / f"{slug(name)}.toml"
        if path in paths:  # of another folder's file with the same name
            path = folder / f"{slug(name)}-{len(paths)}.toml"
        write_atomically(path, text.encode(), REPORT)
        paths.append(path)
    return paths
