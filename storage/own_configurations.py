"""Configurations of the user's own that take part in a study's search and in its confirmation.

They belong to the study, so that the workers of every machine find them, but not to its identity:
more can be added at any time. The position of a configuration is the row of its run.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from optuna.storages._rdb import models
from sqlalchemy import Table, insert, select, update

from training_factors.storage.database import lock_study
from training_factors.storage.retry import retry
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial

OWN = "also"
"""Phase of the runs of these configurations, which are never pruned and count for no importance."""

OWN_NAME = "configuration"
"""Attribute of their trials: the name of the configuration."""

_CONFIGURATIONS = "own_configurations"
"""Key of the study attribute that holds them, as a list of lists."""

_ATTRIBUTES: Table = models.StudyUserAttributeModel.__table__


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
    attributes = retry(study.database, lambda is_retry: study.optuna_study.user_attrs)
    return [OwnConfiguration(*each) for each in attributes.get(_CONFIGURATIONS, [])]


def add_own_configurations(study: Study, added: Sequence[OwnConfiguration]) -> list[Run]:
    """Store those that the study does not have yet; return the runs of all that are given.

    Configurations with the same values are one, whatever their names.
    """
    is_here = (_ATTRIBUTES.c.study_id == study.study_id) & (_ATTRIBUTES.c.key == _CONFIGURATIONS)

    def attempt(is_retry: bool) -> list[Run]:
        with study.database.engine.begin() as connection:
            lock_study(connection, study.study_id)  # two programs may add some at the same time
            text = connection.execute(select(_ATTRIBUTES.c.value_json).where(is_here)).scalar()
            rows = [] if text is None else json.loads(text)
            configs = [config for _, config in rows]
            new = []
            for name, config in added:
                if config not in configs:
                    configs.append(config)
                    new.append([name, config])
            value = json.dumps([*rows, *new])
            if new and text is None:
                key = {"study_id": study.study_id, "key": _CONFIGURATIONS}
                connection.execute(insert(_ATTRIBUTES), {**key, "value_json": value})
            elif new:
                connection.execute(update(_ATTRIBUTES).where(is_here).values(value_json=value))
        return [Run(OWN, configs.index(config)) for _, config in added]

    return retry(study.database, attempt)
