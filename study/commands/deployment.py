"""What places workers where neither this program nor joblib can: files for other schedulers."""

import shlex
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(kind: str, study: str, effort: Any, options: Sequence[str]) -> str:
    """The file of this kind that starts `worker` so many times.

    It names no database: a URL may hold a password, so it comes from the environment.
    """
    environment = Environment(
        loader=PackageLoader("study.commands", "deployments"),
        autoescape=False,
        undefined=StrictUndefined,
        keep_trailing_newline=False,
    )
    words = ["worker", study, *options]
    return environment.get_template(f"{kind}.jinja").render(
        arguments=shlex.join(words), words=words, workers=effort.workers
    )
