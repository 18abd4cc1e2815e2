"""Seeds and generators: every random number of a study comes from its seed, by name."""

import hashlib

import torch


def derive_seed(*parts: int | str) -> int:
    """A seed of 32 bits that depends on all parts and on nothing else.

    32 bits: numpy takes no more, and JSON readers keep them exact.
    """
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:4])


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of its own for one purpose of one run, so that no purpose disturbs another."""
    return torch.Generator(device).manual_seed(derive_seed(seed, purpose))
