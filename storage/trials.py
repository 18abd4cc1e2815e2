"""A run as one of Optuna's trials: created whole, reported to, ended once."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from optuna.distributions import BaseDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from storage.studies import Study


class LiveTrial(NamedTuple):
    """A trial that is being run."""

    storage: RDBStorage
    trial_id: int
    number: int

    def report(self, step: int, value: float) -> None:
        """Write an intermediate value; a later attempt overwrites an earlier one's."""
        self.storage.set_trial_intermediate_value(self.trial_id, step, value)

    def complete(self, value: float, attributes: Mapping[str, Any]) -> None:
        """End as COMPLETE."""
        self._end(TrialState.COMPLETE, [value], attributes)

    def prune(self, value: float, attributes: Mapping[str, Any]) -> None:
        """End as PRUNED; the value is that of the last report."""
        self._end(TrialState.PRUNED, [value], attributes)

    def fail(self, reason: str) -> None:
        """End as FAIL with its reason."""
        self._end(TrialState.FAIL, None, {"reason": reason})

    def resume(self) -> bool:
        """RUNNING again after `wait`; False when an earlier attempt had ended it."""
        if self.stored().state.is_finished():
            return False
        self.storage.set_trial_state_values(self.trial_id, TrialState.RUNNING)
        return True

    def stored(self) -> FrozenTrial:
        """The trial as the database has it."""
        return self.storage.get_trial(self.trial_id)

    def wait(self) -> None:
        """Back to WAITING, for whoever runs it next."""
        self.storage.set_trial_state_values(self.trial_id, TrialState.WAITING)

    def _end(
        self, state: TrialState, values: list[float] | None, attributes: Mapping[str, Any]
    ) -> None:
        for name, value in attributes.items():
            self.storage.set_trial_user_attr(self.trial_id, name, value)
        self.storage.set_trial_state_values(self.trial_id, state, values)


def begin_trial(
    study: Study,
    parameters: Mapping[str, Any],
    distributions: Mapping[str, BaseDistribution],
    attributes: Mapping[str, Any],
) -> LiveTrial:
    """A new RUNNING trial with its parameters and attributes, written together."""
    template = create_trial(
        state=TrialState.RUNNING,
        params=dict(parameters),
        distributions=dict(distributions),
        user_attrs=dict(attributes),
    )
    storage = study.database.storage
    trial_id = storage.create_new_trial(study.study_id, template_trial=template)
    return LiveTrial(storage, trial_id, storage.get_trial_number_from_id(trial_id))


def find_trial(study: Study, number: int) -> LiveTrial:
    """The trial of this number."""
    storage = study.database.storage
    trial_id = storage.get_trial_id_from_study_id_trial_number(study.study_id, number)
    return LiveTrial(storage, trial_id, number)
