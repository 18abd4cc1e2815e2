"""A class-balanced subset."""

import torch
from torch import Tensor


def balanced(classes: Tensor, origins: Tensor, limit: int) -> Tensor:
    """Indices of `limit` samples, in order, as equally many of each class as there are.

    Within a class they are evenly spaced over the parts of the source and the order in them, so
    the parts keep their proportions. Raises ValueError when the limit is larger than the data.
    """
    if limit > len(classes):
        raise ValueError(f"--limit {limit} is larger than the data, which has {len(classes)}")
    members = [(classes == each).nonzero().squeeze(1) for each in classes.unique()]
    members.sort(key=len)
    chosen = []
    left = limit
    for position, mine in enumerate(members):
        # Small classes first: what they cannot give, the larger ones share.
        count = min(len(mine), left // (len(members) - position))
        left -= count
        ordered = mine[origins[mine].argsort(stable=True)]
        chosen.append(ordered[torch.arange(count) * len(mine) // max(count, 1)])
    return torch.cat(chosen).sort().values
