"""A study as the analysis sees it: its rows, and who owns which axis."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from storage.tables import Trial
from study.analysis.answer import PLACEBO
from study.analysis.blend import Rows
from study.analysis.evidence import Evidence, gather
from study.analysis.features import Groups, Layout, read_layout


class Measured(NamedTuple):
    """A study as the analysis sees it."""

    evidence: Evidence
    layout: Layout
    rows: Rows
    topics: Mapping[str, str]
    space: Mapping[str, Any]

    @property
    def by_factor(self) -> Groups:
        """Every factor with its axes, the placebo among them."""
        return self.layout.factors()

    @property
    def by_topic(self) -> Groups:
        """Every topic with the axes of all its factors."""
        return self.layout.groups(self.topics)

    @property
    def by_knob(self) -> Groups:
        """Every axis alone."""
        return {axis.name: (i,) for i, axis in enumerate(self.layout.axes)}


def read_measured(trials: Sequence[Trial], space: Mapping[str, Any], seed: int) -> Measured:
    """The study of these trials over a described space. Raises NoAnswer: see `gather`."""
    evidence = gather(trials)
    layout = read_layout(space["coordinates"])
    features = layout.encode(evidence.parameters).astype(np.float32)
    topics = {factor["name"]: factor["topic"] for factor in space["factors"]} | {PLACEBO: PLACEBO}
    return Measured(evidence, layout, Rows(features, evidence.values, seed), topics, space)
