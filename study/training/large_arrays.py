"""How large data may be before it stays on disk."""

import os
import tempfile
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def is_large(size_bytes: int) -> bool:
    """Whether this is more than a quarter of the machine's memory."""
    return 4 * size_bytes > os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def allocate(shape: tuple[int, ...], folder: Path) -> NDArray[np.uint8]:
    """Bytes to decode into: in memory, or, when large, in a nameless file of this folder."""
    if not is_large(prod(shape)):
        return np.empty(shape, dtype=np.uint8)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            return np.memmap(file, dtype=np.uint8, mode="w+", shape=shape)
    except OSError:
        with tempfile.TemporaryFile() as file:
            return np.memmap(file, dtype=np.uint8, mode="w+", shape=shape)


def load_array(path: Path) -> NDArray[Any]:
    """The array of a .npy file: read, or, when large, memory-mapped.

    The map is private (copy on write), since torch warns about memory that it may not write to;
    the file never changes. Raises OSError, EOFError or ValueError when the file is not whole.
    """
    large = is_large(path.stat().st_size)
    array: NDArray[Any] = np.load(path, mmap_mode="c" if large else None, allow_pickle=False)
    return array
