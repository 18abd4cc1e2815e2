"""The examples, and the commands that make each of them."""

import shlex
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
"""Folder of the examples; each has one of its own in it."""

PROGRAM = "training-factors"
"""The program, as a reader who has installed it calls it."""


class Example(NamedTuple):
    """One example: a study, its confirmation, and what is written about them.

    name: of its folder and of its study. options: of `run`. script: what makes its data; empty
    where the data come with scikit-learn. seeds: of the confirmation.
    """

    name: str
    options: tuple[str, ...] = ()
    script: str = ""
    seeds: int = 5

    @property
    def folder(self) -> Path:
        """The folder of the example's files."""
        return FOLDER / self.name

    @property
    def run(self) -> list[str]:
        """The words of the command that runs the study."""
        return [PROGRAM, *self.options, "--study", self.name]

    @property
    def confirm(self) -> list[str]:
        """The words of the command that confirms its best configuration."""
        return [PROGRAM, "confirm", "--study", self.name, "--path", "--seeds", str(self.seeds)]

    def commands(self) -> list[str]:
        """Return the lines that a reader types, in order."""
        script = [f"python {self.script}"] if self.script else []
        following = [
            [PROGRAM, "recommend", "--study", self.name],
            [PROGRAM, "verify", "answer.json"],
        ]
        return [*script, *map(shlex.join, [self.run, self.confirm, *following])]


EXAMPLES = (
    Example("digits-mlp", seeds=10),
    Example("digits-cnn", ("--model", "cnn", "--epochs", "10")),
    Example("wine", ("--data", "wine")),
    Example("breast-cancer", ("--data", "breast_cancer")),
    Example("diabetes", ("--data", "diabetes", "--epochs", "30")),
    Example("shapes", ("--data", "images"), "make_images.py"),
)
"""All examples, in the order in which a newcomer may read them."""


def find_examples(names: list[str]) -> list[Example]:
    """Return the examples of these names; all of them for none. Exit for an unknown name."""
    known = {example.name: example for example in EXAMPLES}
    for name in names:
        if name not in known:
            raise SystemExit(f"there is no example {name!r}; name some of {', '.join(known)}")
    return [known[name] for name in names] or list(EXAMPLES)
