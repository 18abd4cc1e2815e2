"""Samples of a data set that are copied only as they are used.

Training pool, validation and test part are selections from one tensor, which all processes of a
machine share: forked ones have it in memory together, started ones map the same file of the cache.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Selection:
    """Samples of a tensor, in any order. Indexing copies those that are asked for.

    source: (all samples, ...). samples: indices into it, int64, on the same device.
    """

    source: Tensor
    samples: Tensor

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)

    def __getitem__(self, samples: Tensor | slice) -> Tensor:
        """Return a copy of some samples; `[:]` for all."""
        # It copies whole samples; source[samples], value by value, takes 2 to 7 times as long.
        return self.source.index_select(0, self.samples[samples])

    def split(self, size: int) -> Iterator[Tensor]:
        """Yield copies of this many samples at a time, the last of them fewer."""
        for samples in self.samples.split(size):
            yield self.source.index_select(0, samples)

    @property
    def device(self) -> torch.device:
        """Return the device of the samples."""
        return self.source.device

    @property
    def shape(self) -> torch.Size:
        """Return the shape of a tensor of the samples."""
        return torch.Size((len(self.samples), *self.source.shape[1:]))


Inputs = Tensor | Selection
"""The inputs of a part: a tensor of its own, or samples of one that others use too."""


def choose(inputs: Inputs, samples: Tensor) -> Selection:
    """Return some of the samples, without a copy. samples: their indices among the inputs."""
    if isinstance(inputs, Selection):
        return Selection(inputs.source, inputs.samples[samples])
    return Selection(inputs, samples)
