"""How the C library's allocator treats memory that training has freed."""

import ctypes

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Names of settings in glibc's malloc.h."""

_LARGE = 2**30
_PAD = 2**26


def keep_freed_memory() -> None:
    """Freed activations stay with this process, where the C library is glibc.

    Otherwise the kernel takes them back and hands them out again page by page: a digits CNN took
    1.4 times as long (2 Xeon cores, one pair of runs).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for setting, value in (
            (_TRIM_THRESHOLD, _LARGE),
            (_TOP_PAD, _PAD),
            (_MMAP_THRESHOLD, _LARGE),
        ):
            mallopt(setting, value)
