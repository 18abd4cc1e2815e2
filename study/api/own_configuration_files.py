"""Write the user's own configurations of a study as files, for commands that begin it anew."""

from pathlib import Path

from training_factors.storage.files import REPORT, write_atomically
from training_factors.storage.own_configurations import read_own_configurations
from training_factors.storage.studies import Study
from training_factors.storage.study_file_text import complete_settings, fixed_study_file
from training_factors.study.reporting.formatting import slug
from training_factors.study.reporting.recommendation_table import list_word


def own_configuration_words(study: Study) -> list[str]:
    """Return the options that add a study's own configurations to another one.

    Their files are written into the folder of the study.
    """
    return [
        word
        for path in write_own_configurations(study)
        for word in ("--also", list_word(str(path)))
    ]


def write_own_configurations(study: Study) -> list[Path]:
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
