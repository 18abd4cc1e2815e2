"""The files with which Slurm, Compose and Kubernetes start workers."""

import shlex
from collections.abc import Sequence

PRINTED_CLUSTERS = ("slurm", "compose", "kubernetes")
"""Clusters that start workers from a file of their own, which `worker --cluster` prints."""


def render_deployment(kind: str, study: str, workers: int, options: Sequence[str]) -> str:
    """Return the file with which a cluster of this kind starts the workers.

    The file names no database: a URL may hold a password, so it comes from the environment.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("training_factors.study.commands", "deployments"),
        autoescape=False,
        undefined=StrictUndefined,
        keep_trailing_newline=False,
    )
    words = ["worker", study, *options]
    return environment.get_template(f"{kind}.jinja").render(
        arguments=shlex.join(words), words=words, workers=workers
    )
