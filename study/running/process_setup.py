"""Configure a process for training: threads, the allocator, Optuna's log."""

import ctypes
import sys

import optuna
import torch

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Numbers of the allocator's settings in glibc's malloc.h."""

_LARGE_BYTES = 2**30
"""Size above which the allocator returns free memory to the kernel, or maps a block on its own."""

_PAD_BYTES = 2**26
"""Memory that the allocator requests from the kernel in advance."""


def configure_process() -> None:
    """Configure a worker's process for training: one thread, freed memory kept, Optuna silent."""
    use_one_thread()
    _keep_freed_memory()


def use_one_thread() -> None:
    """Let torch use one thread, and silence Optuna.

    Small networks train fastest with one worker per core and one thread in each. Call this before
    data are prepared, since threads do not survive a fork.
    """
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _keep_freed_memory() -> None:
    """Make the C library keep freed memory, where it is glibc.

    Otherwise the kernel takes back the memory of activations after every step and returns it page
    by page: a digits CNN took 1.4 times as long (2 Xeon cores, one pair of runs).
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _LARGE_BYTES)
        mallopt(_TOP_PAD, _PAD_BYTES)
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
