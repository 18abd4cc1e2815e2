"""What tests of data sources share: the line of a refusal, and the notes of a data set."""

from collections.abc import Callable
from typing import Any

import pytest

from training_factors.study.data.dataset import Dataset


def line_of_refusal(read: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    """Return the one line with which a reader refuses its arguments."""
    with pytest.raises(ValueError) as caught:
        read(*arguments, **named)
    line = str(caught.value)
    assert "\n" not in line and len(line) <= 300
    return line


def notes_of(dataset: Dataset) -> str:
    """Return the notes about what was done to the data, a line each."""
    return "\n".join(map(str, dataset.notes))
