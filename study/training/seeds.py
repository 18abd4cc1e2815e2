"""Derive seeds and random generators: every random number of a study comes from its seed."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

GlobalState = dict[str, Any]
"""States of the global random generators, of types that `torch.load(weights_only=True)` takes."""


def derive_seed(*parts: int | str) -> int:
    """Return a seed in [0, 2³²) that depends on these parts alone.

    numpy accepts no larger seeds, and every JSON reader keeps 32 bits exact.
    """
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:4])


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator seeded by the run's seed and the purpose.

    Each purpose (`weights`, `order`, `augmentation`, …) draws from a generator of its own, so that
    a factor that draws more numbers for one purpose does not change the numbers of another.
    """
    return torch.Generator(device).manual_seed(derive_seed(seed, purpose))


@contextmanager
def seeded_globals(seed: int) -> Iterator[None]:
    """Seed the global generators that a user's own code draws from, and restore them afterwards.

    They are those of torch, on the CPU and on GPUs that are in use, of numpy, and of Python.

    seed: in [0, 2³²).
    """
    before = save_globals()
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    try:
        yield
    finally:
        restore_globals(before)


def save_globals() -> GlobalState:
    """Return the states of the global generators."""
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state(),
        # Asking for the state of a GPU's generator would start CUDA where it is not in use.
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "numpy": (str(name), torch.from_numpy(np.asarray(keys, dtype=np.int64)), *rest),
        "python": random.getstate(),
    }


def restore_globals(state: GlobalState) -> None:
    """Put the global generators into saved states."""
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    random.setstate(state["python"])
