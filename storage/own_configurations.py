"""Configurations of the user's own that take part in a study's search and in its confirmation.

They belong to the study, so that the workers of every machine find them, but not to its identity:
more can be added at any time. The position of a configuration is the row of its run.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from training_factors.storage.attribute_lists import extend_list, read_list
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial

OWN = "also"
"""Phase of the runs of these configurations, which are never pruned and count for no importance."""

OWN_NAME = "configuration"
"""Attribute of their trials: the name of the configuration."""

_CONFIGURATIONS = "own_configurations"
"""Name of the list of them among the attributes of the study, each as a list."""


class OwnConfiguration(NamedTuple):
    """A configuration with its name. config: the value of every active parameter."""

    name: str
    config: dict[str, Any]


def name_run(prefix: str, trial: Trial) -> str:
    """Return a trial's number after a prefix, and the name of the user's configuration, if any.

    `run #12`, or `run #12, your configuration mine`.
    """
    name = trial.attributes.get(OWN_NAME)
    return f"{prefix}{trial.number}" + ("" if name is None else f", your configuration {name}")


def read_own_configurations(study: Study) -> list[OwnConfiguration]:
    """Return the configurations of a study, in the order of their rows."""
    return [OwnConfiguration(*each) for each in read_list(study, _CONFIGURATIONS)]


def add_own_configurations(study: Study, added: Sequence[OwnConfiguration]) -> list[Run]:
    """Store those that the study does not have yet; return the runs of all that are given.

    Configurations with the same values are one, whatever their names.
    """

    def choose(present: list[Any]) -> list[Any]:
        configs = [config for _, config in present]
        new = []
        for name, config in added:
            if config not in configs:
                configs.append(config)
                new.append([name, config])
        return new

    configs = [config for _, config in extend_list(study, _CONFIGURATIONS, choose)]
    return [Run(OWN, configs.index(config)) for _, config in added]
