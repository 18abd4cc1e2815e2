"""What processes that have ended left running goes back to the list of runs to do."""

from storage.ledger import has_ended
from storage.studies import Study
from storage.trials import find_trial


def requeue_ended(study: Study) -> int:
    """Hand back what ended processes of this machine left running; how many runs that was."""
    left = study.ledger.requeue(has_ended)
    for claim in left:
        if claim.trial is not None:
            trial = find_trial(study, claim.trial)
            if not trial.stored().state.is_finished():
                trial.wait()
    return len(left)
