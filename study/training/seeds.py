"""Derive seeds and random generators: every random number of a study comes from its seed."""

import hashlib

import torch


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
