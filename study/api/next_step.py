"""The next step of a study: the command, what it is for, and what it costs; one on all screens."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import Answer
from training_factors.study.api.command_lines import command_line
from training_factors.study.api.confirming import describe_cost
from training_factors.study.reporting.conclusion import Conclusion


class NextStep(NamedTuple):
    """The next command, and what it is for in a few words."""

    command: str
    purpose: str


class Findings(Protocol):
    """The results so far: a report, or the data that it is made of."""

    @property
    def conclusion(self) -> Conclusion:
        """The conclusion of the study so far."""

    @property
    def answer(self) -> Answer | None:
        """The answer; None where too few rows were measured."""

    @property
    def trials(self) -> Sequence[Trial]:
        """All trials of the study."""


def closing_lines(
    study: Study,
    found: Findings,
    storage: str | None,
    files: Mapping[str, object],
    *,
    after: str = "",
) -> dict[str, str]:
    """Return what ends a command's screen: the files it wrote, the next command, its purpose.

    storage: the database's URL as the user gave it. files: name -> path. after: the command's verb.
    """
    following = next_step(study, found, storage, after=after)
    paths = {name: str(path) for name, path in files.items()}
    return {**paths, "next": following.command, "": f"({following.purpose})"}


def next_step(study: Study, found: Findings, storage: str | None, *, after: str = "") -> NextStep:
    """Return the next step.

    An unfinished study goes on first. Then come the rows that would help, or else `confirm`, with
    what that takes; once it is done `recommend`, and after that `export`. after: verb of the
    command that has just ended.
    """
    if found.conclusion.as_of:
        return NextStep(command_line("run", study, storage), "goes on with the study")
    if study.stamp.space.is_fixed:
        twice = 2 * study.queue.rows("measure")
        line = command_line("run", study, storage, "--rows", str(twice))
        return NextStep(line, "trains twice as many seeds, for a narrower interval")
    if found.conclusion.is_confirmed:
        if after == "recommend":
            line = command_line("export", study, storage)
            return NextStep(line, "trains it and writes the model, with scripts that use it")
        line = command_line("recommend", study, storage)
        return NextStep(line, "prints all settings as a command and as TOML")
    more_rows = found.answer.verdict.more_rows if found.answer else 1
    if more_rows:
        rows = study.queue.rows("measure") + more_rows
        line = command_line("run", study, storage, "--rows", str(rows))
        purpose = f"measures {more_rows:,} more configurations, for a surer answer"
        return NextStep(line, purpose)
    purpose = "trains the best configurations again, and the best one against its changes"
    cost = None if found.answer is None else describe_cost(study, found.answer, found.trials)
    line = command_line("confirm", study, storage)
    return NextStep(line, purpose if cost is None else f"{purpose}: {cost}")
